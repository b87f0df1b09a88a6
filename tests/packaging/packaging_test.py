"""packaging_test.py package|subproject|c --source DIR --build DIR --version V --c-compiler C --cxx-compiler CXX

Outside projects that build and run against us: from an installed package that was moved, as a subproject, and in C by
CMake and by pkg-config.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
CHOSEN = '[{"Service":{"Meta":{"version":"2"}}}]'
ARGUMENTS = None


def run(*command, **options):
    """The output of a command that succeeds."""
    finished = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    if finished.returncode != 0:
        raise AssertionError(f"{command}: exit {finished.returncode}\n{finished.stdout}\n{finished.stderr}")
    return finished.stdout


class Consumer(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cvg-packaging-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name).resolve()
        self.build = self.folder / "build"

    def configure(self, project, *settings):
        command = ["cmake", "-S", HERE / project, "-B", self.build, "-G", "Ninja", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
                   f"-DCMAKE_C_COMPILER={ARGUMENTS.c_compiler}",
                   f"-DCONSUMER_VERSION={ARGUMENTS.version}", *settings]
        if project == "cxx":
            command.append(f"-DCMAKE_CXX_COMPILER={ARGUMENTS.cxx_compiler}")
        return run(*command)

    def make(self, *targets):
        run("cmake", "--build", self.build, "--target", *targets)

    def installed(self, *components):
        """Where our package is after it was installed in one place and moved to another."""
        first, moved = self.folder / "first", self.folder / "moved to"
        for component in components:
            run("cmake", "--install", ARGUMENTS.build, "--prefix", first, "--component", component)
        first.rename(moved)
        return moved

    def check_programs(self, folder):
        self.assertEqual(run(folder / "consumer_core"), CHOSEN + "\n")
        self.assertEqual(run(folder / "consumer"), "unreachable\n")
        self.assertEqual(run(folder / "consumer_testing"), "true\nblue\n")


class Package(Consumer):
    def test_find_package(self):
        prefix = self.installed("cxx")
        self.configure("cxx", f"-DCMAKE_PREFIX_PATH={prefix}")
        self.make("all")
        self.check_programs(self.build)

    def test_files_do_not_know_where_they_were_built(self):
        prefix = self.installed("cxx")
        for path in prefix.rglob("*.cmake"):
            text = path.read_text()
            for place in (ARGUMENTS.source, ARGUMENTS.build, str(self.folder)):
                self.assertNotIn(place, text, path)
        headers = {path.relative_to(prefix / "include").as_posix() for path in (prefix / "include").rglob("*.h")}
        ours = pathlib.Path(ARGUMENTS.source) / "include"
        self.assertEqual(headers, {path.relative_to(ours).as_posix() for path in ours.rglob("*.h")})

    def test_another_minor_version_is_another_interface(self):
        major, minor, _ = ARGUMENTS.version.split(".")
        prefix = self.installed("cxx")
        for wanted in (f"{major}.{int(minor) + 1}", f"{int(major) + 1}.0"):
            with self.assertRaisesRegex(AssertionError, "convergence"):
                self.configure("cxx", f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCONSUMER_VERSION={wanted}")
            shutil.rmtree(self.build)

    def test_a_component_that_is_not_there_is_named(self):
        prefix = self.installed("cxx")
        with self.assertRaisesRegex(AssertionError, r"the\s+component\s+c\s+is\s+not\s+installed"):
            self.configure("c", f"-DCMAKE_PREFIX_PATH={prefix}")


class Subproject(Consumer):
    def test_add_subdirectory(self):
        launcher = shutil.which("ccache")
        self.configure("cxx", f"-DCONSUMER_SUBPROJECT={ARGUMENTS.source}", "-DCONVERGENCE_UNITY=all",
                       *([f"-DCMAKE_CXX_COMPILER_LAUNCHER={launcher}"] if launcher else []))
        self.check_nothing_of_ours_is_set()
        self.make("consumer_core", "consumer", "consumer_testing")
        self.check_programs(self.build)  # not in bin/: our output folders are for our own build
        stage = self.folder / "stage"
        run("cmake", "--install", self.build, "--prefix", stage)
        self.assertEqual([path.relative_to(stage).as_posix() for path in stage.rglob("*") if path.is_file()],
                         ["bin/consumer"])

    def check_nothing_of_ours_is_set(self):
        self.assertIn("Total Tests: 0", run("ctest", "-N", "--test-dir", self.build))
        cache = (self.build / "CMakeCache.txt").read_text()
        for option in ("BUILD_CAPI", "BUILD_EXAMPLES", "BUILD_TESTS", "INSTALL", "WERROR"):
            self.assertIn(f"CONVERGENCE_{option}:BOOL=OFF", cache)
        for flag in ("CMAKE_CXX_FLAGS", "CMAKE_C_FLAGS"):
            self.assertRegex(cache, rf"(?m)^{flag}:STRING=$")
        commands = json.loads((self.build / "compile_commands.json").read_text())
        theirs = [entry["command"] for entry in commands if pathlib.Path(entry["file"]).is_relative_to(HERE)]
        self.assertEqual(len(theirs), 3)
        for command in theirs:
            self.assertIsNone(re.search(r" -W| -fsanitize| -ffp-contract", command), command)
            self.assertNotIn(f"-I{ARGUMENTS.source} ", command)


class InC(Consumer):
    OUTPUT = CHOSEN + "\nfilter\n"

    def test_find_package(self):
        prefix = self.installed("c")
        self.configure("c", f"-DCMAKE_PREFIX_PATH={prefix}")
        self.make("all")
        self.assertEqual(run(self.build / "c_consumer"), self.OUTPUT)

    def test_pkg_config(self):
        prefix = self.installed("c")
        folder = next(prefix.rglob("convergence-c.pc")).parent
        # Nothing of the machine's own, so that what is found is what was installed.
        environment = os.environ | {"PKG_CONFIG_LIBDIR": str(folder)}
        self.assertEqual(run("pkg-config", "--modversion", "convergence-c", env=environment).strip(), ARGUMENTS.version)
        flags = run("sh", "-c", f'eval "set -- $(pkg-config --cflags --libs convergence-c)"; printf "%s\\n" "$@"',
                    env=environment).splitlines()
        program = self.folder / "program"
        run(ARGUMENTS.c_compiler, "-std=c99", "-pedantic", "-Werror", HERE / "c/main.c", "-o", program, *flags)
        libraries = next(flag[2:] for flag in flags if flag.startswith("-L"))
        self.assertEqual(run(program, env=os.environ | {"LD_LIBRARY_PATH": libraries}), self.OUTPUT)

    def test_soname_is_the_abi_version(self):
        prefix = self.installed("c")
        library = next(prefix.rglob("libconvergence_c.so"))
        version = (prefix / "include/convergence/version.h").read_text()
        abi = re.search(r"#define CVG_ABI_VERSION (\d+)", version).group(1)
        self.assertIn(f"[libconvergence_c.so.{abi}]", run("readelf", "-d", library))
        self.assertEqual(sorted(path.name for path in (prefix / "include").rglob("*.h")), ["c.h", "version.h"])


def main():
    global ARGUMENTS
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("package", "subproject", "c"))
    for name in ("source", "build", "version", "c-compiler", "cxx-compiler"):
        parser.add_argument(f"--{name}", required=True)
    ARGUMENTS = parser.parse_args()
    case = {"package": Package, "subproject": Subproject, "c": InC}[ARGUMENTS.what]
    result = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.loadTestsFromTestCase(case))
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
