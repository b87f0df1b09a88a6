"""chain drawn, route, lint, pull, split and undo: on a real Consul, on the embedded one, and on files."""
import json
import subprocess

from documents import DEFAULTS, ENTRIES, RESOLVER, ROUTER, SPLITTER
from harness import PROGRAMS, ConsulCase, clean_environment, main, nobody_listens


class OnFiles(ConsulCase):
    def files(self, *entries):
        return [self.write(f"{i}.json", entry) for i, entry in enumerate(entries or ENTRIES)]

    def offline(self, *words):
        return self.converge(*words, "--http-addr", nobody_listens())

    def test_pictures(self):
        for format, beginning in [("dot", "digraph chain {\n"), ("mermaid", "flowchart LR\n"),
                                  ("svg", '<svg xmlns="http://www.w3.org/2000/svg"')]:
            with self.subTest(format):
                done = self.offline("chain", "api", *self.files(), f"--{format}")
                self.assertEqual(done.code, 0, done.err)
                self.assertTrue(done.out.startswith(beginning), done.out)
        both = self.offline("chain", "api", *self.files(), "--dot", "--svg")
        self.assertEqual((both.code, both.out), (2, ""))
        self.assertIn("one of --dot, --mermaid and --svg", both.err)

    def test_a_request_is_followed(self):
        done = self.offline("route", "api", "/orders?debug=1", *self.files(), "--header", "X-A: b", "--method", "PUT")
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(done.out.splitlines()[:3], [
            "PUT /orders on api goes:",
            '  router api.default: route 0 matches: path prefix "/"; to splitter:api.default',
            "  retries: up to 3, on status 500 503"])
        machine = json.loads(self.offline("route", "api", "/orders", *self.files(), "--json").out)
        self.assertEqual([(leg["weight"], leg["proxy_weight"], leg["target"]) for leg in machine["splits"]],
                         [(100, 100, "v1.api.default.dc1"), (0, 0, "v2.api.default.dc1")])
        for words, problem in [(["route", "api"], "name the service and the path"),
                               (["route", "api", "/", *self.files(), "--header", "X-A"], "--header=X-A: write name:value"),
                               (["route", "api", "/", *self.files(), "--dialect", "2"], "is neither 1.8 nor current")]:
            done = self.offline(*words)
            self.assertEqual((done.code, done.out), (2, ""), done.err)
            self.assertIn(problem, done.err)

    def test_findings_decide_the_status(self):
        clean = self.offline("lint", *self.files(DEFAULTS, RESOLVER, SPLITTER, ROUTER))
        self.assertEqual((clean.code, clean.out), (0, "nothing to say\n"), clean.err)
        lossy = {**ROUTER, "Routes": [{"Destination": {"NumRetries": 2}}]}
        warned = self.offline("lint", *self.files(DEFAULTS, RESOLVER, SPLITTER, lossy), "--json")
        self.assertEqual(warned.code, 1, warned.err)
        self.assertEqual(json.loads(warned.out), [{
            "rule": "retries-on-nothing", "severity": "warning", "entry": {"kind": "service-router", "name": "api"},
            "pointer": "/Routes/0/Destination/NumRetries",
            "why": "route 0 has NumRetries 2 and names nothing to retry on: the proxy never retries",
            "remedy": "add RetryOnStatusCodes, RetryOnConnectFailure or RetryOn"}])
        bad = self.offline("lint", *self.files(DEFAULTS, DEFAULTS))
        self.assertEqual((bad.code, bad.out), (2, ""))
        self.assertIn("service-defaults/api", bad.err)

    def test_the_dialect_decides_what_files_may_say(self):
        newer = {**RESOLVER, "RequestTimeout": "3s"}
        old = self.offline("chain", "api", *self.files(newer))
        self.assertEqual(old.code, 2)
        self.assertIn('invalid config key "RequestTimeout"', old.err)
        new = self.offline("chain", "api", *self.files(newer), "--dialect", "current", "--json")
        self.assertEqual(new.code, 0, new.err)
        chain = json.loads(new.out)["Chain"]
        self.assertEqual(chain["Nodes"]["resolver:v1.api.default.default.dc1"]["Resolver"]["RequestTimeout"], 3000000000)


class Live(ConsulCase):
    def setUp(self):
        super().setUp()
        self.set_up_api()

    def weights(self):
        splits = self.get("/v1/config/service-splitter/api")["Splits"]
        return {split["ServiceSubset"]: split["Weight"] for split in splits}

    def test_a_request_with_the_instances_there_are(self):
        done = self.converge("route", "api", "/orders", "--json")
        self.assertEqual(done.code, 0, done.err)
        legs = json.loads(done.out)["splits"]
        self.assertEqual([(leg["serving"], leg["health"]) for leg in legs],
                         [(f"v{i}.api.default.dc1", {"known": True, "healthy": 1, "total": 1}) for i in (1, 2)])

    def test_lint_knows_the_instances(self):
        self.assertEqual(self.converge("lint").code, 0)
        self.put("/v1/catalog/deregister", {"Node": "n1", "ServiceID": "api"})
        done = self.converge("lint", "--json")
        self.assertEqual(done.code, 1, done.err)
        self.assertEqual([finding["rule"] for finding in json.loads(done.out)], ["subset-empty", "weight-to-nobody"])

    def test_pull_gives_what_asks_for_nothing(self):
        self.put("/v1/config", {"Kind": "service-defaults", "Name": "other", "Protocol": "http",
                                "Meta": {"external-source": "kubernetes"}})
        folder = self.folder / "entries"
        done = self.converge("pull", "--dir", folder)
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(sorted(path.name for path in folder.iterdir()), [
            "service-defaults.api.json", "service-defaults.other.json", "service-resolver.api.json",
            "service-router.api.json", "service-splitter.api.json"])
        self.assertEqual(json.loads((folder / "service-defaults.other.json").read_text()), {
            "Kind": "service-defaults", "Name": "other", "Protocol": "http", "MeshGateway": {}, "Expose": {}})
        planned = self.converge("plan", folder, "--detailed-exitcode", "--json")
        self.assertEqual(planned.code, 0, planned.err)
        self.assertEqual(json.loads(planned.out)["held"], [])
        # Again it writes nothing; over a file that was changed it writes only when told to.
        self.assertEqual(self.converge("pull", "--dir", folder).out, "")
        (folder / "service-router.api.json").write_text("{}")
        kept = self.converge("pull", "--dir", folder)
        self.assertEqual(kept.code, 2)
        self.assertIn("service-router.api.json: is there and differs", kept.err)
        self.assertEqual(self.converge("pull", "--dir", folder, "--force").code, 0)
        one = json.loads(self.converge("pull", "other").out)
        self.assertEqual([entry["Name"] for entry in one], ["other"])

    def test_a_split_by_hand_and_back(self):
        shown = self.converge("split", "api", "v1=75.5", "v2=24.5", "--dry-run")
        self.assertEqual(shown.code, 0, shown.err)
        self.assertIn("v1 100%, v2 0% -> v1 75.5%, v2 24.5%", shown.out)
        self.assertEqual(self.weights(), {"v1": 100, "v2": 0})
        done = self.converge("split", "api", "v1=75.5", "v2=24.5")
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(done.out, "put-entry:service-splitter/api done\nto take it back: converge split api v1=100 v2=0\n")
        self.assertEqual(self.weights(), {"v1": 75.5, "v2": 24.5})
        self.assertNotIn("Meta", self.get("/v1/config/service-splitter/api"))  # not ours for being moved once

        plan = self.write("plan.json", self.converge("split", "api", "v1=50", "v2=50", "--json").out)
        self.assertEqual(self.weights(), {"v1": 50, "v2": 50})
        self.assertEqual(self.converge("undo", plan, "--dry-run").code, 0)
        self.assertEqual(self.weights(), {"v1": 50, "v2": 50})
        self.assertEqual(self.converge("undo", plan).code, 0)
        self.assertEqual(self.weights(), {"v1": 75.5, "v2": 24.5})
        again = self.converge("undo", plan, "--json")  # what it would take back is not there any more
        self.assertEqual(again.code, 1)
        self.assertEqual(json.loads(again.out)["error"]["kind"], "conflict")

    def test_a_split_that_would_do_harm(self):
        self.put("/v1/catalog/deregister", {"Node": "n2", "ServiceID": "api"})
        for words, problem in [(["v1=90", "v2=10"], "10% would go to v2, where none of 0 instances is healthy"),
                               (["v1=90"], "the weights are 90% together"), (["v3=100"], "no subset v3"),
                               (["v1=x"], "v1=x: write subset=weight"), (["v1=0.001"], "with two decimals at most")]:
            with self.subTest(words):
                done = self.converge("split", "api", *words)
                self.assertEqual((done.code, done.out), (2, ""), done.err)
                self.assertIn(problem, done.err)
        self.assertEqual(self.weights(), {"v1": 100, "v2": 0})
        self.assertEqual(self.converge("split", "api", "v1=90", "v2=10", "--force").code, 0)
        self.assertEqual(self.weights(), {"v1": 90, "v2": 10})


class OnTheEmbeddedConsul(ConsulCase):
    def test_every_command_answers_as_on_the_real_one(self):
        served = subprocess.Popen([PROGRAMS.converge, "dev", "--port", "0", "--json"], stdout=subprocess.PIPE, text=True,
                                  env=clean_environment())
        try:
            text = ""
            while not text.rstrip().endswith("}"):
                text += served.stdout.readline()
            embedded = json.loads(text)["address"]
            for entry in ENTRIES:
                self.put("/v1/config", entry)
                path = self.write("entry.json", entry)
                self.assertEqual(self.converge("apply", path, "--http-addr", embedded).code, 0)
            for words in (["chain", "api"], ["route", "api", "/x"], ["lint"]):
                with self.subTest(words):
                    real, ours = self.converge(*words), self.converge(*words, "--http-addr", embedded)
                    self.assertEqual((ours.code, ours.out), (real.code, real.out))
        finally:
            served.terminate()
            served.wait(timeout=30)
            served.stdout.close()


if __name__ == "__main__":
    main()
