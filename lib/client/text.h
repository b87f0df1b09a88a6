#ifndef CONVERGENCE_LIB_CLIENT_TEXT_H_
#define CONVERGENCE_LIB_CLIENT_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace convergence {

// `text` from a stranger, fit for a JSON string: at most `max_bytes` and "..." where more was cut off, bytes that are
// not UTF-8 replaced.
std::string clean_text(std::string_view text, std::size_t max_bytes);
// The same in one line for a message: white space at the ends gone, runs of it and of control characters one space.
std::string one_line(std::string_view text, std::size_t max_bytes);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CLIENT_TEXT_H_
