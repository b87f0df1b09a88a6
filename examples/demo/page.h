#ifndef CONVERGENCE_EXAMPLES_DEMO_PAGE_H_
#define CONVERGENCE_EXAMPLES_DEMO_PAGE_H_

#include <string>

#include "story.h"

namespace demo {

// The story as one HTML file that needs nothing else: weights and success rates over time, and every decision with its
// reason.
std::string page(const Story& story);

}  // namespace demo

#endif  // CONVERGENCE_EXAMPLES_DEMO_PAGE_H_
