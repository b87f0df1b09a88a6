"""fetch_consul.sh: the source it derives, and what it says when it can have nothing. Needs no network."""

import os
import pathlib
import stat
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().with_name("fetch_consul.sh")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
DEFAULT_KEYRING = [f"Signed-By: {KEYRING}"] if pathlib.Path(KEYRING).exists() else []

# name, files of /etc/apt, mirror that is to be chosen, its Signed-By lines (None: none is chosen)
SOURCES = [
    ("deb822, as Debian's own installer and images write it",
     {"sources.list.d/debian.sources":
      "Types: deb\n# a comment\nURIs: http://mirror.test/debian\nSuites: bookworm bookworm-updates\nComponents: main\n"
      f"Signed-By: {KEYRING}\n\nTypes: deb\nURIs: http://mirror.test/debian-security\nSuites: bookworm-security\n"
      f"Components: main\nSigned-By: {KEYRING}\n"},
     "http://mirror.test/debian", [f"Signed-By: {KEYRING}"]),
    ("one line, with options",
     {"sources.list":
      "# deb http://commented.test/debian bookworm main\n"
      "deb [arch=amd64 signed-by=/keys/debian-archive.gpg] http://mirror.test/debian/ bookworm main contrib # why\n"},
     "http://mirror.test/debian/", ["Signed-By: /keys/debian-archive.gpg"]),
    ("one line, without a keyring: Debian's",
     {"sources.list": "deb-src http://mirror.test/sources bookworm main\ndeb http://mirror.test/debian bookworm main\n"},
     "http://mirror.test/debian", DEFAULT_KEYRING),
    ("another publisher with Debian's suite and component names is not taken for Debian",
     {"sources.list.d/a.list": "deb [signed-by=/keys/other.gpg] https://other.test bookworm main\n",
      "sources.list.d/b.sources":
      "Types: deb\nURIs: https://third.test/repository\nSuites: bookworm\nComponents: main\nSigned-By: /keys/third.gpg\n",
      "sources.list": "deb http://mirror.test/debian bookworm main\n"},
     "http://mirror.test/debian", DEFAULT_KEYRING),
    ("continued and several values",
     {"sources.list.d/debian.sources":
      "Types: deb deb-src\nURIs: http://mirror.test/debian\n http://second.test/debian\nSuites: bookworm\n"
      "Components:\n main\n contrib\n"},
     "http://mirror.test/debian", DEFAULT_KEYRING),
    ("a key within the entry: Debian's keyring has the older key too",
     {"sources.list.d/debian.sources":
      "Types: deb\nURIs: http://mirror.test/debian\nSuites: bookworm\nComponents: main\nSigned-By:\n"
      " -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQ\n -----END PGP PUBLIC KEY BLOCK-----\n"},
     "http://mirror.test/debian", DEFAULT_KEYRING),
    ("a disabled entry is none",
     {"sources.list.d/debian.sources":
      "Enabled: no\nTypes: deb\nURIs: http://mirror.test/debian\nSuites: bookworm\nComponents: main\n"}, None, None),
    ("a disc is none", {"sources.list": "deb cdrom:[Debian]/ bookworm main\n"}, None, None),
    ("no entry at all", {}, None, None),
]


class Fetching(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cvg-fetch-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.apt = self.folder / "apt"
        self.apt.mkdir()
        (self.folder / "os-release").write_text('NAME="Debian"\nVERSION_CODENAME=bookworm\n')

    def run_script(self, *arguments, **environment):
        variables = {k: v for k, v in os.environ.items() if not k.startswith(("CON", "XDG"))}
        variables.update(CONVERGENCE_APT_DIRECTORY=str(self.apt), HOME=str(self.folder),
                         CONVERGENCE_OS_RELEASE=str(self.folder / "os-release"))
        return subprocess.run([str(SCRIPT), *arguments], env=variables | environment, capture_output=True, text=True,
                              check=False)

    def write_sources(self, files):
        for name, text in files.items():
            path = self.apt / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    def test_source_is_derived_from_the_machines_own(self):
        for name, files, mirror, signed_by in SOURCES:
            with self.subTest(name):
                self.setUp()
                self.write_sources(files)
                printed = self.run_script("--print-source")
                if mirror is None:
                    self.assertEqual((printed.returncode, printed.stdout), (1, ""), printed.stderr)
                else:
                    want = ["Types: deb", f"URIs: {mirror}", "Suites: bullseye", "Components: main", *signed_by]
                    self.assertEqual(printed.stdout.splitlines(), want, printed.stderr)

    def test_without_a_source_it_says_why_in_one_line(self):
        finished = self.run_script()
        self.assertEqual((finished.returncode, finished.stdout, finished.stderr),
                         (77, "", f"no consul: no Debian source entry in {self.apt} to fetch its package from\n"))

    def test_without_a_mirror_it_says_why_and_leaves_nothing_usable(self):
        self.write_sources({"sources.list": f"deb file:{self.folder}/nothing/debian bookworm main\n"})
        cache = self.folder / "cache"
        finished = self.run_script(str(cache))
        self.assertEqual((finished.returncode, finished.stdout), (77, ""))
        self.assertRegex(finished.stderr, r"\Ano consul: apt cannot fetch it: E: [^\n]*\n\Z")
        self.assertEqual([path.name for path in cache.iterdir()], ["lock"])

    def make_consul(self, path, exit_code=0):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\nexit {exit_code}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def test_the_cache_is_used_before_anything_else(self):
        consul = self.make_consul(self.folder / ".cache/convergence/consul/consul")
        finished = self.run_script()
        self.assertEqual((finished.returncode, finished.stdout), (0, f"{consul}\n"), finished.stderr)

    def test_a_cached_file_that_does_not_run_is_no_consul(self):
        self.make_consul(self.folder / "cache/consul", exit_code=1)
        self.assertEqual(self.run_script(str(self.folder / "cache")).returncode, 77)

    def test_left_overs_of_killed_runs_are_cleared(self):
        (self.folder / "cache/fetch.abcdef").mkdir(parents=True)
        self.assertEqual(self.run_script(str(self.folder / "cache")).returncode, 77)
        self.assertEqual([path.name for path in (self.folder / "cache").iterdir()], ["lock"])

    def test_consul_bin_names_another(self):
        consul = self.make_consul(self.folder / "mine")
        self.assertEqual(self.run_script(CONSUL_BIN=str(consul)).stdout, f"{consul}\n")

    def test_consul_bin_that_is_none_is_a_mistake_not_a_skip(self):
        finished = self.run_script(CONSUL_BIN=str(self.folder / "absent"))
        self.assertEqual(finished.returncode, 1)
        self.assertIn("CONSUL_BIN", finished.stderr)

    def test_no_mirror_is_written_down(self):
        self.assertNotRegex(SCRIPT.read_text(), r"https?://")


if __name__ == "__main__":
    unittest.main(verbosity=2)
