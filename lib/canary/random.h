#ifndef CONVERGENCE_LIB_CANARY_RANDOM_H_
#define CONVERGENCE_LIB_CANARY_RANDOM_H_

#include <cstdint>

namespace convergence {

// Our own generator and distributions, so that a seed means the same run on every machine: xoshiro256**, seeded through
// splitmix64.
class Random {
 public:
  Random(std::uint64_t seed, std::uint64_t stream);

  std::uint64_t next();
  double uniform();                          // in [0, 1)
  std::int64_t up_to(std::int64_t largest);  // 1 to largest
  std::int64_t poisson(double mean);
  std::int64_t binomial(std::int64_t n, double p);

 private:
  std::uint64_t state_[4];
};

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CANARY_RANDOM_H_
