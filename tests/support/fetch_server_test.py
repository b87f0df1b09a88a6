"""fetch_server.sh: what it takes, and what it says when it can have nothing. Needs no network."""

import os
import pathlib
import stat
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().with_name("fetch_server.sh")


class Fetching(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cvg-fetch-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "apt").mkdir()
        (self.folder / "os-release").write_text("VERSION_CODENAME=bookworm\n")

    def run_script(self, *arguments, **environment):
        variables = {k: v for k, v in os.environ.items() if not k.startswith(("CON", "XDG", "PROMETHEUS", "HAPROXY"))}
        variables.update(CONVERGENCE_APT_DIRECTORY=str(self.folder / "apt"), HOME=str(self.folder),
                         CONVERGENCE_OS_RELEASE=str(self.folder / "os-release"))
        return subprocess.run([str(SCRIPT), *arguments], env=variables | environment, capture_output=True, text=True,
                              check=False)

    def make_server(self, path, exit_code=0):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\nexit {exit_code}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def test_one_that_is_named_is_used(self):
        server = self.make_server(self.folder / "mine")
        done = self.run_script("haproxy", HAPROXY_BIN=str(server))
        self.assertEqual((done.returncode, done.stdout), (0, f"{server}\n"), done.stderr)

    def test_one_that_is_named_and_does_not_run_is_a_mistake_not_a_skip(self):
        server = self.make_server(self.folder / "mine", exit_code=1)
        done = self.run_script("prometheus", PROMETHEUS_BIN=str(server))
        self.assertEqual((done.returncode, done.stderr),
                         (1, f"PROMETHEUS_BIN is {server}, which does not run as prometheus\n"))

    def test_another_name_is_bad_usage(self):
        self.assertEqual(self.run_script("nginx").returncode, 2)

    @unittest.skipIf(os.path.exists("/usr/bin/prometheus"), "it is installed here")
    def test_the_cache_is_used_and_without_a_source_it_says_why(self):
        server = self.make_server(self.folder / "cache/prometheus/prometheus")
        done = self.run_script("prometheus", str(self.folder / "cache"))
        self.assertEqual((done.returncode, done.stdout), (0, f"{server}\n"), done.stderr)
        self.make_server(server, exit_code=1)
        done = self.run_script("prometheus", str(self.folder / "cache"))
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (77, "", f"no prometheus: no Debian source entry in {self.folder}/apt to fetch its package "
                          "from\n"))
        self.assertEqual([path.name for path in (self.folder / "cache").iterdir()], ["prometheus.lock"])

    def test_no_mirror_is_written_down(self):
        self.assertNotRegex(SCRIPT.read_text(), r"https?://")


if __name__ == "__main__":
    unittest.main(verbosity=2)
