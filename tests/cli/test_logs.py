"""Logs of deployments on a real Consul: shipped once they have ended, to a folder or an object store, and no secret in
them, in reports or in what the agent says (F29, W-A18, W-A28, W-A29)."""

import http.server
import signal
import threading

import test_agent
from harness import main

_SECRETS = ("tellnobody-7", "hunter22-and-more", "AKIDEXAMPLEKEY", "session-token-of-a-role")
_TELLS = """
echo "password is $PASSWORD"
printf 'tellno'; sleep 0.2; printf 'body-7\\n'
echo "colour is $COLOUR"
"""


class Store(http.server.BaseHTTPRequestHandler):
    """Takes objects, after it has refused as many as it is told to."""

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, "Signature=" in self.headers.get("Authorization", "")))
        refused = self.server.refuse > 0
        self.server.refuse -= refused
        if not refused:
            self.server.objects[self.path] = body
        self.send_response(403 if refused else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Logs(test_agent.AgentCase):
    def setUp(self):
        super().setUp()
        self.secrets = self.folder / "secrets"
        self.secrets.write_text("tellnobody-7\n")
        self.words = ["-secret-file", str(self.secrets), "-secret-variable", "PASSWORD", "-instance", "i-1"]

    def telling(self, version, **more):
        return self.package(version, more={"hooks/start.sh": test_agent._START + _TELLS}, **more)

    def ask(self, version, generation, **more):
        self.want(version, self.telling(version, **more), generation,
                  environment={"PASSWORD": "hunter22-and-more", "COLOUR": "blue"})

    def report(self, deployment):
        node = self.get("/v1/agent/self")["Config"]["NodeName"]
        return self.get(f"/v1/kv/convergence/deployments/web/shop/{deployment}/nodes/{node}?raw") or {}

    def check_no_secret(self, *places):
        told = [self.consul.request("GET", "/v1/kv/convergence/deployments/?recurse&raw").body,
                *(str(self.report(one)).encode() for one in ("1.0@1", "2.0@2"))]
        told += [path.read_bytes() for path in self.folder.glob("agent-*.log")]
        for place in (self.folder / "state" / "deployments", *places):
            told += [path.read_bytes() for path in place.rglob("*.log*")]
        for secret in _SECRETS:
            for text in told:
                self.assertNotIn(secret.encode(), text)

    def test_a_folder(self):
        shipped = self.folder / "shipped"
        shipped.mkdir()
        self.ask("1.0", 1)
        with self.agent(*self.words, "-ship-logs", str(shipped)):
            for generation, version in enumerate(("1.0", "2.0"), start=1):
                deployment = f"{version}@{generation}"
                if generation == 2:
                    self.wait("good", lambda: self.phase()["phase"] == "done")
                    self.ask(version, generation, validate=test_agent._BAD)
                place = shipped / "web" / "shop" / f"deployment-i-1-{deployment}.log"
                self.wait("shipped", lambda: self.report(deployment).get("Log") == str(place))
                report = self.report(deployment)
                self.assertEqual(report["Status"], "Success" if generation == 1 else "Failed")
                text = place.read_text()
                self.assertIn("password is [secret]\n[secret]\ncolour is blue\n", text)
                self.assertEqual("this one is broken" in text, generation == 2)
                kept = self.folder / "state" / "deployments" / "shop" / deployment / "logs" / "deployment.log"
                self.assertEqual(text, kept.read_text())
                self.assertIn("password is [secret]", report["LogTail"])
        self.check_no_secret(shipped)

    def test_an_object_store_that_refuses_at_first(self):
        store = self.enterContext(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store))
        store.refuse, store.objects, store.asked = 1, {}, []
        threading.Thread(target=store.serve_forever, daemon=True).start()
        self.addCleanup(store.shutdown)
        words = [*self.words, "-ship-logs", "s3://logs/fleet/", "-s3-endpoint", f"http://127.0.0.1:{store.server_port}"]
        keys = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "AKIDEXAMPLEKEY",
                "AWS_SESSION_TOKEN": "session-token-of-a-role"}
        self.ask("1.0", 1)
        place = "logs/fleet/web/shop/deployment-i-1-1.0@1.log"
        with self.agent(*words, **keys) as agent:
            self.wait_line("shop 1.0: done")
            self.wait("told", lambda: "LogProblem" in self.report("1.0@1"))
            told = self.report("1.0@1")
            self.assertEqual((told["Status"], told["LastCompletedStage"], told["Log"]), ("Success", "Complete", ""))
            self.assertIn("403", told["LogProblem"])
            # W-A28: bucket and key, and nothing that lets its reader in.
            self.wait("shipped", lambda: self.report("1.0@1").get("Log") == f"s3://{place}")
            self.assertNotIn("LogProblem", self.report("1.0@1"))
            marker = self.folder / "state" / "deployments" / "shop" / "1.0@1" / "logs" / "shipped.json"
            self.wait("remembered", lambda: '"told":true' in marker.read_text())
            agent.send_signal(signal.SIGKILL)
        asked = list(store.asked)
        self.assertEqual([signed for _, signed in asked], [True, True])
        self.assertEqual([path.replace("%40", "@") for path in store.objects], [f"/{place}"])
        body = next(iter(store.objects.values()))
        self.assertIn(b"password is [secret]\n[secret]\ncolour is blue\n", body)
        self.check_no_secret()
        # W-A18: the next process knows that it was done.
        with self.agent(*words, **keys):
            self.wait("good", lambda: self.phase()["phase"] == "done")
            self.ask("2.0", 2)
            self.wait("shipped", lambda: self.report("2.0@2").get("Log", "").endswith("deployment-i-1-2.0@2.log"))
        self.assertEqual([path.replace("%40", "@") for path, _ in store.asked[len(asked):]],
                         ["/logs/fleet/web/shop/deployment-i-1-2.0@2.log"])

    def test_bad_words_are_one_clear_error(self):
        for words, message in ((["-ship-logs", "logs"], 'logs to "logs": must be an absolute path or s3://bucket/prefix'),
                               (["-secret-file", "/nowhere/secret"], "secrets: ")):
            with self.subTest(words=words), self.agent(*words) as agent:
                self.assertEqual(agent.wait(60), 2)
                self.assertIn(message, self.log.read_text())


if __name__ == "__main__":
    main()
