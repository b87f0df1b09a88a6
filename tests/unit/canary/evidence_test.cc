#include "lib/canary/evidence.h"

#include <cmath>
#include <vector>

#include "doctest/doctest.h"
#include "fmt/format.h"

// The mean of an e-value under its null hypothesis is at most 1: by enumeration of every small table (statistics.md 11,
// check 1). A dropped term or a wrong sign shows at once.

namespace convergence {
namespace {

constexpr double kRound = 1e-9;

double choose(int n, int k) {
  double product = 1;
  for (int i = 1; i <= k; ++i) product = product * (n - k + i) / i;
  return product;
}

double binomial(int n, int k, double p) { return choose(n, k) * std::pow(p, k) * std::pow(1 - p, n - k); }

// The mean of exp(value(x_c, x_p)) with independent arms.
template <typename Value>
double mean_of_arms(int n_c, int n_p, double p_c, double p_p, Value value) {
  double mean = 0;
  for (int x_c = 0; x_c <= n_c; ++x_c) {
    for (int x_p = 0; x_p <= n_p; ++x_p) {
      mean += binomial(n_c, x_c, p_c) * binomial(n_p, x_p, p_p) * std::exp(value(x_c, x_p));
    }
  }
  return mean;
}

double worse(const Counts& counts, double bet, const Tolerance& tolerance) {
  double log_e = 0;
  worse_evidence(counts, std::span(&bet, 1), tolerance, std::span(&log_e, 1));
  return log_e;
}

std::vector<double> all_bets() {
  std::vector<double> bets(kErrorBets.begin(), kErrorBets.end());
  bets.insert(bets.end(), kLatencyBets.begin(), kLatencyBets.end());
  return bets;
}

TEST_CASE("form H: given the failures of both arms together, its mean is at most 1") {
  for (int n_c = 1; n_c <= 7; ++n_c) {
    for (int n_p = 1; n_p <= 7; ++n_p) {
      for (int m = 0; m <= n_c + n_p; ++m) {
        for (double bet : all_bets()) {
          double mean = 0;
          for (int x = std::max(0, m - n_p); x <= std::min(m, n_c); ++x) {
            const Counts counts{double(n_c), double(n_p), double(x), double(m - x)};
            mean += choose(n_c, x) * choose(n_p, m - x) / choose(n_c + n_p, m) * std::exp(worse(counts, bet, {}));
          }
          CAPTURE(fmt::format("n {}/{} m {} r {}", n_c, n_p, m, bet));
          REQUIRE(mean <= 1 + kRound);
        }
      }
    }
  }
}

TEST_CASE("form H: its mean is at most 1 for a canary that is better, too") {
  for (double p_p : {0.05, 0.3, 0.8}) {
    for (double better : {0.1, 0.5, 0.9, 1.0}) {
      for (double bet : all_bets()) {
        const double mean = mean_of_arms(4, 6, p_p * better, p_p, [&](int x_c, int x_p) {
          return worse({4, 6, double(x_c), double(x_p)}, bet, {});
        });
        CAPTURE(fmt::format("p {} times {} r {}", p_p, better, bet));
        REQUIRE(mean <= 1 + kRound);
      }
    }
  }
}

TEST_CASE("form T: at what is just tolerated its mean is at most 1, alone against a limit too") {
  for (const Tolerance tolerance : {Tolerance{1, 0.01}, {1.1, 0.0005}, {2, 0.01}, {1.5, 0}, {0, 0.05}, {0, 0.3}}) {
    for (double p_p : {0.0, 0.01, 0.1, 0.3}) {
      const double p_c = tolerance.rho * p_p + tolerance.delta;
      for (int n_c : {1, 3, 6}) {
        for (int n_p : {1, 4, 7}) {
          for (double bet : all_bets()) {
            const double mean = mean_of_arms(n_c, n_p, p_c, p_p, [&](int x_c, int x_p) {
              return worse({double(n_c), double(n_p), double(x_c), double(x_p)}, bet, tolerance);
            });
            CAPTURE(
                fmt::format("rho {} delta {} p {} n {}/{} r {}", tolerance.rho, tolerance.delta, p_p, n_c, n_p, bet));
            REQUIRE(mean <= 1 + kRound);
          }
        }
      }
    }
  }
}

TEST_CASE("F, its sub-Gaussian bets and the lower bound: at the margin their means are at most 1") {
  for (double delta : {0.001, 0.03, 0.2}) {
    for (double p_p : {0.0, 0.02, 0.2, 0.6}) {
      for (int n_c : {1, 4, 6}) {
        for (int n_p : {1, 5, 7}) {
          const auto counts = [&](int x_c, int x_p) {
            return Counts{double(n_c), double(n_p), double(x_c), double(x_p)};
          };
          CAPTURE(fmt::format("delta {} p {} n {}/{}", delta, p_p, n_c, n_p));
          for (double bet : kFineBets) {
            REQUIRE(mean_of_arms(n_c, n_p, p_p + delta, p_p, [&](int x_c, int x_p) {
                      const LinearBet linear = fine_bet(counts(x_c, x_p), bet, 1);
                      return linear.a + delta * linear.g;
                    }) <= 1 + kRound);
          }
          for (double bet : kBoundedBets) {
            REQUIRE(mean_of_arms(n_c, n_p, p_p + delta, p_p, [&](int x_c, int x_p) {
                      const LinearBet linear = bounded_bet(counts(x_c, x_p), bet);
                      return linear.a + delta * linear.g;
                    }) <= 1 + kRound);
          }
          for (double bet : kErrorBets) {
            REQUIRE(mean_of_arms(n_c, n_p, p_p + delta, p_p, [&](int x_c, int x_p) {
                      const LinearBet linear = lower_bet(counts(x_c, x_p), bet);
                      return linear.a - delta * linear.g;
                    }) <= 1 + kRound);
          }
        }
      }
    }
  }
}

TEST_CASE("without traffic in the primary F drops what it cannot know") {
  const LinearBet bet = fine_bet({10, 0, 1, 0}, 0.5, 1);
  CHECK(bet.a == doctest::Approx(std::log(0.5)));
  CHECK(bet.g == doctest::Approx(5));
  CHECK(bounded_bet({10, 0, 1, 0}, 0.1).g == 0);
  CHECK(lower_bet({10, 0, 1, 0}, 2).g == 0);
}

TEST_CASE("the stakes on all start times and what is not placed add up to 1") {
  double placed = 0;
  for (int t = 1; t <= 1000; ++t) {
    placed += std::exp(log_stake(t));
    REQUIRE(placed + std::exp(log_unplaced(t)) == doctest::Approx(1).epsilon(1e-12));
  }
}

}  // namespace
}  // namespace convergence
