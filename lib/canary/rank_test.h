#ifndef CONVERGENCE_LIB_CANARY_RANK_TEST_H_
#define CONVERGENCE_LIB_CANARY_RANK_TEST_H_

#include <vector>

namespace convergence {

// By how much one sample is above another: the interval of the shift that Mann-Whitney's test does not exclude, and the
// Hodges-Lehmann estimate (progressive-delivery.md 2.14). By the normal approximation, with ties and continuity.
struct ShiftInterval {
  double low = 0;
  double estimate = 0;
  double high = 0;
};
// `normal_quantile`: of the standard normal, for one side; both samples have at least one value.
ShiftInterval rank_shift(const std::vector<double>& experiment, const std::vector<double>& control,
                         double normal_quantile);

// Kayenta's class of a metric whose increase is bad: the shift's lower bound is above a quarter of the estimate, and
// the mean rose.
bool is_rank_high(const std::vector<double>& experiment, const std::vector<double>& control);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CANARY_RANK_TEST_H_
