"""The pages of coverage speak of every row, and name only tests that are there."""

import pathlib
import re
import sys

_ROWS = [f"W-A{number}" for number in range(1, 35)] + [
    f"W-S{number}" for number in (1, 2, *range(4, 19), 24, 28)]
_ROLLOUT_ROWS = [f"{kind}{number}" for kind, last in (("E", 18), ("C", 14), ("P", 37)) for number in range(1, last + 1)]


def cases(tests):
    """The names of all cases, C++ and Python."""
    found = set()
    for path in tests.rglob("*.cc"):
        for name in re.findall(r'TEST_CASE\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)', path.read_text()):
            found.add("".join(re.findall(r'"((?:[^"\\]|\\.)*)"', name)).replace('\\"', '"'))
    for path in tests.rglob("*.py"):
        found.update(re.findall(r"def (test_\w+)", path.read_text()))
    return found


def programs(tests):
    """The programs of unit tests and simulations; how others are named their folders know."""
    found = set()
    for path in tests.rglob("CMakeLists.txt"):
        found.update(re.findall(r"convergence_test\((\w+)", path.read_text()))
    return found


def check_page(root, name, pattern, wanted):
    text = (root / "docs" / name).read_text()
    problems = []
    rows = set(re.findall(pattern, " ".join(re.findall(r"^\| ([^|]*) \|", text, re.M))))
    problems += [f"no row speaks of {row}" for row in wanted if row not in rows]
    known, there = cases(root / "tests"), programs(root / "tests")
    problems += [f"there is no case {name!r}" for name in re.findall(r"\*([^*]+)\*", text) if name not in known]
    named = re.findall(r"`((?:unit|simulation)_\w+)`", text)
    problems += [f"there is no test program {name}" for name in named if name not in there]
    return [f"{name}: {problem}" for problem in problems]


def check(root):
    return (check_page(root, "coverage.md", r"W-[AS]\d+", _ROWS) +
            check_page(root, "coverage-rollouts.md", r"\b[ECP]\d+\b", _ROLLOUT_ROWS))


if __name__ == "__main__":
    FOUND = check(pathlib.Path(sys.argv[1]))
    print("\n".join(FOUND))
    sys.exit(1 if FOUND else 0)
