#ifndef CONVERGENCE_LIB_FILTER_UNQUOTE_H_
#define CONVERGENCE_LIB_FILTER_UNQUOTE_H_

#include <optional>
#include <string>
#include <string_view>

namespace convergence::filter {

// What stands between the double quotes of a Go string literal, its escapes carried out; nothing where Go refuses it.
std::optional<std::string> unquote(std::string_view inside);

}  // namespace convergence::filter

#endif  // CONVERGENCE_LIB_FILTER_UNQUOTE_H_
