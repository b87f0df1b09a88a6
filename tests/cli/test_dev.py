"""dev: the embedded Consul over HTTP, spoken to by the real consul's own command line and by ours."""
import json
import signal
import subprocess
import urllib.request

from documents import WEB
from harness import ConsulCase, clean_environment, consul_binary, main


class Dev(ConsulCase):
    def dev(self, *words):
        process = subprocess.Popen(self.command("dev", "--json", *words), stdout=subprocess.PIPE, text=True,
                                   env=clean_environment())
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        text = ""
        while not text.rstrip().endswith("}"):
            text += process.stdout.readline()
        return process, json.loads(text)["address"]

    def test_any_consul_client_can_talk_to_it(self):
        process, address = self.dev("--port", "0")
        consul = [consul_binary()]
        environment = clean_environment(CONSUL_HTTP_ADDR=address)

        def run(*words):
            return subprocess.run([*consul, *words], capture_output=True, text=True, env=environment, timeout=60)

        self.assertEqual(run("kv", "put", "a", "1").stdout, "Success! Data written to: a\n")
        self.assertEqual(run("kv", "get", "a").stdout, "1\n")
        entry = self.write("d.json", {"Kind": "service-defaults", "Name": "api", "Protocol": "http"})
        self.assertEqual(run("config", "write", str(entry)).returncode, 0)
        self.assertEqual(run("config", "list", "-kind", "service-defaults").stdout, "api\n")
        with urllib.request.urlopen(f"http://{address}/v1/status/leader") as answer:
            self.assertEqual(answer.status, 200)
        request = urllib.request.Request(f"http://{address}/v1/catalog/register", method="PUT", data=json.dumps(
            {"Node": "n1", "Address": "10.0.0.1", "NodeMeta": {"role": "web"}}).encode())
        urllib.request.urlopen(request).close()
        applied = subprocess.run(self.command("apply", self.write("web.json", WEB), "--json"), capture_output=True,
                                 text=True, env=environment, timeout=60)
        self.assertEqual((applied.returncode, json.loads(applied.stdout)["steps_done"]), (0, 1), applied.stderr)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 0)

    def test_a_port_that_is_taken_is_status_1_and_a_wrong_one_status_2(self):
        _, address = self.dev("--port", "0")
        taken = self.converge("dev", "--port", address.split(":")[1], "--json")
        self.assertEqual((taken.code, json.loads(taken.out)["error"]["kind"]), (1, "unreachable"))
        self.assertEqual(self.converge("dev", "--port", "many").code, 2)
        self.assertEqual(self.converge("dev", "now").code, 2)


if __name__ == "__main__":
    main()
