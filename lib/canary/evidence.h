#ifndef CONVERGENCE_LIB_CANARY_EVIDENCE_H_
#define CONVERGENCE_LIB_CANARY_EVIDENCE_H_

#include <array>
#include <cstddef>
#include <span>

namespace convergence {

// The e-values of one interval. Each has a mean of at most 1 when its null hypothesis holds, whatever the split of the
// traffic (statistics.md 2 and 5); what stands beside a formula there is not repeated here.

struct Counts {
  double n_c = 0;  // requests of the canary
  double n_p = 0;  // of the primary
  double x_c = 0;  // failures
  double x_p = 0;
};

// p_canary <= rho * p_primary + delta is no reason to roll back.
struct Tolerance {
  double rho = 1;
  double delta = 0;
  bool is_zero() const { return rho == 1 && delta == 0; }
};

inline constexpr std::array<double, 8> kErrorBets = {1.25, 1.6, 2, 3, 5, 10, 30, 100};
inline constexpr std::array<double, 6> kLatencyBets = {1.15, 1.3, 1.6, 2.2, 4, 15};
inline constexpr std::array<double, 8> kFineBets = {0.02, 0.15, 0.35, 0.55, 0.7, 0.82, 0.91, 0.96};
inline constexpr std::array<double, 5> kBoundedBets = {0.02, 0.05, 0.1, 0.2, 0.4};

// log e of each bet that the canary's failures are r times as likely (2.1, 2.2). `out` has as many as `bets`.
void worse_evidence(const Counts& counts, std::span<const double> bets, const Tolerance& tolerance,
                    std::span<double> out);

// A bet whose log e at the margin delta is a + delta * g (5), or a - delta * g for the lower bound.
struct LinearBet {
  double a = 0;
  double g = 0;
};
LinearBet fine_bet(const Counts& counts, double bet, double rho1);
// For shares that are not small: sub-Gaussian.
LinearBet bounded_bet(const Counts& counts, double bet);
LinearBet lower_bet(const Counts& counts, double bet);

double log_add(double a, double b);
double log_sum(std::span<const double> values);
// Log of the mean.
double log_mean(std::span<const double> values);

// The share of the stake that is placed on "it starts to be worse in interval t", t from 1; and what is not placed yet.
double log_stake(double t);
double log_unplaced(double t);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CANARY_EVIDENCE_H_
