"""converge agent with hooks that hang, fork, flood and leave children behind: the node goes on with what ran."""

import contextlib
import json
import os
import pathlib
import signal
import unittest

from harness import main
from test_agent import AgentCase

_HOOKS = """version: 0.0
os: linux
files:
  - source: app
    destination: {roots}/shop
hooks:
  ApplicationStop:
    - location: hooks/stop.sh
  BeforeInstall:
    - location: hooks/first.sh
    - location: hooks/second.sh
  AfterInstall:
    - location: hooks/second.sh
    - location: hooks/first.sh
  ApplicationStart:
    - location: hooks/start.sh
  ValidateService:
    - location: hooks/try.sh
      timeout: {timeout}
    - location: hooks/validate.sh
"""
_NOTE = '#!/bin/sh\necho "$LIFECYCLE_EVENT $0 of $EM_SERVICE_VERSION" >>{roots}/order\n'
_FINE = "#!/bin/sh\n"
# Children in sessions of their own that end for no signal but KILL, by a name that nobody else has.
_CHILDREN = """#!/bin/sh
for i in 1 2 3 4 5 6 7 8 9 10; do
  setsid sh -c 'trap "" TERM HUP; while :; do sleep 0.2; done' {mark} >/dev/null 2>&1 &
done
"""
_HANG = _CHILDREN + "trap '' TERM\necho 'waits for ever'\nwhile :; do sleep 0.2; done\n"
_FORK = _CHILDREN + "exit 3\n"
_FLOOD = "#!/bin/sh\nhead -c 60000000 /dev/zero | tr '\\0' 'x'\nyes 'and so on' | head -c 1000000\nexit 4\n"
_PATIENT = "#!/bin/sh\nuntil [ -e {roots}/go ]; do sleep 0.05; done\n"


class Hooks(AgentCase):
    def setUp(self):
        super().setUp()
        self.mark = f"left-behind-{self.port}"
        self.addCleanup(self.end_children)

    def hooked(self, version, hook, timeout=60, first=_NOTE):
        more = {"appspec.yml": _HOOKS.replace("{timeout}", str(timeout)), "hooks/first.sh": first,
                "hooks/second.sh": _NOTE, "hooks/try.sh": hook.replace("{mark}", self.mark)}
        return self.package(version, more=more)

    def children(self):
        """Processes that carry our mark."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and self.mark.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found

    def end_children(self):
        for pid in self.children():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def order(self):
        lines = (self.roots / "order").read_text().splitlines()
        return [(event, pathlib.Path(program).name, version) for event, program, _, version in map(str.split, lines)]

    def failure(self, version):
        start = f"shop {version}: failed: "
        return next((line.removeprefix(start) for line in self.lines() if line.startswith(start)), None)

    def goes_back(self, version, generation, path):
        """The version fails, 1.0 runs and has traffic again; why it failed."""
        self.want(version, path, generation)
        self.wait(f"{version} fails", lambda: self.failure(version))
        self.wait("taken back", lambda: self.phase()["phase"] == "reverted")
        self.wait("catalog", lambda: self.instances() == [("1.0", {"shop:page": "passing"})])
        self.assertEqual(self.installed(), "1.0")
        self.wait("children", lambda: not self.children())
        return self.failure(version)

    def report(self, deployment):
        node = self.get("/v1/agent/self")["Config"]["NodeName"]
        return self.get(f"/v1/kv/convergence/deployments/web/shop/{deployment}/nodes/{node}?raw")

    def begin(self):
        self.want("1.0", self.hooked("1.0", _FINE), 1)
        self.wait_line("shop 1.0: done")
        self.wait("good", lambda: self.phase()["phase"] == "done")
        self.wait("catalog", lambda: self.instances() == [("1.0", {"shop:page": "passing"})])

    def test_several_entries_of_one_event_all_run_in_their_order(self):
        """W-A31."""
        def both(version):
            return [("BeforeInstall", "first.sh", version), ("BeforeInstall", "second.sh", version),
                    ("AfterInstall", "second.sh", version), ("AfterInstall", "first.sh", version)]
        with self.agent():
            self.begin()
            self.assertEqual(self.order(), both("1.0"))
            # After one that fails no other runs.
            why = self.goes_back("2.0", 2, self.hooked("2.0", _FINE, first="#!/bin/sh\nexit 9\n"))
            self.assertEqual(why, "before-install: hooks/first.sh: exit status 9")
            self.assertEqual(self.order(), both("1.0"))

    def test_a_hook_that_hangs_is_ended_with_all_it_began_and_the_agent_hears_meanwhile(self):
        key = f"convergence/nodes/{self.get('/v1/agent/self')['Config']['NodeName']}/maintenance"
        with self.agent():
            self.begin()
            # As long as it waits, the agent hears what else is said.
            self.want("2.0", self.hooked("2.0", _PATIENT), 2)
            self.wait_line("shop 2.0: validate-service")
            self.put(f"/v1/kv/{key}", b"new disk")
            self.wait_line("in standby, no traffic: new disk")
            self.put(f"/v1/kv/{key}", b"")
            self.wait_line("in service again")
            self.assertNotIn("shop 2.0: done", self.lines())
            (self.roots / "go").touch()
            self.wait_line("shop 2.0: done")
            self.wait("good", lambda: self.phase()["phase"] == "done")
            self.want("1.0", self.folder / "shop-1.0.zip", 3)
            self.wait("again", lambda: self.lines().count("shop 1.0: done") == 2)
            self.wait("good", lambda: self.phase()["phase"] == "done")
            why = self.goes_back("3.0", 4, self.hooked("3.0", _HANG, timeout=1))
            self.assertEqual(why, "validate-service: hooks/try.sh: ended by its time-out")
            self.assertIn("waits for ever", self.report("3.0@4")["LogTail"])

    def test_a_hook_that_fails_takes_its_children_with_it(self):
        with self.agent():
            self.begin()
            why = self.goes_back("2.0", 2, self.hooked("2.0", _FORK))
            self.assertRegex(why, r"^validate-service: hooks/try\.sh: exit status 3; \d+ left behind were ended$")
            # Of one that succeeds they are the service's own, and stay.
            self.want("3.0", self.hooked("3.0", _CHILDREN), 3)
            self.wait_line("shop 3.0: done")
            self.assertEqual(len(self.children()), 10)

    def test_a_hook_that_floods_fills_no_disk(self):
        with self.agent():
            self.begin()
            why = self.goes_back("2.0", 2, self.hooked("2.0", _FLOOD))
            self.assertEqual(why, "validate-service: hooks/try.sh: exit status 4")
            logs = self.folder / "state" / "deployments" / "shop" / "2.0@2" / "logs"
            sizes = {path.name: path.stat().st_size for path in logs.iterdir()}
            self.assertEqual(set(sizes), {"deployment.log", "deployment.log.1"})
            self.assertLess(sum(sizes.values()), 3 * 8 * 1024 * 1024)
            report = self.report("2.0@2")
            self.assertIn("[more than 16777216 bytes of output; the rest is left out]", report["LogTail"])
            self.assertLess(len(json.dumps(report)), 64 * 1024)


if __name__ == "__main__":
    main()
