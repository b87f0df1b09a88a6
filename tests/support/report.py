"""report.py [--no-skips] junit.xml...: the tests that were skipped, by name and reason, those that failed, and one
summary line over all files. Exit 1 if a test failed, if there were none, or, with --no-skips, if anything was skipped.

A program that cannot test a part of what it is for prints a line "SKIPPED <name>: <reason>", whatever its exit status.
"""

import argparse
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def read_cases(path):
    """Yields (name, outcome, reasons) of one file that ctest has written."""
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        output = "".join(case.itertext())
        reasons = [line.removeprefix("SKIPPED ") for line in output.splitlines() if line.startswith("SKIPPED ")]
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
