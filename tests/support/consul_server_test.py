"""The Python fixture itself: each kind of server is what it says it is."""

import http.client
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import consul_server  # noqa: E402
from consul_server import ConsulFailed, ConsulServer  # noqa: E402


def is_running(pid: int) -> bool:
    try:
        return ") Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


class Servers(unittest.TestCase):
    def test_plain_server_keeps_its_data_and_ends_with_the_block(self):
        with ConsulServer() as consul:
            self.assertRegex(consul.address, r"^127\.0\.0\.1:\d+$")
            self.assertEqual(consul.token, "")
            self.assertTrue(consul.version_at_least(1, 8))
            self.assertEqual(consul.environment(), {"CONSUL_HTTP_ADDR": consul.address})
            self.assertEqual(consul.request("PUT", "/v1/kv/fixture", b"kept").body, b"true")
            first, address = consul.pid, consul.address
            consul.restart()
            self.assertNotEqual(consul.pid, first)
            self.assertEqual(consul.address, address)
            self.assertEqual(consul.request("GET", "/v1/kv/fixture?raw").body, b"kept")
            self.assertEqual(consul.request("GET", "/v1/kv/fixture?keys").body, b'["fixture"]')
            consul.kill()
            self.assertEqual(consul.pid, 0)
            with self.assertRaises(OSError):
                consul.request("GET", "/v1/status/leader")
            consul.restart()
            self.assertEqual(consul.request("GET", "/v1/kv/fixture?raw").body, b"kept")
            pid, directory = consul.pid, consul.directory
            self.assertTrue(directory.exists())
        self.assertFalse(is_running(pid))
        self.assertFalse(directory.exists())

    def test_bad_extra_configuration_is_told_with_consuls_own_words(self):
        with self.assertRaisesRegex(ConsulFailed, "no_such_setting"):
            with ConsulServer(extra_config={"no_such_setting": 1}):
                pass

    def test_tls_with_client_certificates(self):
        with ConsulServer(tls=True, verify_incoming=True) as consul:
            self.assertTrue(consul.address.startswith("https://127.0.0.1:"))
            self.assertEqual(consul.request("GET", "/v1/status/leader").status, 200)
            host, port = consul.address.removeprefix("https://").split(":")
            with self.assertRaises(ssl.SSLCertVerificationError):
                http.client.HTTPSConnection(host, int(port)).request("GET", "/v1/status/leader")
            bare = http.client.HTTPSConnection(
                host, int(port), context=ssl.create_default_context(cafile=consul.ca_file))
            self.addCleanup(bare.close)
            with self.assertRaises((OSError, http.client.HTTPException)):
                bare.request("GET", "/v1/status/leader")
                bare.getresponse()
            self.assertEqual(set(consul.environment()),
                             {"CONSUL_HTTP_ADDR", "CONSUL_CACERT", "CONSUL_CLIENT_CERT", "CONSUL_CLIENT_KEY"})

    def test_unix_socket_listens_nowhere_else(self):
        with ConsulServer(unix_socket=True) as consul:
            self.assertTrue(pathlib.Path(consul.address.removeprefix("unix://")).is_socket())
            self.assertEqual(consul.request("GET", "/v1/status/leader").status, 200)
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", consul._http_port)).close()

    def test_acl_denies_by_default_and_obeys_the_token(self):
        with ConsulServer(acl=True) as consul:
            self.assertEqual(consul.request("PUT", "/v1/kv/fixture", b"x", with_token=False).status, 403)
            self.assertEqual(consul.request("PUT", "/v1/kv/fixture", b"x").body, b"true")
            self.assertEqual(consul.environment()["CONSUL_HTTP_TOKEN"], consul.token)

    def test_the_server_ends_with_a_process_that_is_killed(self):
        program = ("import sys, time; sys.path.insert(0, sys.argv[1]); import consul_server\n"
                   "with consul_server.ConsulServer() as consul:\n"
                   "    print(consul.pid, consul.directory, flush=True); sys.stdin.read()\n")
        host = subprocess.Popen([sys.executable, "-B", "-c", program, str(HERE)], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        pid, directory = host.stdout.readline().split()
        self.assertTrue(is_running(int(pid)))
        host.send_signal(signal.SIGKILL)
        host.communicate()
        deadline = time.monotonic() + 20
        while is_running(int(pid)) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertFalse(is_running(int(pid)))
        subprocess.run(["rm", "-rf", directory], check=True)


class WithoutConsul(unittest.TestCase):
    def run_main(self, **environment):
        variables = {k: v for k, v in os.environ.items() if not k.startswith("CON")}
        program = "import sys; sys.path.insert(0, sys.argv[1]); import consul_server; consul_server.require_consul('me')"
        return subprocess.run([sys.executable, "-B", "-c", program, str(HERE)], env=variables | environment,
                              capture_output=True, text=True, check=False)

    def test_a_program_is_skipped_by_name_and_reason(self):
        finished = self.run_main(CONVERGENCE_NO_CONSUL="a reason")
        self.assertEqual((finished.returncode, finished.stdout), (77, "SKIPPED me: a reason\n"))

    def test_or_fails_where_it_is_required(self):
        finished = self.run_main(CONVERGENCE_NO_CONSUL="a reason", CONVERGENCE_REQUIRE_CONSUL="1")
        self.assertEqual((finished.returncode, finished.stderr), (1, "FAILED me: a reason\n"))


if __name__ == "__main__":
    consul_server.require_consul("support_consul_server_py")
    unittest.main(verbosity=2)
