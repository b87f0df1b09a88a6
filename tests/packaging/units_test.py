"""The systemd units of examples/systemd: systemd takes them, and what they tell the agent is what it knows."""

import argparse
import configparser
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

parser = argparse.ArgumentParser()
parser.add_argument("--source", required=True, type=pathlib.Path)
parser.add_argument("--converge", required=True)
ARGUMENTS, sys.argv[1:] = parser.parse_known_args()
UNITS = ARGUMENTS.source / "examples" / "systemd"


class Unit(configparser.RawConfigParser):
    """As far as our units go: no line goes on, and no name stands twice but Environment's."""

    def __init__(self, path):
        super().__init__(strict=True, delimiters=("=",), comment_prefixes=("#",))
        self.optionxform = str
        self.read_string(path.read_text())


def variables(path):
    lines = [line.strip() for line in path.read_text().splitlines()]
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


class Units(unittest.TestCase):
    def test_systemd_takes_them(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("there is no systemd-analyze")
        with tempfile.TemporaryDirectory() as folder:
            for path in UNITS.iterdir():
                text = path.read_text().replace("/usr/bin/converge ", f"{ARGUMENTS.converge} ")
                (pathlib.Path(folder) / path.name).write_text(text)
            units = sorted(str(path) for path in pathlib.Path(folder).iterdir() if path.suffix != ".env")
            done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60)
            ours = [line for line in done.stderr.splitlines() if folder in line or "convergence" in line]
            self.assertEqual((done.returncode, ours), (0, []))

    def test_every_unit_can_be_read(self):
        sections = {path.name: Unit(path).sections() for path in UNITS.iterdir() if path.suffix != ".env"}
        self.assertEqual(sections, {
            "convergence-agent.service": ["Unit", "Service", "Install"],
            "convergence-sensu.path": ["Unit", "Path", "Install"],
            "convergence-sensu.service": ["Unit", "Service"],
        })

    def test_what_a_deployment_needs_is_let_be(self):
        service = Unit(UNITS / "convergence-agent.service")["Service"]
        # Services that hooks have started outlive the agent; usage errors are not tried for ever, all else is.
        self.assertEqual((service["KillMode"], service["Restart"], service["RestartPreventExitStatus"]),
                         ("process", "always", "2"))
        # /etc, /opt, /srv and /var can be written, users changed, and /tmp is everybody's.
        self.assertEqual(service["ProtectSystem"], "true")
        for name in ("NoNewPrivileges", "PrivateTmp", "PrivateUsers", "RestrictSUIDSGID", "User", "DynamicUser"):
            self.assertNotIn(name, service)
        dropped = service["CapabilityBoundingSet"]
        self.assertTrue(dropped.startswith("~"))
        for name in ("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETUID", "CAP_SETGID", "CAP_KILL",
                     "CAP_SYS_PTRACE", "CAP_NET_BIND_SERVICE"):
            self.assertNotIn(name, dropped)

    def test_the_agent_knows_its_flags_and_variables(self):
        unit = Unit(UNITS / "convergence-agent.service")["Service"]
        environment = variables(UNITS / "agent.env")
        usage = subprocess.run([ARGUMENTS.converge, "agent", "--help"], capture_output=True, text=True, timeout=60)
        known = set(re.findall(r"^  --([a-z0-9-]+)", usage.stdout, re.MULTILINE))
        words = f"{unit['ExecStart']} {environment['AGENT_FLAGS']}".split()
        flags = {word.lstrip("-") for word in words if word.startswith("-")}
        self.assertEqual(flags - known, set())
        self.assertLessEqual({"folder", "journal", "sensu-folder"}, flags)
        named = re.findall(r"^#?([A-Z0-9_]+)=", (UNITS / "agent.env").read_text(), re.MULTILINE)
        documented = (ARGUMENTS.source / "docs" / "deployment.md").read_text() + usage.stdout
        for name in named:
            self.assertTrue(name == "AGENT_FLAGS" or name.startswith("AWS_") or name in documented, name)
        checks = Unit(UNITS / "convergence-sensu.path")["Path"]["PathChanged"]
        self.assertIn(f"-sensu-folder {checks}", environment["AGENT_FLAGS"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
