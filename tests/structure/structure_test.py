"""structure_test.py layers|symbols|headers SOURCE-DIR BUILD-DIR [CORE-ARCHIVE]: fails with every breach of the architecture by name."""

import pathlib
import sys

import structure

WARNINGS = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
# C89 knows no // and no long long; the last two are what C++ hosts compile with.
C_LANGUAGES = {
    "C89": ["gcc", "-xc", "-std=c89"],
    "C99": ["gcc", "-xc", "-std=c99"],
    "C11": ["gcc", "-xc", "-std=c11"],
    "C++11": ["g++", "-xc++", "-std=c++11"],
    "C++20": ["g++", "-xc++", "-std=c++20"],
}
CXX_LANGUAGES = {"C++20": ["g++", "-xc++", "-std=c++20"]}
C_HEADERS = ("c.h", "version.h")


def check_layers(tree):
    return (tree.check_declarations() + tree.check_directions() + tree.check_packages() + tree.check_public_headers())


def check_headers(tree):
    flags = [*WARNINGS, f"-I{tree.root / 'include'}"]
    for_c = [path for path in tree.public_headers() if path.name in C_HEADERS]
    for_cxx = [path for path in tree.public_headers() if path.name not in C_HEADERS]
    return (structure.check_headers_alone(for_c, C_LANGUAGES, flags) +
            structure.check_headers_alone(for_cxx, CXX_LANGUAGES, flags))


def check_symbols(tree, archive):
    found = tree.check_symbols() + structure.check_archive(pathlib.Path(archive))
    if not any(tree.layer(command.source) == "base" for command in tree.commands):
        found.append("no object of the base was looked at")
    return found


def main():
    what, root, build = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    tree = structure.Tree(root, build)
    found = {"layers": check_layers, "symbols": check_symbols, "headers": check_headers}[what](tree, *sys.argv[4:])
    for line in found:
        print(line)
    print(f"{what}: {len(tree.commands)} sources of {len(tree.layers)} layers, {len(tree.public_headers())} public "
          f"headers, {len(found)} breaches")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
