#include "lib/canary/random.h"

#include <array>
#include <cmath>

namespace convergence {
namespace {

std::uint64_t splitmix(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

std::uint64_t rotated(std::uint64_t value, int by) { return (value << by) | (value >> (64 - by)); }

// log k!, by a table and then by Stirling's series: std::lgamma is no function of its argument alone everywhere.
double log_factorial(std::int64_t k) {
  static const std::array<double, 128> table = [] {
    std::array<double, 128> sums{};
    for (std::size_t i = 1; i < sums.size(); ++i) sums[i] = sums[i - 1] + std::log(static_cast<double>(i));
    return sums;
  }();
  if (k < static_cast<std::int64_t>(table.size())) return table[static_cast<std::size_t>(k)];
  const double n = static_cast<double>(k);
  constexpr double kHalfLogTwoPi = 0.91893853320467274178;
  return (n + 0.5) * std::log(n) - n + kHalfLogTwoPi + 1 / (12 * n) - 1 / (360 * n * n * n);
}

// Below this mean a draw walks up the distribution from 0; above, it is drawn by transformed rejection (Hoermann 1993).
constexpr double kWalks = 10;

}  // namespace

Random::Random(std::uint64_t seed, std::uint64_t stream) {
  std::uint64_t mixed = stream;
  std::uint64_t state = seed ^ splitmix(mixed);
  for (std::uint64_t& word : state_) word = splitmix(state);
}

std::uint64_t Random::next() {
  const std::uint64_t result = rotated(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = rotated(state_[3], 45);
  return result;
}

double Random::uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

std::int64_t Random::up_to(std::int64_t largest) {
  return 1 + static_cast<std::int64_t>(uniform() * static_cast<double>(largest));
}

std::int64_t Random::poisson(double mean) {
  if (mean <= 0) return 0;
  if (mean < kWalks) {
    const double limit = std::exp(-mean);
    std::int64_t k = 0;
    for (double product = uniform(); product > limit; product *= uniform()) ++k;
    return k;
  }
  const double root = std::sqrt(mean);
  const double b = 0.931 + 2.53 * root;
  const double a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
  const double quick = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const double u = uniform() - 0.5;
    const double v = uniform();
    const double us = 0.5 - std::fabs(u);
    const double k = std::floor((2 * a / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= quick) return static_cast<std::int64_t>(k);
    if (k < 0 || (us < 0.013 && v > us)) continue;
    const double accepted = k * std::log(mean) - mean - log_factorial(static_cast<std::int64_t>(k));
    if (std::log(v * inverse_alpha / (a / (us * us) + b)) <= accepted) return static_cast<std::int64_t>(k);
  }
}

std::int64_t Random::binomial(std::int64_t n, double p) {
  if (n <= 0 || p <= 0) return 0;
  if (p >= 1) return n;
  if (p > 0.5) return n - binomial(n, 1 - p);
  const double count = static_cast<double>(n);
  if (count * p < kWalks) {  // failures between successes are geometric
    const double scale = std::log1p(-p);
    std::int64_t successes = 0;
    double trial = 0;
    for (;;) {
      trial += std::floor(std::log1p(-uniform()) / scale) + 1;
      if (trial > count) return successes;
      ++successes;
    }
  }
  const double spread = std::sqrt(count * p * (1 - p));
  const double b = 1.15 + 2.53 * spread;
  const double a = -0.0873 + 0.0248 * b + 0.01 * p;
  const double c = count * p + 0.5;
  const double quick = 0.92 - 4.2 / b;
  const double alpha = (2.83 + 5.1 / b) * spread;
  const double odds = std::log(p / (1 - p));
  const double mode = std::floor((count + 1) * p);
  const double at_mode =
      log_factorial(static_cast<std::int64_t>(mode)) + log_factorial(n - static_cast<std::int64_t>(mode));
  for (;;) {
    const double u = uniform() - 0.5;
    const double v = uniform();
    const double us = 0.5 - std::fabs(u);
    const double k = std::floor((2 * a / us + b) * u + c);
    if (k < 0 || k > count) continue;
    const auto drawn = static_cast<std::int64_t>(k);
    if (us >= 0.07 && v <= quick) return drawn;
    const double accepted = at_mode - log_factorial(drawn) - log_factorial(n - drawn) + (k - mode) * odds;
    if (std::log(v * alpha / (a / (us * us) + b)) <= accepted) return drawn;
  }
}

}  // namespace convergence
