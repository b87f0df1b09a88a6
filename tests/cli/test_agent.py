"""converge agent on a real Consul: packages installed, upgraded, put back and taken up again, as root may see them."""

import contextlib
import functools
import hashlib
import http.server
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import zipfile

from harness import ConsulServer, PROGRAMS, clean_environment, main

_PATIENCE_S = 60

_APPSPEC = """version: 0.0
os: linux
files:
  - source: app
    destination: {roots}/shop
hooks:
  ApplicationStop:
    - location: hooks/stop.sh
  ApplicationStart:
    - location: hooks/start.sh
      timeout: 30
  ValidateService:
    - location: hooks/validate.sh
"""
_CHECKS = """consul_healthchecks:
  page:
    type: http
    name: page
    url: http://127.0.0.1:${PORT}/version
    interval: 1s
"""
_START = """#!/bin/sh
cd {roots}/shop && /usr/bin/python3 -m http.server "$EM_SERVICE_PORT" --bind 127.0.0.1 >/dev/null 2>&1 &
echo $! >{roots}/pid
echo "started $EM_SERVICE_VERSION of $APPLICATION_ID"
"""
_STOP = """#!/bin/sh
pid=$(cat {roots}/pid) && kill "$pid"
while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
{slow}
"""
_GOOD = """#!/bin/sh
tries=0
until /usr/bin/python3 -c "import urllib.request as u; u.urlopen('http://127.0.0.1:$EM_SERVICE_PORT/version')" 2>/dev/null
do tries=$((tries + 1)); [ $tries -lt 100 ] || exit 1; sleep 0.1; done
"""
_BAD = "#!/bin/sh\necho 'this one is broken'\nexit 7\n"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class AgentCase(unittest.TestCase):
    def setUp(self):
        meta = {"role": "web", "environment": "pr1"}
        self.consul = self.enterContext(ConsulServer(extra_config={"node_meta": meta}))
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.roots = self.folder / "opt"
        self.roots.mkdir()
        self.port = free_port()
        self.addCleanup(self.end_app)
        self.processes = 0

    def end_app(self):
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((self.roots / "pid").read_text()), signal.SIGKILL)

    def package(self, version, validate=_GOOD, slow="", more=None):
        path = self.folder / f"shop-{version}.zip"
        files = {"appspec.yml": _APPSPEC, "healthchecks/consul/healthchecks.yml": _CHECKS, "app/version": version,
                 "hooks/start.sh": _START, "hooks/stop.sh": _STOP, "hooks/validate.sh": validate, **(more or {})}
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in files.items():
                text = text.replace("{roots}", str(self.roots)).replace("{slow}", slow)
                archive.writestr(name, text)
        return path

    def want(self, version, path, generation, **more):
        answer = self.consul.request("GET", "/v1/kv/convergence/desired/web/shop/none?raw")
        before = json.loads(answer.body) if answer.status == 200 else {}
        document = {
            "name": "shop", "version": version, "port": self.port, "generation": generation,
            "package": {"source": f"file://{path}", "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                        "size": path.stat().st_size},
            "strategy": {"health_deadline": "20s"}, **more,
        }
        if "last_good" in before:
            document["last_good"] = before["last_good"]
        self.put("/v1/kv/convergence/desired/web/shop/none", document)

    def put(self, path, document):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.assertEqual(self.consul.request("PUT", path, body).status, 200)

    def get(self, path):
        answer = self.consul.request("GET", path)
        return json.loads(answer.body) if answer.status == 200 else None

    def command(self, *words):
        return [PROGRAMS.converge, "agent", "-folder", str(self.folder / "state"), "-allow-root", str(self.roots),
                "-min-free-mb", "1", *words]

    @contextlib.contextmanager
    def agent(self, *words, role="web", **environment):
        """A running agent; its lines are in self.lines()."""
        self.processes += 1
        self.log = self.folder / f"agent-{self.processes}.log"
        command = self.command(*(["-role", role] if role else []), *words)
        with open(self.log, "wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log,
                                       env=clean_environment(**{**self.consul.environment(), **environment}))
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def lines(self):
        return self.log.read_text().splitlines()

    def wait(self, what, reached):
        """Until reached() is true; what the agent said is the message when it never is."""
        end = time.monotonic() + _PATIENCE_S
        while not reached():
            self.assertLess(time.monotonic(), end, f"{what}\n" + "\n".join(self.lines()))
            time.sleep(0.05)

    def wait_line(self, line):
        self.wait(line, lambda: line in self.lines())

    def instances(self, service="shop"):
        """[(version, {check: status})] of the catalog; the node's own checks apart."""
        rows = self.get(f"/v1/health/service/{service}")
        return [(row["Service"]["Meta"]["version"],
                 {check["CheckID"]: check["Status"] for check in row["Checks"] if check["ServiceID"]})
                for row in rows]

    def in_traffic(self, service="shop"):
        return bool(self.get(f"/v1/health/service/{service}?passing"))

    def standby(self):
        """(status, output) of the node's check, as the local agent has it."""
        check = self.get("/v1/agent/checks").get("convergence-standby")
        return check and (check["ServiceID"], check["Type"], check["Status"], check["Output"])

    def installed(self):
        return (self.roots / "shop" / "version").read_text()

    def phase(self):
        return self.get("/v1/kv/convergence/desired/web/shop/none?raw")["progress"]


class OwnDocuments(AgentCase):
    def test_install_upgrade_and_put_back(self):
        passing = {"shop:page": "passing"}
        self.want("1.0", self.package("1.0"), 1)
        with self.agent():
            self.wait_line("shop 1.0: done")
            self.wait("good", lambda: self.phase()["phase"] == "done")
            self.wait("catalog", lambda: (self.installed(), self.instances()) == ("1.0", [("1.0", passing)]))

            self.want("2.0", self.package("2.0"), 2)
            self.wait_line("shop 2.0: done")
            self.wait("good", lambda: self.phase()["phase"] == "done")
            self.wait("catalog", lambda: (self.installed(), self.instances()) == ("2.0", [("2.0", passing)]))

            # W-A9: what is broken is put back, told, and not tried again.
            self.want("3.0", self.package("3.0", validate=_BAD), 3)
            failed = "validate-service: hooks/validate.sh: exit status 7"
            self.wait_line(f"shop 3.0: failed: {failed}")
            self.wait("taken back", lambda: self.phase()["phase"] == "reverted")
            self.wait("catalog", lambda: (self.installed(), self.instances()) == ("2.0", [("2.0", passing)]))
            node = self.get("/v1/agent/self")["Config"]["NodeName"]
            self.assertEqual(self.phase()["why"], f"{node}: {failed}")
            report = self.get(f"/v1/kv/convergence/deployments/web/shop/3.0@3/nodes/{node}?raw")
            self.assertEqual((report["Status"], report["LastCompletedStage"], report["Reason"]),
                             ("Failed", "validate-service", failed))
            self.assertIn("this one is broken", report["LogTail"])

            # P-L: taken out of the catalog by somebody, it comes back with the next change that the agent hears of.
            self.put("/v1/agent/service/deregister/shop", b"")
            self.want("2.0", self.folder / "shop-2.0.zip", 4)
            self.wait("registered", lambda: self.instances() == [("2.0", passing)])

    def test_a_damaged_package_is_refused_before_anything_stops(self):
        self.want("1.0", self.package("1.0"), 1)
        with self.agent():
            self.wait_line("shop 1.0: done")
            self.wait("good", lambda: self.phase()["phase"] == "done")
            pid = (self.roots / "pid").read_text()
            # Bytes lost as by a conversion of line ends (environment-manager.md 6.1).
            path = self.package("2.0")
            path.write_bytes(path.read_bytes().replace(b"\x00\x00\x08", b"\x00\x08", 3)[:-9])
            self.want("2.0", path, 2)
            self.wait("failed", lambda: any(line.startswith("shop 2.0: failed: unpack:") for line in self.lines()))
            self.assertEqual(((self.roots / "pid").read_text(), self.installed()), (pid, "1.0"))
            self.assertNotIn("shop 2.0: stop", self.lines())

    def test_what_is_not_needed_any_more_goes(self):
        """F28, W-S15: what runs and is known to be good stays, and the youngest deployments for their logs."""
        stray = self.folder / "state" / "deployments" / "shop" / "notes.txt"
        with self.agent():
            for generation, version in enumerate(("1.0", "2.0", "3.0", "4.0", "5.0"), start=1):
                bad = version == "4.0"
                self.want(version, self.package(version, validate=_BAD if bad else _GOOD), generation)
                end = "failed: validate-service: hooks/validate.sh: exit status 7" if bad else "done"
                self.wait_line(f"shop {version}: {end}")
                self.wait("phase", lambda: self.phase()["phase"] == ("reverted" if bad else "done"))
                stray.touch()
            folder = self.folder / "state" / "deployments" / "shop"
            left = {"notes.txt", "3.0@3", "4.0@4", "5.0@5"}
            self.wait("collected", lambda: {one.name for one in folder.iterdir()} == left)
            packages = {hashlib.sha256((self.folder / f"shop-{version}.zip").read_bytes()).hexdigest()
                        for version in ("5.0", "3.0")}
            cache = self.folder / "state" / "cache" / "sha256"
            self.wait("cache", lambda: {one.name for one in cache.iterdir()} <= packages)
            # Of its trees the one that runs is left, beside the link to it.
            self.wait("trees", lambda: len([one for one in self.roots.iterdir() if one.is_dir()]) == 2)
            self.assertEqual(self.installed(), "5.0")
            self.assertIn("this one is broken", (folder / "4.0@4" / "logs" / "deployment.log").read_text())

    def test_a_folder_has_one_agent(self):
        with self.agent():
            self.wait("lock", lambda: (self.folder / "state" / "agent.json").exists() or
                      (self.folder / "state" / "lock").exists())
            first = self.log
            with self.agent() as second:
                self.assertEqual(second.wait(_PATIENCE_S), 1)
                self.assertIn(f"agent folder {self.folder}/state: another agent has it", self.log.read_text())
            self.log = first

    def test_killed_in_the_middle_the_next_process_goes_on(self):
        # W-A7, P-M: the stop hook of 1.0 takes its time, and the agent dies while it runs.
        self.want("1.0", self.package("1.0", slow="sleep 3"), 1)
        with self.agent():
            self.wait_line("shop 1.0: done")
            self.wait("good", lambda: self.phase()["phase"] == "done")
        self.want("2.0", self.package("2.0"), 2)
        with self.agent() as process:
            self.wait_line("shop 2.0: stop")
            process.kill()
            process.wait()
        with self.agent():
            self.wait_line("shop 2.0: done")
            self.wait("good", lambda: self.phase()["phase"] == "done")
        self.wait("catalog", lambda: (self.installed(), self.instances()) == ("2.0", [("2.0", {"shop:page": "passing"})]))


class Ec2Metadata(http.server.BaseHTTPRequestHandler):
    """The instance metadata service, version 2: nothing without a token that a PUT gave."""
    token = "AQAEAtoken=="
    tags = {"Environment": "pr1", "EnvironmentType": "Prod", "Role": "web", "OwningCluster": "Infra", "Tier": "front"}

    def do_PUT(self):
        self.answer(self.token if self.path == "/latest/api/token" else None)

    def do_GET(self):
        tags = "/latest/meta-data/tags/instance"
        known = {"/latest/meta-data/instance-id": "i-0abc", tags: "\n".join(self.tags),
                 **{f"{tags}/{name}": value for name, value in self.tags.items()}}
        granted = self.headers.get("X-aws-ec2-metadata-token") == self.token
        self.answer(known.get(self.path) if granted else None)

    def answer(self, text):
        body = (text or "").encode()
        self.send_response(404 if text is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Start(AgentCase):
    """environment-manager.md 2.1: who the node is, and whether it may begin."""

    def metadata(self):
        server = self.enterContext(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ec2Metadata))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        return f"127.0.0.1:{server.server_port}"

    def test_flags_over_variables_over_the_file_over_ec2(self):
        endpoint = self.metadata()
        identity = self.folder / "identity"
        identity.write_text("CONVERGENCE_ROLE=filed\nCONVERGENCE_ENVIRONMENT=filed\nCONVERGENCE_CLUSTER='Filed'\n")
        ec2 = ["-ec2", "-ec2-endpoint", endpoint]
        file = ["-identity-file", str(identity)]
        cases = [
            ("flag", ["-role", "web"], {}, "this is the local node: role web"),
            ("variables", [], {"CONVERGENCE_ROLE": "api", "CONVERGENCE_INSTANCE": "n1"}, "this is n1: role api"),
            ("flag over variable", ["-role", "web"], {"CONVERGENCE_ROLE": "api"}, "this is the local node: role web"),
            ("file", file, {}, "this is the local node: role filed, environment filed, cluster Filed"),
            ("variable over file", file, {"CONVERGENCE_ROLE": "api"},
             "this is the local node: role api, environment filed, cluster Filed"),
            ("ec2", ec2, {}, "this is i-0abc: role web, environment pr1, environment type Prod, cluster Infra"),
            ("file over ec2", [*file, *ec2], {},
             "this is i-0abc: role filed, environment filed, environment type Prod, cluster Filed"),
            ("environment manager", [*ec2, "-environment-manager", "-environment-type", "Test", "-cluster", "Mine"], {},
             "this is i-0abc: role web, environment pr1, environment type Test, cluster Mine"),
        ]
        for name, words, variables, line in cases:
            with self.subTest(name), self.agent(*words, role=None, **variables):
                self.wait("identity", self.lines)
                self.assertEqual(self.lines()[0], line)

    def test_a_part_that_is_missing_is_refused_by_its_name(self):
        nobody = ["-ec2", "-ec2-endpoint", "127.0.0.1:1"]
        role = "identity: no role: give --role or CONVERGENCE_ROLE"
        environment = "no environment: give --environment or CONVERGENCE_ENVIRONMENT"
        instance = "no instance: give --instance or CONVERGENCE_INSTANCE"
        cases = [
            ("nothing", [], 2, role),
            ("environment manager's", ["-role", "web", "-environment-manager"], 2,
             f"identity: {environment}; {instance}"),
            ("reports need an instance", ["-role", "web", "-environment", "pr1"], 2, f"identity: {instance}"),
            ("no EC2 instance", ["-role", "web", *nobody], 2, f"identity: {instance}; EC2 was asked: EC2 metadata"),
            ("no tags to be had", ["-role", "web", "-instance", "i-1", *nobody], 1, "EC2 metadata: PUT /latest/api/token"),
            ("no such file", ["-identity-file", str(self.folder / "none")], 2, str(self.folder / "none")),
            ("endpoint alone", ["-role", "web", "-ec2-endpoint", "x"], 2, "-ec2-endpoint: says nothing without -ec2"),
            ("late", ["-role", "web", "-readiness-late", "never"], 2, "-readiness-late=never: is neither stop nor go"),
            ("no readiness file", ["-role", "web", "-readiness-late", "go"], 2, "say nothing without -readiness-file"),
        ]
        for name, words, code, problem in cases:
            with self.subTest(name):
                done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=_PATIENCE_S,
                                      env=clean_environment(**self.consul.environment()))
                self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
                self.assertIn(problem, done.stderr)

    def test_it_begins_when_the_node_is_ready(self):
        self.want("1.0", self.package("1.0"), 1)
        semaphore = self.folder / "ready"
        semaphore.write_text("not yet\n")
        with self.agent("-readiness-file", str(semaphore)) as process:
            waits = f"waits for {semaphore} to say ok, 1800 s more: it says something else"
            self.wait_line(waits)
            self.assertEqual(self.lines(), ["this is the local node: role web", waits])
            self.assertIsNone(process.poll())
            semaphore.write_text(" OK\n")
            self.wait_line("shop 1.0: done")
            self.assertEqual(self.lines()[2], f"{semaphore}: ok, the node is ready")

    def test_too_late_it_stops_or_goes_on_as_was_said(self):
        self.want("1.0", self.package("1.0"), 1)
        semaphore = self.folder / "ready"
        late = f"{semaphore}: did not say ok in time: it is not there"
        words = ["-readiness-file", str(semaphore), "-readiness-deadline", "100ms"]
        with self.agent(*words) as process:
            self.assertEqual(process.wait(_PATIENCE_S), 1)
            self.assertEqual(self.lines()[-1], f"converge: {late}")
        self.assertEqual(self.instances(), [])
        with self.agent(*words, "-readiness-late", "go"):
            self.wait_line(f"{late}; goes on without")
            self.wait_line("shop 1.0: done")

    def test_a_signal_ends_the_wait(self):
        with self.agent("-readiness-file", str(self.folder / "ready")) as process:
            self.wait("waits", lambda: len(self.lines()) == 2)
            process.terminate()
            self.assertEqual(process.wait(_PATIENCE_S), 0)


class Standby(AgentCase):
    """K7, W-A19, W-A33: a key takes the node out of traffic; deployments go on."""

    def check(self, reason, key):
        output = f"{reason} ({key})" if reason else f"in service: {key} says nothing"
        return ("", "ttl", "critical" if reason else "passing", output)

    def test_only_traffic_leaves(self):
        key = f"convergence/nodes/{self.get('/v1/agent/self')['Config']['NodeName']}/maintenance"
        self.want("1.0", self.package("1.0"), 1)
        with self.agent() as process:
            self.wait_line("shop 1.0: done")
            self.wait("traffic", self.in_traffic)
            self.put(f"/v1/kv/{key}", b"new disk\n")
            self.wait_line("in standby, no traffic: new disk")
            self.wait("no traffic", lambda: not self.in_traffic())
            self.assertEqual(self.standby(), self.check("new disk", key))
            self.want("2.0", self.package("2.0"), 2)
            self.wait_line("shop 2.0: done")
            self.wait("catalog", lambda: self.instances() == [("2.0", {"shop:page": "passing"})])
            self.assertEqual(self.installed(), "2.0")
            self.assertFalse(self.in_traffic())
            # The next process knows it before anything else is said, and a clean end leaves it so.
            process.terminate()
            self.assertEqual(process.wait(_PATIENCE_S), 0)
        self.assertEqual(self.standby(), self.check("new disk", key))
        with self.agent() as process:
            self.wait_line("in standby, no traffic: new disk")
            self.put(f"/v1/kv/{key}", b"")
            self.wait_line("in service again")
            self.wait("traffic", self.in_traffic)
            process.terminate()
            self.assertEqual(process.wait(_PATIENCE_S), 0)
        self.assertIsNone(self.standby())

    def test_environment_managers_key(self):
        with self.agent("-environment", "pr1", "-instance", "i-1"):
            self.wait("registered", lambda: self.standby() == self.check("", "nodes/i-1/cold-standby"))
            self.put("/v1/kv/nodes/i-1/cold-standby", b"In Maintenance")
            self.wait("standby", lambda: self.standby() == self.check("In Maintenance", "nodes/i-1/cold-standby"))
            self.put("/v1/agent/check/deregister/convergence-standby", b"")
            self.put("/v1/kv/nodes/i-1/cold-standby", b"")
            self.wait("registered again", lambda: self.standby() == self.check("", "nodes/i-1/cold-standby"))

    def test_it_can_be_left_out(self):
        self.want("1.0", self.package("1.0"), 1)
        with self.agent("-no-standby"):
            self.wait_line("shop 1.0: done")
            self.assertIsNone(self.standby())


_SENSU = """sensu_healthchecks:
  {id}:
    type: http
    name: {id}
    url: http://127.0.0.1:${PORT}/version
    interval: 30
  own:
    type: script
    name: own
    script: look.sh
    script_arguments: --deep
    interval: 60
"""


class Sensu(AgentCase):
    """environment-manager.md 6.6: files for Sensu come and go with the version that they speak of."""

    def sensu_package(self, version, check, **how):
        text = check if check.startswith("sensu") else _SENSU.replace("{id}", check)
        return self.package(version, more={"healthchecks/sensu/healthchecks.yml": text,
                                           "healthchecks/sensu/look.sh": "#!/bin/sh\n"}, **how)

    def files(self):
        return {path.name: json.loads(path.read_text())["checks"] for path in self.sensu.glob("*.json")}

    def expected(self, deployment, check):
        def row(command, interval):
            return {"command": command, "interval": interval, "handlers": ["default"], "subscribers": ["sensu-base"],
                    "alert_after": 600, "realert_every": 0, "occurrences": 5, "timeout": 120, "standalone": True,
                    "aggregate": False, "page": False, "ticket": False, "project": False, "runbook": None, "tip": None,
                    "sla": None, "file": None, "team": "infra", "notification_email": "undef",
                    "slack_channel": "undef"}
        archive = self.folder / "state" / "deployments" / "shop" / deployment / "archive"
        return {
            f"shop-{check}-none.json":
                {f"shop-{check}": row(f"{self.plugins}/check-http.rb -u http://127.0.0.1:{self.port}/version", 30)},
            "shop-own-none.json": {"shop-own": row(f"{archive}/healthchecks/sensu/look.sh --deep", 60)}}

    def test_they_come_and_go_with_the_version(self):
        self.sensu, self.plugins = self.folder / "checks.local", self.folder / "plugins"
        self.sensu.mkdir()
        self.plugins.mkdir()
        (self.plugins / "check-http.rb").write_text("#!/bin/sh\n")
        (self.plugins / "check-http.rb").chmod(0o755)
        self.want("1.0", self.sensu_package("1.0", "first"), 1)
        with self.agent("-sensu-folder", str(self.sensu), "-sensu-plugins", str(self.plugins), "-cluster", "Infra"):
            self.wait_line("shop 1.0: done")
            self.wait("sensu", lambda: self.files() == self.expected("1.0@1", "first"))
            self.want("2.0", self.sensu_package("2.0", "second"), 2)
            self.wait_line("shop 2.0: done")
            self.wait("good", lambda: self.phase()["phase"] == "done")
            self.wait("sensu", lambda: self.files() == self.expected("2.0@2", "second"))
            # W-A20: a document that is damaged is refused while all of the old version stands.
            self.want("3.0", self.sensu_package("3.0", "sensu_healthchecks:\n  third: {type: http, name: third}\n"), 3)
            self.wait("failed", lambda: any(line.startswith("shop 3.0: failed: check-package:") for line in self.lines()))
            self.assertNotIn("shop 3.0: stop", self.lines())
            self.wait("sensu", lambda: self.files() == self.expected("2.0@2", "second"))
            # What cannot be written fails the version, and what ran is put back: the file's name is a folder's.
            (self.sensu / "shop-fourth-none.json").mkdir()
            (self.sensu / "shop-fourth-none.json" / "theirs").touch()
            self.want("4.0", self.sensu_package("4.0", "fourth"), 4)
            self.wait("failed", lambda: any(line.startswith("shop 4.0: failed: register:") for line in self.lines()))
            self.wait("catalog", lambda: self.instances() == [("2.0", {"shop:page": "passing"})])
            self.assertEqual(self.installed(), "2.0")
            (self.sensu / "shop-fourth-none.json" / "theirs").unlink()
            (self.sensu / "shop-fourth-none.json").rmdir()
            self.wait("sensu", lambda: self.files() == self.expected("2.0@2", "second"))
            self.want("2.0", self.folder / "shop-2.0.zip", 5, action="uninstall")
            self.wait("gone", lambda: not list(self.sensu.iterdir()))


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class EnvironmentManager(AgentCase):
    def test_a_node_converges_from_environment_managers_own_keys(self):
        """environment-manager.md 1.7: K1, K2 and K3 as their deployment writes them; packages from an object store."""
        store = self.folder / "store"
        (store / "tl-deployment" / "pr1" / "shop").mkdir(parents=True)
        self.package("1.2.3").rename(store / "tl-deployment" / "pr1" / "shop" / "shop-1.2.3.zip")
        handler = functools.partial(Quiet, directory=str(store))
        server = self.enterContext(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        version = "/v1/kv/environments/pr1/services/shop/1.2.3"
        with self.agent("-environment", "pr1", "-instance", "i-1", "-s3-endpoint",
                        f"http://127.0.0.1:{server.server_port}"):
            # W-A4: the pointer first, and what it points to later, as their parallel writes may have it.
            self.put("/v1/kv/environments/pr1/roles/web/services/shop/none",
                     {"Name": "shop", "Version": "1.2.3", "Slice": "none", "DeploymentId": "d-1", "InstanceIds": [],
                      "Action": "Install"})
            self.put(f"{version}/definition",
                     {"Service": {"Name": "pr1-shop", "ID": "pr1-shop", "Address": "",
                                  "Ports": {"blue": self.port, "green": 0},
                                  "Tags": ["environment_type:Prod", "environment:pr1", "version:1.2.3"]}})
            self.put(f"{version}/installation",
                     {"PackageBucket": "tl-deployment", "PackageKey": "pr1/shop/shop-1.2.3.zip", "InstallationTimeout": 20})
            self.wait("report", lambda: (self.get("/v1/kv/deployments/d-1/nodes/i-1?raw") or {}).get("Status") == "Success")
            report = self.get("/v1/kv/deployments/d-1/nodes/i-1?raw")
            self.assertEqual((report["Cause"], report["LastCompletedStage"], report["NumberOfAttempts"]),
                             ("Deployment", "Complete", 1))
            service = self.get("/v1/agent/services")["pr1-shop"]
            self.assertEqual((service["Service"], service["Port"]), ("pr1-shop", self.port))
            self.assertEqual(sorted(service["Tags"]),
                             ["deployment_id:d-1", "environment:pr1", "environment_type:Prod", "server_role:web",
                              "slice:none", "version:1.2.3"])
            # The catalog hears of it from the local agent, a moment later.
            passing = [("1.2.3", {"pr1-shop:page": "passing"})]
            self.wait("catalog", lambda: self.instances("pr1-shop") == passing)


if __name__ == "__main__":
    main()
