"""A real Prometheus and a real HAProxy for tests, and the program that they look at.

Each is started on a free loopback port in a folder of its own, never as a system service, is stopped by pid on leaving,
and dies with this process if that is killed first.
"""

import contextlib
import functools
import http.server
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

from consul_server import die_with

_FETCH = pathlib.Path(__file__).resolve().with_name("fetch_server.sh")
_START_PATIENCE_S = 60
_STOP_PATIENCE_S = 10
_POLL_S = 0.02
_SKIPPED = 77


class NoServer(Exception):
    """This machine can have no such server; the text says why."""


@functools.lru_cache(maxsize=None)
def server_binary(name: str) -> str:
    """CONVERGENCE_<NAME>_BIN, or what fetch_server.sh finds; raises NoServer."""
    if named := os.environ.get(f"CONVERGENCE_{name.upper()}_BIN"):
        return named
    fetched = subprocess.run([str(_FETCH), name], capture_output=True, text=True, check=False)
    if fetched.returncode == _SKIPPED:
        raise NoServer(fetched.stderr.strip())
    if fetched.returncode != 0:
        raise RuntimeError(fetched.stderr.strip())
    return fetched.stdout.strip()


class _Server:
    """A process that is ready when its port takes a request for `ready`."""

    def __init__(self, name: str, ready: str):
        self._name, self._ready = name, ready
        self._process = None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"cvg-{name}-"))
        self._reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port = self._reserved.getsockname()[1]

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list:
        raise NotImplementedError

    def start(self) -> None:
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(self.command(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                                             stderr=log, preexec_fn=die_with(os.getpid()))
        deadline = time.monotonic() + _START_PATIENCE_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self._name} does not start\n" + (self.folder / "log").read_text())
            time.sleep(_POLL_S)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + self._ready, timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self) -> None:
        """SIGTERM, then SIGKILL; its data stays."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process and self._process.poll() is None:
                self._process.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_STOP_PATIENCE_S)

    def close(self) -> None:
        self.stop()
        self._reserved.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Prometheus(_Server):
    """Scrapes `target` (host:port) each `interval` milliseconds."""

    def __init__(self, target: str, interval_ms: int):
        super().__init__("prometheus", "/-/ready")
        (self.folder / "prometheus.yml").write_text(
            f"global:\n  scrape_interval: {interval_ms}ms\n  scrape_timeout: {interval_ms}ms\n"
            f"scrape_configs:\n  - job_name: proxies\n    static_configs:\n      - targets: ['{target}']\n")

    def command(self) -> list:
        return [server_binary("prometheus"), f"--config.file={self.folder}/prometheus.yml",
                f"--storage.tsdb.path={self.folder}/data", f"--web.listen-address=127.0.0.1:{self.port}"]


class HaProxy(_Server):
    """A frontend on `port` that gives each request to the backend that its header x-backend names, and the page of its
    counters at /metrics. `backends` maps a name to host:port."""

    def __init__(self, backends: dict):
        super().__init__("haproxy", "/metrics")
        lines = ["defaults", "  mode http", "  timeout connect 5s", "  timeout client 30s", "  timeout server 30s",
                 "frontend all", f"  bind 127.0.0.1:{self.port}",
                 "  http-request use-service prometheus-exporter if { path /metrics }",
                 "  use_backend %[req.hdr(x-backend)]"]
        for name, address in backends.items():
            lines += [f"backend {name}", f"  server one {address}"]
        (self.folder / "haproxy.cfg").write_text("\n".join(lines) + "\n")

    def command(self) -> list:
        return [server_binary("haproxy"), "-db", "-f", f"{self.folder}/haproxy.cfg"]


class Program:
    """An HTTP server on loopback that answers by `answer(path, headers) -> (status, text)`."""

    def __init__(self, answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):  # noqa: N802
                status, text = answer(self.path, self.headers)
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # who asked went away

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "Program":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        return "127.0.0.1:%d" % self._server.server_address[1]
