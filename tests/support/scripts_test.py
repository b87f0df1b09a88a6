"""packages.sh and report.py, which run.sh is made of, and the arguments of run.sh."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import report  # noqa: E402

JUNIT = """<testsuite name="x" tests="6">
<testcase name="good" status="run"><system-out>all is well</system-out></testcase>
<testcase name="bad" status="fail"><failure message="Failed"/><system-out>it broke</system-out></testcase>
<testcase name="skipped" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/>
<system-out>SKIPPED skipped: there is none</system-out></testcase>
<testcase name="mute" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/><system-out/></testcase>
<testcase name="absent" status="notrun"><skipped message="Unable to find executable"/><system-out/></testcase>
<testcase name="partly" status="run"><system-out>begin
SKIPPED partly/page: no browser
test_a (t.Class.test_a) ... ok
setUpClass (t.Real) ... skipped 'no consul: why'
end</system-out></testcase>
</testsuite>"""

GOOD = '<testsuite><testcase name="good" status="run"><system-out/></testcase></testsuite>'


class Report(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cvg-report-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def report(self, no_skips=False, **files):
        paths = []
        for name, text in files.items():
            paths.append(self.folder / f"{name}.xml")
            paths[-1].write_text(text)
        return report.report(paths, no_skips)

    def test_names_what_was_skipped_and_what_failed(self):
        self.assertEqual(self.report(release=JUNIT), ([
            "failed (release): bad",
            "skipped (release): skipped: there is none",
            "skipped (release): mute: it did not say why",
            "failed (release): absent",
            "skipped (release): partly/page: no browser",
            "skipped (release): t.Real setUpClass: no consul: why",
            "66% tests passed, 2 tests failed out of 6",
        ], False))

    def test_sums_over_the_jobs(self):
        self.assertEqual(self.report(release=GOOD, asan=GOOD),
                         (["nothing was skipped", "100% tests passed, 0 tests failed out of 2"], True))

    def test_a_skip_is_a_failure_where_none_may_be(self):
        skipped = GOOD.replace("<system-out/>", "<system-out>SKIPPED good: a reason</system-out>")
        self.assertEqual(self.report(release=skipped),
                         (["skipped (release): good: a reason", "100% tests passed, 0 tests failed out of 1"], True))
        self.assertEqual(self.report(no_skips=True, release=skipped),
                         (["skipped (release): good: a reason", "1 skipped where nothing may be",
                           "100% tests passed, 0 tests failed out of 1"], False))

    def test_no_test_at_all_is_a_failure(self):
        self.assertEqual(self.report(release="<testsuite/>"),
                         (["nothing was skipped", "0% tests passed, 0 tests failed out of 0"], False))


class Packages(unittest.TestCase):
    """With a machine made up of shell functions: nothing is installed."""

    def ensure(self, functions, *packages):
        script = f". {HERE}/packages.sh\n" + "\n".join(functions) + f"\nensure_packages {' '.join(packages)}"
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              check=False)

    HAS_ONE = "dpkg-query() { [[ $4 == one ]] && echo installed; }"
    NOT_ROOT = "id() { echo 1000; }"
    ROOT = "id() { echo 0; }"
    NO_SUDO = "sudo() { return 1; }"
    APT = 'env() { echo "ran: $*"; }'

    def test_nothing_is_done_when_all_are_there(self):
        finished = self.ensure([self.HAS_ONE, self.NOT_ROOT, self.NO_SUDO], "one")
        self.assertEqual((finished.returncode, finished.stdout, finished.stderr), (0, "", ""))

    def test_without_the_right_to_install_exactly_the_missing_are_listed(self):
        finished = self.ensure([self.HAS_ONE, self.NOT_ROOT, self.NO_SUDO], "one", "two", "three")
        self.assertEqual(finished.returncode, 1)
        self.assertIn("\n  apt-get install two three\n", finished.stderr)

    def test_root_installs_what_is_missing_and_no_more(self):
        finished = self.ensure([self.HAS_ONE, self.ROOT, self.APT], "one", "two")
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertEqual(finished.stdout.splitlines(), [
            "missing packages: two",
            "ran: apt-get update -q",
            "ran: env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends two",
        ])

    def test_a_user_who_may_uses_sudo(self):
        finished = self.ensure([self.HAS_ONE, self.NOT_ROOT, 'sudo() { echo "sudo: $*"; }'], "two")
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertIn("sudo: env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends two",
                      finished.stdout)

    def test_an_installation_that_fails_lists_the_missing_too(self):
        finished = self.ensure([self.HAS_ONE, self.ROOT, "env() { return 100; }"], "one", "two")
        self.assertEqual(finished.returncode, 1)
        self.assertIn("\n  apt-get install two\n", finished.stderr)

    def test_every_package_that_is_named_is_one_of_debian(self):
        script = f'. {HERE}/packages.sh; for list in build test ci nightly; do eval echo "\\${{${{list}}_packages[@]}}"; done'
        names = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split()
        self.assertIn("g++", names)
        self.assertIn("clang-tidy-14", names)
        self.assertEqual(len(names), len(set(names)))
        for name in names:
            self.assertRegex(name, r"^[a-z0-9][a-z0-9+.-]+$")


class Run(unittest.TestCase):
    def run_script(self, *arguments):
        return subprocess.run([str(HERE.parent / "run.sh"), *arguments], capture_output=True, text=True, check=False)

    def test_help_is_no_run(self):
        finished = self.run_script("--help")
        self.assertEqual((finished.returncode, finished.stderr), (0, ""))
        for option in ("--ci", "--nightly", "--require-consul"):
            self.assertIn(option, finished.stdout)

    def test_an_unknown_argument_is_bad_usage(self):
        finished = self.run_script("--fast")
        self.assertEqual((finished.returncode, finished.stdout), (2, ""))
        self.assertTrue(finished.stderr.startswith("unknown argument --fast\n"))

    def test_ci_calls_it(self):
        script = HERE.parents[1] / ".ci" / "run"
        self.assertTrue(os.access(script, os.X_OK))
        self.assertIn('tests/run.sh" --ci', script.read_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
