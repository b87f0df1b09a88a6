"""What the tests of the converge command share: the real Consul, running the command, its answers with the numbers masked
that differ from run to run."""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from documents import ENTRIES

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from consul_server import ConsulServer, NoConsul, consul_binary  # noqa: E402,F401

_SKIPPED = 77


def parse_programs():
    """Takes our own arguments off the command line and leaves unittest's."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--converge", required=True)
    parser.add_argument("--demo", required=True)
    programs, rest = parser.parse_known_args()
    sys.argv[1:] = rest
    return programs


PROGRAMS = parse_programs()


def clean_environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CONSUL_")}
    return {**kept, "USER": "tester", **more}


class Finished:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def document(self):
        """What --json printed: one document and nothing else, with masked indexes."""
        return masked(json.loads(self.out))


def masked(value):
    """Raft indexes and times differ from run to run; that they are there does not."""
    changing = {"CreateIndex", "ModifyIndex", "cas_index", "catalog_index", "index"}
    if isinstance(value, dict):
        return {key: "#" if key in changing and item else masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value


class Commands:
    """Runs the command; of a test case with a Consul of its own."""

    def converge(self, *words, **environment):
        done = subprocess.run([PROGRAMS.converge, *map(str, words)], capture_output=True, text=True, timeout=120,
                              env=clean_environment(**{**self.consul.environment(), **environment}))
        return Finished(done.returncode, done.stdout, done.stderr)

    def says(self, *words, code=0):
        """Its lines: what it says, or when it should fail what it complains of."""
        done = self.converge(*words)
        self.assertEqual(done.code, code, done.out + done.err)
        return (done.out if code == 0 else done.err).splitlines()

    def tells(self, *words, code=0):
        """Its document."""
        done = self.converge(*words, "--json")
        self.assertEqual(done.code, code, done.out + done.err)
        return json.loads(done.out)


class ConsulCase(Commands, unittest.TestCase):
    """Each test has a real Consul of its own, so that its answers can be compared whole."""

    def setUp(self):
        self.consul = self.enterContext(ConsulServer())
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def command(self, *words):
        return [PROGRAMS.converge, *map(str, words)]

    def environment(self, **more):
        return clean_environment(**self.consul.environment(), **more)

    def write(self, name, document):
        path = self.folder / name
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return path

    def put(self, path, document):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        answer = self.consul.request("PUT", path, body)
        self.assertEqual(answer.status, 200, answer.body)

    def get(self, path):
        answer = self.consul.request("GET", path)
        self.assertEqual(answer.status, 200, answer.body)
        return json.loads(answer.body)

    def register_node(self, name, role):
        self.put("/v1/catalog/register", {"Node": name, "Address": "10.0.0.1", "NodeMeta": {"role": role}})

    def register_api(self, node, version):
        self.put("/v1/catalog/register", {"Node": node, "Address": "10.0.0.1", "Service": {
            "ID": "api", "Service": "api", "Port": 80, "Meta": {"version": version}}})

    def set_up_api(self):
        """Version 1 and version 2 of api, one instance each, and its entries."""
        self.register_api("n1", "1")
        self.register_api("n2", "2")
        for entry in ENTRIES:
            self.put("/v1/config", entry)


def nobody_listens():
    """An address where nothing answers."""
    return "127.0.0.1:1"


def main():
    """unittest's main, but a machine that can have no Consul is status 77, and one line that says why."""
    try:
        with ConsulServer():
            pass
    except NoConsul as reason:
        print(f"SKIPPED {pathlib.Path(sys.argv[0]).stem}: {reason}")
        sys.exit(1 if os.environ.get("CONVERGENCE_REQUIRE_CONSUL") else _SKIPPED)
    unittest.main(verbosity=2)
