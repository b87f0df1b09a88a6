#include "lib/canary/evidence.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace convergence {
namespace {

// A log e beyond this says no more than this (statistics.md 8.1).
constexpr double kMostLog = 700;
constexpr double kMixture = 10;  // c: how slowly the stake is placed

double clamped(double log_e) { return std::clamp(log_e, -kMostLog, kMostLog); }

// Form H. Three bounds of the same expectation, sampling the failures, sampling the canary, and Bennett's with the
// exact variance; the least is taken.
void zero_tolerance(const Counts& counts, std::span<const double> bets, std::span<double> out) {
  const double n = counts.n_c + counts.n_p;
  const double m = counts.x_c + counts.x_p;
  const double theta = counts.n_c / n;
  const double f = m / n;
  const double v = n > 1 ? counts.n_c * (1 - theta) * f * (1 - f) * n / (n - 1) : 0;
  for (std::size_t k = 0; k < bets.size(); ++k) {
    const double r = bets[k];
    const double lambda = std::log(r);
    const double failures = m * std::log1p(theta * (r - 1));
    const double canary = counts.n_c * std::log1p(f * (r - 1));
    const double bennett = lambda * counts.n_c * f + v * (r - 1 - lambda);
    out[k] = clamped(lambda * counts.x_c - std::min({failures, canary, bennett}));
  }
}

// Form T. A bet that is not above what is tolerated stakes nothing.
void tolerant(const Counts& counts, std::span<const double> bets, const Tolerance& tolerance, std::span<double> out) {
  const double m = counts.x_c + counts.x_p;
  for (std::size_t k = 0; k < bets.size(); ++k) {
    const double r = bets[k];
    if (tolerance.rho == 0) {  // the canary against a limit alone
      out[k] = clamped(counts.x_c * std::log(r) - counts.n_c * tolerance.delta * (r - 1));
      continue;
    }
    if (r <= tolerance.rho) {
      out[k] = 0;
      continue;
    }
    const double g = std::log((counts.n_c * r + counts.n_p) / (counts.n_c * tolerance.rho + counts.n_p));
    const double a = r / tolerance.rho * std::exp(-g);
    out[k] = clamped(counts.x_c * std::log(r / tolerance.rho) - m * g - counts.n_c * tolerance.delta * (a - 1));
  }
}

}  // namespace

void worse_evidence(const Counts& counts, std::span<const double> bets, const Tolerance& tolerance,
                    std::span<double> out) {
  const bool alone = tolerance.rho == 0;
  if (counts.n_c <= 0 || (counts.n_p <= 0 && !alone)) {
    std::fill(out.begin(), out.end(), 0.0);
  } else if (tolerance.is_zero()) {
    zero_tolerance(counts, bets, out);
  } else {
    tolerant(counts, bets, tolerance, out);
  }
}

LinearBet fine_bet(const Counts& counts, double bet, double rho1) {
  if (counts.n_c <= 0) return {};
  const double g = counts.n_c * (1 - bet);
  const double canary = counts.x_c * std::log(bet);
  if (counts.n_p <= 0) return {canary, g};
  return {canary + counts.x_p * std::log1p(counts.n_c * rho1 / counts.n_p * (1 - bet)), g};
}

LinearBet bounded_bet(const Counts& counts, double bet) {
  if (counts.n_c <= 0 || counts.n_p <= 0) return {};
  const double k = counts.n_c / counts.n_p;
  const double spread = bet * bet * counts.n_c / 8;
  return {bet * k * counts.x_p - bet * counts.x_c - spread - k * spread, bet * counts.n_c};
}

LinearBet lower_bet(const Counts& counts, double bet) {
  if (counts.n_c <= 0 || counts.n_p <= 0) return {};
  const double g = std::log((counts.n_c * bet + counts.n_p) / (counts.n_c + counts.n_p));
  return {counts.x_c * std::log(bet) - (counts.x_c + counts.x_p) * g, counts.n_c * (bet * std::exp(-g) - 1)};
}

double log_add(double a, double b) {
  const double high = std::max(a, b);
  const double low = std::min(a, b);
  if (low == -std::numeric_limits<double>::infinity()) return high;
  return high + std::log1p(std::exp(low - high));
}

double log_sum(std::span<const double> values) {
  const double high = *std::max_element(values.begin(), values.end());
  if (high == -std::numeric_limits<double>::infinity()) return high;
  double sum = 0;
  for (double value : values) sum += std::exp(value - high);
  return high + std::log(sum);
}

double log_mean(std::span<const double> values) {
  return log_sum(values) - std::log(static_cast<double>(values.size()));
}

double log_stake(double t) {
  const double share = 0.5 * kMixture / ((t + kMixture - 1) * (t + kMixture));
  return std::log(t == 1 ? share + 0.5 : share);
}

double log_unplaced(double t) { return std::log(0.5 * kMixture / (t + kMixture)); }

}  // namespace convergence
