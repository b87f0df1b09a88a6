"""converge agent on a disk that is full: the old version runs on, and what is said names the place and the remedy.

The agent's folder is a small file system of its own, in a mount namespace. Where none can be made, the kernel refuses
files beyond a size instead; the cases are then those that a large file can bring about.
"""

import contextlib
import hashlib
import os
import pathlib
import random
import subprocess
import unittest
import zipfile

from harness import main
from test_agent import AgentCase

_SIZE = 6 << 20
_LIMIT = 3 << 20  # of one file, where there is no file system of our own

_FULL = "No space left on device; free some space there"
_TOO_LARGE = "File too large; raise the limits of the agent's process"

# Fills what is left of the disk, says more than a log may hold, and fails.
_GREEDY = """#!/bin/sh
{fill}
head -c 20000000 /dev/zero | tr '\\0' 'x'
exit 5
"""


class SmallDisk:
    """A file system of _SIZE bytes at `folder`, seen by what is run in it; or a limit on the size of files."""

    def __init__(self, folder):
        self._folder = folder
        self._holder = None
        self._enter = []
        script = f"mount -t tmpfs -o size={_SIZE} none {folder} && echo ready && exec cat"
        for flags, enter in ((["-m"], ["-m"]), (["-U", "-r", "-m"], ["-U", "-m", "--preserve-credentials"])):
            holder = subprocess.Popen(["unshare", *flags, "sh", "-c", script], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            if holder.stdout.readline() == b"ready\n":
                self._holder = holder
                self._enter = ["nsenter", "-t", str(holder.pid), *enter, "--"]
                break
            self._end(holder)

    @property
    def is_full_at_its_end(self):
        return self._holder is not None

    def close(self):
        if self._holder:
            self._end(self._holder)

    @staticmethod
    def _end(holder):
        holder.stdin.close()
        holder.kill()
        holder.wait()
        holder.stdout.close()

    def command(self, words):
        if self._holder:
            return [*self._enter, *words]
        # dash counts in blocks of 512 bytes; a signal that is ignored stays so.
        return ["sh", "-c", f"ulimit -f {_LIMIT // 512}; trap '' XFSZ; exec \"$@\"", "sh", *words]

    def path(self, *parts):
        """As seen from outside."""
        root = pathlib.Path(f"/proc/{self._holder.pid}/root" if self._holder else "/")
        return root.joinpath(str(self._folder).lstrip("/"), *parts)

    def fill(self):
        with open(self.path("filler"), "wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(4096))


class Disk(AgentCase):
    def setUp(self):
        super().setUp()
        state = self.folder / "state"
        state.mkdir()
        self.disk = SmallDisk(state)
        self.addCleanup(self.disk.close)
        self.reason = _FULL if self.disk.is_full_at_its_end else _TOO_LARGE

    def command(self, *words):
        plain = super().command(*words)
        return self.disk.command([os.path.abspath(plain[0]), *plain[1:]])

    def failure(self, version):
        start = f"shop {version}: failed: "
        return next((line.removeprefix(start) for line in self.lines() if line.startswith(start)), None)

    def works(self, version, generation, path=None):
        self.want(version, path or self.package(version), generation)
        self.wait_line(f"shop {version}: done")
        self.wait("good", lambda: self.phase()["phase"] == "done")
        self.runs(version)

    def runs(self, version):
        self.wait("catalog", lambda: self.instances() == [(version, {"shop:page": "passing"})])
        self.assertEqual(self.installed(), version)

    def leaves_what_runs(self, version, generation, path, stage, pattern):
        """The version fails at that stage, before anything is touched; and what it wrote is gone."""
        pid, before = (self.roots / "pid").read_text(), self.installed()
        self.want(version, path, generation)
        self.wait(f"{version} fails", lambda: self.failure(version))
        self.assertRegex(self.failure(version), f"^{stage}: {pattern}$")
        self.wait("taken back", lambda: self.phase()["phase"] == "reverted")
        self.runs(before)
        self.assertEqual((self.roots / "pid").read_text(), pid)
        self.assertNotIn(f"shop {version}: stop", self.lines())

    def squeezed(self, version, text):
        """A package that is small as long as it is packed."""
        path = self.package(version, more={"app/big": text})
        with zipfile.ZipFile(path) as plain:
            files = {name: plain.read(name) for name in plain.namelist()}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in files.items():
                packed.writestr(name, content)
        self.assertLess(path.stat().st_size, _LIMIT)
        return path

    def test_every_stage_that_writes(self):
        state = self.folder / "state"
        digits = random.Random(4)
        journal = ["-journal", str(state / "journal"), "-journal-max-mb", "1"]
        with self.agent(*journal):
            self.works("1.0", 1)
            big = "".join(digits.choices("0123456789abcdef", k=9 << 20))
            large = self.package("2.0", more={"app/big": big})
            digest = hashlib.sha256(large.read_bytes()).hexdigest()
            self.leaves_what_runs("2.0", 2, large, "fetch", f"writing {state}/cache/.*{digest}.*: {self.reason}")
            self.leaves_what_runs("3.0", 3, self.squeezed("3.0", big[:5 << 20]), "unpack",
                                  f"writing {state}/deployments/shop/3.0@3/archive/app/big: {self.reason}")
            self.works("4.0", 4)  # there is room again

            fill = f"cat /dev/zero >{state}/filler 2>/dev/null" if self.disk.is_full_at_its_end else ":"
            greedy = self.package("5.0", validate=_GREEDY.replace("{fill}", fill))
            self.want("5.0", greedy, 5)
            self.wait("5.0 fails", lambda: self.failure("5.0"))
            log = f"{state}/deployments/shop/5.0@5/logs/deployment.log"
            self.assertEqual(self.failure("5.0"), "validate-service: hooks/validate.sh: exit status 5; "
                                                  f"its log is cut: writing {log}: {self.reason}")
            # The way back is remembered where there is no room left but the agent's own.
            self.wait("taken back", lambda: self.phase()["phase"] == "reverted")
            self.runs("4.0")
            if self.disk.is_full_at_its_end:
                self.assertIn(f"journal: writing {state}/journal: {_FULL}", self.lines())
                self.want("6.0", self.package("6.0"), 6)
                waits = "bytes of disk are free, 1000000 have to stay so"
                self.wait("waits", lambda: any(line.startswith("shop: waits: ") and line.endswith(waits)
                                               for line in self.lines()))
                self.runs("4.0")
        # Killed and begun again on the full disk, and then there is room.
        with self.agent(*journal):
            if self.disk.is_full_at_its_end:
                self.wait("waits", lambda: any(line.endswith(waits) for line in self.lines()))
                self.runs("4.0")
                self.disk.path("filler").unlink()
                self.wait_line("shop 6.0: done")
                self.runs("6.0")
            self.works("7.0", 7)

    def test_a_disk_that_was_full_before_the_agent(self):
        if not self.disk.is_full_at_its_end:
            return  # no limit on one file's size is a full disk; the case above is
        self.disk.fill()
        self.want("1.0", self.package("1.0"), 1)
        with self.agent() as process:
            self.assertEqual(process.wait(60), 1)
            self.assertRegex(self.lines()[-1], f"{self.folder}/state.*: {_FULL}$")
        self.disk.path("filler").unlink()
        with self.agent():
            self.works("1.0", 1)


if __name__ == "__main__":
    main()
