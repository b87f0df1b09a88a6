#ifndef CONVERGENCE_LIB_BASE_ASCII_H_
#define CONVERGENCE_LIB_BASE_ASCII_H_

#include <string>
#include <string_view>

namespace convergence {

// Letter case of ASCII alone: what goes over the wire may not depend on a locale. Other bytes stay.
constexpr char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
constexpr char ascii_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

inline std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = ascii_lower(c);
  return out;
}

inline std::string ascii_upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = ascii_upper(c);
  return out;
}

// In lower case and without underscores: as the server compares names of members.
inline std::string plain_name(std::string_view name) {
  std::string out = ascii_lower(name);
  std::erase(out, '_');
  return out;
}

constexpr bool ascii_equal_fold(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (ascii_lower(a[i]) != ascii_lower(b[i])) return false;
  }
  return true;
}

}  // namespace convergence

#endif  // CONVERGENCE_LIB_BASE_ASCII_H_
