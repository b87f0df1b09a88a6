"""A real Consul for tests in Python: the counterpart of consul_server.h, with the same behaviour.

    with ConsulServer(acl=True) as consul:
        consul.request("PUT", "/v1/kv/a", b"1")

One server, not -dev, in a temporary directory, on loopback ports that stay its own while the object is open. It is
stopped by pid on leaving, and dies with this process if that is killed first. CONVERGENCE_KEEP_CONSUL=1 keeps the
directory.
"""

import ctypes
import functools
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

_FETCH = pathlib.Path(__file__).resolve().with_name("fetch_consul.sh")
_START_PATIENCE_S = 60
_STOP_PATIENCE_S = 10
_POLL_S = 0.02
_PORT_TRIES = 5
_SKIPPED = 77
_libc = ctypes.CDLL(None)


def die_with(parent):
    """For Popen's preexec_fn: the child ends with the process that began it, however that ends."""
    def arrange():
        _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(127)

    return arrange


class NoConsul(Exception):
    """This machine can have no consul; the text says why."""


class ConsulFailed(Exception):
    """The server did not do as the fixture needs; the text ends with its log."""


@functools.lru_cache(maxsize=None)
def consul_binary() -> str:
    """CONVERGENCE_CONSUL_BIN, or what fetch_consul.sh finds; raises NoConsul."""
    if named := os.environ.get("CONVERGENCE_CONSUL_BIN"):
        return named
    if reason := os.environ.get("CONVERGENCE_NO_CONSUL"):
        raise NoConsul(reason)
    fetched = subprocess.run([str(_FETCH)], capture_output=True, text=True, check=False)
    if fetched.returncode == _SKIPPED:
        raise NoConsul(fetched.stderr.strip())
    if fetched.returncode != 0:
        raise ConsulFailed(fetched.stderr.strip())
    return fetched.stdout.strip()


def require_consul(program: str) -> None:
    """For the main of a test program: without a consul it ends here, skipped by name and reason (exit 77), or failed
    (exit 1) where CONVERGENCE_REQUIRE_CONSUL=1 says that it must be there."""
    try:
        consul_binary()
    except NoConsul as reason:
        if os.environ.get("CONVERGENCE_REQUIRE_CONSUL") == "1":
            print(f"FAILED {program}: {reason}", file=sys.stderr)
            sys.exit(1)
        print(f"SKIPPED {program}: {reason}")
        sys.exit(_SKIPPED)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Answer:
    def __init__(self, status: int, headers: dict, body: bytes):
        self.status = status
        self.headers = headers  # names in lower case
        self.body = body

    def json(self):
        return json.loads(self.body)


def _reserve_port():
    """A bound socket that never listens: nobody who asks for any port gets this one, the server still can."""
    reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved, reserved.getsockname()[1]


def _udp_port_is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class ConsulServer:
    """`extra_config` (a dict) is merged over the fixture's own settings, as consul merges its files."""

    def __init__(self, *, tls=False, verify_incoming=False, unix_socket=False, acl=False, extra_config=None):
        self._tls = tls
        self._verify_incoming = verify_incoming
        self._unix_socket = unix_socket
        self._acl = acl
        self._extra_config = extra_config
        self._process = None
        self._reserved = []
        self._http_port = self._serf_port = self._server_port = 0
        self.token = ""  # of management; empty without acl
        self.version = ""
        self.directory = None

    def __enter__(self) -> "ConsulServer":
        binary = consul_binary()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="cvg-consul-"))
        try:
            printed = self._run(binary, "version")
            self.version = re.search(r"\d+(\.\d+)+", printed).group()
            if self._tls:
                self._run(binary, "tls", "ca", "create")
                self._run(binary, "tls", "cert", "create", "-server")
                self._run(binary, "tls", "cert", "create", "-client")
            self._start_on_free_ports()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self.stop()
        self._release_ports()
        if self.directory and not os.environ.get("CONVERGENCE_KEEP_CONSUL"):
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def address(self) -> str:
        """As CONSUL_HTTP_ADDR."""
        if self._unix_socket:
            return f"unix://{self.directory}/http.sock"
        return f"{'https://' if self._tls else ''}127.0.0.1:{self._http_port}"

    @property
    def pid(self) -> int:
        """0 when not running."""
        return self._process.pid if self._process and self._process.poll() is None else 0

    @property
    def ca_file(self) -> str:
        return str(self.directory / "consul-agent-ca.pem")

    @property
    def client_cert_file(self) -> str:
        return str(self.directory / "dc1-client-consul-0.pem")

    @property
    def client_key_file(self) -> str:
        return str(self.directory / "dc1-client-consul-0-key.pem")

    def environment(self) -> dict:
        """What a child process needs to reach this server, by Consul's own variables."""
        variables = {"CONSUL_HTTP_ADDR": self.address}
        if self._acl:
            variables["CONSUL_HTTP_TOKEN"] = self.token
        if self._tls:
            variables["CONSUL_CACERT"] = self.ca_file
            variables["CONSUL_CLIENT_CERT"] = self.client_cert_file
            variables["CONSUL_CLIENT_KEY"] = self.client_key_file
        return variables

    def log(self) -> str:
        path = self.directory / "consul.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def version_at_least(self, major: int, minor: int) -> bool:
        return tuple(int(part) for part in self.version.split(".")[:2]) >= (major, minor)

    def request(self, method: str, path: str, body: bytes = b"", *, with_token=True, timeout=60.0) -> Answer:
        """One request with the right address, authority, client certificate and token."""
        headers = {"X-Consul-Token": self.token} if with_token and self.token else {}
        connection = self._connection(timeout)
        try:
            connection.request(method, path, body=body if body or method in ("PUT", "POST") else None, headers=headers)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def stop(self) -> None:
        """SIGTERM, then SIGKILL; the data stays."""
        self._signal(signal.SIGTERM)
        self.kill()

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def restart(self) -> None:
        """Same ports, same data."""
        self.stop()
        self._launch_and_wait()

    def _signal(self, number: int) -> None:
        if self.pid:
            self._process.send_signal(number)
            try:
                self._process.wait(_STOP_PATIENCE_S)
            except subprocess.TimeoutExpired:
                pass

    def _run(self, *arguments: str) -> str:
        finished = subprocess.run(arguments, cwd=self.directory, capture_output=True, text=True, check=False)
        if finished.returncode != 0:
            raise ConsulFailed(f"{' '.join(arguments)}: exit {finished.returncode}: {finished.stderr}")
        return finished.stdout

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        if self._unix_socket:
            return _UnixConnection(f"{self.directory}/http.sock", timeout)
        if self._tls:
            context = ssl.create_default_context(cafile=self.ca_file)
            context.load_cert_chain(self.client_cert_file, self.client_key_file)
            return http.client.HTTPSConnection("127.0.0.1", self._http_port, timeout=timeout, context=context)
        return http.client.HTTPConnection("127.0.0.1", self._http_port, timeout=timeout)

    def _start_on_free_ports(self) -> None:
        for attempt in range(_PORT_TRIES):
            self._reserve_ports()
            self._write_config()
            try:
                self._launch_and_wait()
                return
            except ConsulFailed:
                if "address already in use" not in self.log() or attempt == _PORT_TRIES - 1:
                    raise
                self.kill()
                shutil.rmtree(self.directory / "data", ignore_errors=True)

    def _reserve_ports(self) -> None:
        while True:
            self._release_ports()
            pairs = [_reserve_port() for _ in range(3)]
            self._reserved = [reserved for reserved, _ in pairs]
            self._http_port, self._serf_port, self._server_port = (port for _, port in pairs)
            if _udp_port_is_free(self._serf_port):
                return

    def _release_ports(self) -> None:
        for reserved in self._reserved:
            reserved.close()
        self._reserved = []

    def _settings(self) -> dict:
        ports = {
            "http": -1 if self._tls else self._http_port,
            "https": self._http_port if self._tls else -1,
            "dns": -1,
            "grpc": -1,
            "serf_lan": self._serf_port,
            "serf_wan": -1,
            "server": self._server_port,
        }
        if self.version_at_least(1, 14):
            ports["grpc_tls"] = -1
        settings = {
            "server": True,
            "bootstrap": True,
            "node_name": "fixture",
            "datacenter": "dc1",
            "data_dir": f"{self.directory}/data",
            "bind_addr": "127.0.0.1",
            "client_addr": "127.0.0.1",
            "performance": {"raft_multiplier": 1},
            "disable_update_check": True,
            "connect": {"enabled": True},
            "ports": ports,
        }
        if self._tls:
            settings["ca_file"] = self.ca_file
            settings["cert_file"] = f"{self.directory}/dc1-server-consul-0.pem"
            settings["key_file"] = f"{self.directory}/dc1-server-consul-0-key.pem"
            settings["verify_incoming_https"] = self._verify_incoming
        if self._unix_socket:
            settings["addresses"] = {"http": self.address}
        if self._acl:
            settings["acl"] = {"enabled": True, "default_policy": "deny", "enable_token_persistence": True}
        return settings

    def _write_config(self) -> None:
        folder = self.directory / "config"
        folder.mkdir(exist_ok=True)
        (folder / "10-fixture.json").write_text(json.dumps(self._settings()))
        if self._extra_config is not None:
            (folder / "20-extra.json").write_text(json.dumps(self._extra_config))

    def _launch_and_wait(self) -> None:
        with open(self.directory / "consul.log", "wb") as log:
            self._process = subprocess.Popen(
                [consul_binary(), "agent", "-config-dir", str(self.directory / "config")],
                cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with(os.getpid()))
        deadline = time.monotonic() + _START_PATIENCE_S
        while not self._is_ready():
            if not self.pid:
                raise ConsulFailed("consul ended before it was ready\n" + self.log())
            if time.monotonic() > deadline:
                raise ConsulFailed("consul did not become ready\n" + self.log())
            time.sleep(_POLL_S)

    def _is_ready(self) -> bool:
        # The leader enters itself in the catalog only when it has finished establishing itself.
        try:
            if self._acl and not self.token and not self._bootstrap_acl():
                return False
            answer = self.request("GET", "/v1/health/node/fixture")
        except (OSError, http.client.HTTPException):
            return False
        return answer.status == 200 and any(check["Status"] == "passing" for check in answer.json())

    def _bootstrap_acl(self) -> bool:
        answer = self.request("PUT", "/v1/acl/bootstrap")
        if answer.status != 200:
            return False
        self.token = answer.json()["SecretID"]
        # Without one of its own the agent cannot keep even its own node in the catalog.
        self.request("PUT", "/v1/agent/token/agent", json.dumps({"Token": self.token}).encode())
        return True
