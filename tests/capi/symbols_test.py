"""symbols_test.py LIBRARY HEADER LIST: the exported symbols, the declared functions and the list agree."""
import re
import subprocess
import sys


def main(library, header, listed):
    output = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    exported = {line.split()[2].split("@")[0] for line in output.splitlines() if line.split()[1] in "TWDBRV"}
    declared = set(re.findall(r"^CVG_API [^;(]*?\b(cvg_\w+)\(", open(header).read(), re.MULTILINE))
    wanted = set(open(listed).read().split())
    problems = []
    for name, have in (("exported", exported), ("declared", declared)):
        problems += [f"{symbol}: listed, not {name}" for symbol in sorted(wanted - have)]
        problems += [f"{symbol}: {name}, not listed" for symbol in sorted(have - wanted)]
    print("\n".join(problems) or f"{len(wanted)} symbols agree")
    return 1 if problems else 0


sys.exit(main(*sys.argv[1:]))
