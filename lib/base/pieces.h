#ifndef CONVERGENCE_LIB_BASE_PIECES_H_
#define CONVERGENCE_LIB_BASE_PIECES_H_

#include <string_view>
#include <vector>

namespace convergence {

// What stands between the slashes of a key or path; at least one piece, and empty ones too.
inline std::vector<std::string_view> pieces_of(std::string_view path) {
  std::vector<std::string_view> pieces;
  for (;;) {
    const std::size_t slash = path.find('/');
    pieces.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return pieces;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace convergence

#endif  // CONVERGENCE_LIB_BASE_PIECES_H_
