#ifndef CONVERGENCE_TESTS_FUZZ_FUZZ_H_
#define CONVERGENCE_TESTS_FUZZ_FUZZ_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

// What libFuzzer and replay.cc call.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace convergence::test {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Ends the program, by which a fuzzer knows that it has found something.
inline void must(bool holds, std::string_view what, const std::string& seen = {}) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n%s\n", static_cast<int>(what.size()), what.data(), seen.c_str());
  std::abort();
}

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_FUZZ_FUZZ_H_
