"""report.py [--no-skips] junit.xml...: the tests that were skipped, by name and reason, those that failed, and one
summary line over all files. Exit 1 if a test failed, if there were none, or, with --no-skips, if anything was skipped.

A program that cannot test a part of what it is for prints a line "SKIPPED <name>: <reason>", whatever its exit status;
Python's unittest has a line of its own for it.
"""

import argparse
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree


_UNITTEST_SKIP = re.compile(r"^(\S+) \((\S+)\) \.\.\. skipped ['\"](.*)['\"]$")


def skip_reasons(output):
    for line in output.splitlines():
        if line.startswith("SKIPPED "):
            yield line.removeprefix("SKIPPED ")
        elif skipped := _UNITTEST_SKIP.match(line):
            yield f"{skipped.group(2)} {skipped.group(1)}: {skipped.group(3)}"


def read_cases(path):
    """Yields (name, outcome, reasons) of one file that ctest has written."""
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        reasons = list(skip_reasons("".join(case.itertext())))
        skipped = case.find("skipped")
        if skipped is not None and skipped.get("message", "").startswith(("SKIP_", "Disabled")):
            outcome = "skipped"
            reasons = reasons or [f"{case.get('name')}: it did not say why"]
        else:  # "notrun" without a reason of ours: the program was not built
            outcome = "passed" if case.get("status") == "run" else "failed"
        yield case.get("name"), outcome, reasons


def report(paths, no_skips):
    """Returns the lines to print and whether all is well."""
    lines, total, failed, skips = [], 0, 0, 0
    for path in paths:
        job = pathlib.Path(path).stem
        for name, outcome, reasons in read_cases(path):
            total += 1
            if outcome == "failed":
                failed += 1
                lines.append(f"failed ({job}): {name}")
            skips += len(reasons)
            lines += [f"skipped ({job}): {reason}" for reason in reasons]
    well = failed == 0 and total > 0 and not (no_skips and skips)
    if no_skips and skips:
        lines.append(f"{skips} skipped where nothing may be")
    if not skips:
        lines.append("nothing was skipped")
    percent = (total - failed) * 100 // total if total else 0
    lines.append(f"{percent}% tests passed, {failed} tests failed out of {total}")
    return lines, well


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-skips", action="store_true")
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    lines, well = report(arguments.files, arguments.no_skips)
    print("\n".join(lines))
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
