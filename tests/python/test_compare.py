"""compare() against an evaluation of the formulas of its own, in fifty digits: written from the text, not from the
library's code. What is compared: every log e, W, the plain sum of F, the bounds and the dispersion."""
import math
import random
import unittest
from decimal import Decimal as D, getcontext

import convergence

getcontext().prec = 50
ERRORS = [D(s) for s in "1.25 1.6 2 3 5 10 30 100".split()]
LATENCY = [D(s) for s in "1.15 1.3 1.6 2.2 4 15".split()]
FINE = [D(s) for s in "0.02 0.15 0.35 0.55 0.7 0.82 0.91 0.96".split()]
BOUNDS = [50, 100, 250, 500]
ZERO = D(0)


def log_of_mean(logs):
    return (sum(log.exp() for log in logs) / len(logs)).ln()


def zero_tolerance(nc, np, xc, xp, r):
    if nc == 0 or np == 0:
        return ZERO
    n, m = nc + np, xc + xp
    theta, f, lam = nc / n, m / n, r.ln()
    v = nc * (1 - theta) * f * (1 - f) * n / (n - 1) if n > 1 else ZERO
    return lam * xc - min(m * (1 + theta * (r - 1)).ln(), nc * (1 + f * (r - 1)).ln(), lam * nc * f + v * (r - 1 - lam))


def clamped(log):
    return min(max(log, D(-700)), D(700))  # 8.1, numbers


def tolerant(nc, np, xc, xp, r, rho, delta):
    if nc == 0:
        return ZERO
    if rho == 0:
        return clamped(xc * r.ln() - nc * delta * (r - 1))
    if np == 0 or r <= rho:
        return ZERO
    g = ((nc * r + np) / (nc * rho + np)).ln()
    a = r / rho * (-g).exp()
    return clamped(xc * (r / rho).ln() - (xc + xp) * g - nc * delta * (a - 1))


class Running:
    """W of one set of bets (2.3)."""

    def __init__(self, bets, alpha, phi):
        self.sums, self.t, self.phi = [ZERO] * bets, 0, phi
        self.cap = (2 / D(str(alpha)).sqrt()).ln()

    def add(self, logs):
        self.t += 1
        t, c = D(self.t), D(10)
        stake = c / (2 * (t + c - 1) * (t + c)) + (D("0.5") if t == 1 else 0)
        self.sums = [(s + stake) * min(log / self.phi, self.cap).exp() for s, log in zip(self.sums, logs)]

    def mean(self):
        return sum(self.sums) / len(self.sums)

    def rest(self):
        return D(5) / (self.t + 10)


def fine_sums(intervals, phi):
    a = [ZERO] * 8
    g = [ZERO] * 8
    for nc, np, xc, xp in intervals:
        for k, bet in enumerate(FINE):
            if nc:
                a[k] += (xc * bet.ln() + (xp * (1 + nc / np * (1 - bet)).ln() if np else 0)) / phi
                g[k] += nc * (1 - bet) / phi
    return a, g


def root(function, level):
    low, high = ZERO, D(1)
    for _ in range(60):
        middle = (low + high) / 2
        if function(middle) >= level:
            high = middle
        else:
            low = middle
    return high


def made(seed, intervals=12):
    random.seed(seed)
    out = []
    for _ in range(intervals):
        def arm(n, rate):
            x = sum(random.random() < rate for _ in range(n))
            buckets = sorted(random.randint(0, n) for _ in BOUNDS)
            return {"n": n, "x": x, "buckets": buckets}
        out.append({"canary": arm(random.choice([0, 3, 40, 200]), random.choice([0.01, 0.05])),
                    "primary": arm(random.choice([0, 50, 900]), 0.01)})
    return out


def counts(interval):
    return [D(interval[arm][name]) for name in "nx" for arm in ("canary", "primary")]


class Compare(unittest.TestCase):
    def close(self, ours, theirs, digits=1e-9):
        self.assertLessEqual(abs(ours - float(theirs)), digits * max(1, abs(float(theirs))))

    def test_errors(self):
        for seed in range(20):
            for phi in (1, 1.5):
                with self.subTest(seed=seed, phi=phi):
                    intervals = made(seed)
                    result = convergence.compare(intervals, {"phi": phi, "margin": 0.02})
                    running = Running(8, 0.01, D(str(phi)))
                    for interval, logs in zip(intervals, result["errors"]["log_e"]):
                        expected = [zero_tolerance(*counts(interval), r) for r in ERRORS]
                        for one, other in zip(logs, expected):
                            self.close(one, other)
                        running.add(expected)
                    self.close(result["log_W"], (running.mean() + running.rest()).ln())
                    a, g = fine_sums([counts(interval) for interval in intervals], D(str(phi)))
                    at = lambda delta: log_of_mean([x + delta * y for x, y in zip(a, g)])
                    self.close(result["log_F"], at(D("0.02")))
                    level = D(20).ln()
                    self.close(result["U"], root(at, level) if at(D(1)) >= level else 1, 1e-6)

    def test_tolerance(self):
        for rho, delta in ((1.1, 0.0005), (2, 0.01), (1, 0.02), (0, 0.05)):
            for seed in range(10):
                intervals = made(seed)
                result = convergence.compare(intervals, {"phi": 1, "margin": 0.02, "rho0": rho, "delta0": delta})
                for interval, logs in zip(intervals, result["errors"]["log_e"]):
                    for one, r in zip(logs, ERRORS):
                        self.close(one, tolerant(*counts(interval), r, D(str(rho)), D(str(delta))))

    def test_latency(self):
        for seed in range(20):
            with self.subTest(seed=seed):
                intervals = made(seed)
                result = convergence.compare(intervals, {"phi": 1, "margin": 0.02, "bounds": BOUNDS})
                errors = Running(8, 0.01, D(1))
                latency = Running(6 * len(BOUNDS), 0.01, D(1))
                for interval in intervals:
                    errors.add([zero_tolerance(*counts(interval), r) for r in ERRORS])
                    logs = []
                    for j in range(len(BOUNDS)):
                        nc, np = D(interval["canary"]["n"]), D(interval["primary"]["n"])
                        over = [D(interval[arm]["n"] - interval[arm]["buckets"][j]) for arm in ("canary", "primary")]
                        logs += [zero_tolerance(nc, np, *over, r) for r in LATENCY]
                    latency.add(logs)
                total = (errors.mean() + errors.rest()) / 2 + (latency.mean() + latency.rest()) / 2
                self.close(result["log_W"], total.ln())
                self.assertEqual([row["bound"] for row in result["latency"]], BOUNDS)

    def test_dispersion(self):
        for seed in range(20):
            random.seed(seed)
            intervals = []
            num = den = D(20)
            for _ in range(8):
                instances = [{"n": random.randint(50, 200), "x": random.randint(0, 9)} for _ in range(3)]
                n, m = (D(sum(instance[key] for instance in instances)) for key in "nx")
                for instance in instances:
                    share = instance["n"] / n
                    num += (instance["x"] - m * share) ** 2
                    den += m * (1 - m / n) * share * (1 - share)
                intervals.append({"canary": {"n": 10, "x": 0}, "primary": {"n": int(n), "x": int(m)},
                                  "primary_instances": instances})
            self.close(convergence.compare(intervals)["phi"], max(D(1), num / den))

    def test_what_is_no_number_is_no_evidence(self):
        good = {"canary": {"n": 100, "x": 1}, "primary": {"n": 900, "x": 9}}
        for bad in (math.nan, math.inf, -1, None, 101):
            result = convergence.compare([good, {**good, "canary": {"n": 100, "x": bad}}], {"phi": 1})
            self.assertEqual([row["interval"] for row in result["refused"]], [1])
            self.assertEqual(result["log_W"], convergence.compare([good], {"phi": 1})["log_W"])

    def test_mistakes_are_told_with_their_place(self):
        for intervals, options, place in (
                ([{"canary": {"n": 1, "x": 0}}], None, "intervals: "),
                ([{"canary": {"n": 1}, "primary": {"n": 1, "x": 0}}], None, "intervals: /0/canary"),
                ([], {"alfa": 1}, "options: "), ([], {"alpha": "x"}, "options: /alpha"), ([], {"alpha": 2}, "alpha")):
            with self.assertRaises(convergence.Error) as raised:
                convergence.compare(intervals, options)
            self.assertIn(place, str(raised.exception))


if __name__ == "__main__":
    unittest.main()
