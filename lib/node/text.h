#ifndef CONVERGENCE_LIB_NODE_TEXT_H_
#define CONVERGENCE_LIB_NODE_TEXT_H_

#include <string_view>

namespace convergence {

constexpr std::string_view without_space(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  return begin == std::string_view::npos ? "" : text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

}  // namespace convergence

#endif  // CONVERGENCE_LIB_NODE_TEXT_H_
