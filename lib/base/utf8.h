#ifndef CONVERGENCE_LIB_BASE_UTF8_H_
#define CONVERGENCE_LIB_BASE_UTF8_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace convergence {

bool is_ascii(std::string_view text);

// How many bytes the first character has; 0 where there is none, or no UTF-8.
std::size_t utf8_length(std::string_view text);

// Where the first byte stands that is no UTF-8.
std::optional<std::size_t> invalid_utf8(std::string_view text);

// The text with U+FFFD for each such byte: error messages and details travel as JSON.
std::string printable_utf8(std::string_view text);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_BASE_UTF8_H_
