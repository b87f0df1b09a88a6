#ifndef CONVERGENCE_TESTS_SUPPORT_RANDOM_CASES_H_
#define CONVERGENCE_TESTS_SUPPORT_RANDOM_CASES_H_

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <random>
#include <utility>
#include <vector>

// Cases made from seeds. CONVERGENCE_SEED and CONVERGENCE_CASES choose them; the seed of a failing case is printed.

namespace convergence::test {

inline std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

// One seed a case, so that each can be run again alone.
inline void for_each_case(std::uint64_t cases, const std::function<void(std::mt19937_64&)>& check) {
  const std::uint64_t first = number_from_environment("CONVERGENCE_SEED", 1);
  const std::uint64_t count = number_from_environment("CONVERGENCE_CASES", cases);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t seed = first + i;
    INFO("CONVERGENCE_SEED=", seed, " CONVERGENCE_CASES=1");
    std::mt19937_64 random(seed);
    check(random);
  }
}

inline std::size_t below(std::mt19937_64& random, std::size_t count) {
  return static_cast<std::size_t>(random() % count);
}
inline bool chance(std::mt19937_64& random, std::size_t percent) { return below(random, 100) < percent; }

template <typename T>
const T& pick(std::mt19937_64& random, const std::vector<T>& choices) {
  return choices[below(random, choices.size())];
}

template <typename T>
void shuffle(std::mt19937_64& random, std::vector<T>& items) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(random, i)]);
}

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_RANDOM_CASES_H_
