"""rollout by evidence of a real Prometheus and of a real HAProxy's own page, on a real Consul."""
import json
import pathlib
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

from documents import ENTRIES, POLICY
from harness import ConsulCase, main

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from metrics_servers import HaProxy, NoServer, Program, Prometheus, server_binary  # noqa: E402

SCRAPE_MS = 100
PATIENCE_S = 60


class Callers:
    """The page of an Envoy whose counters rise with each look at it: the stable subset as it should, the candidate with
    the share of failures that it is told."""

    def __init__(self, bad_share):
        self.bad_share = bad_share
        self.counts = {"v1": [0, 0], "v2": [0, 0]}
        self.looks = 0
        self._lock = threading.Lock()

    def answer(self, path, headers):
        with self._lock:
            self.looks += 1
            for subset, share in (("v1", 0), ("v2", self.bad_share)):
                self.counts[subset][0] += 100
                self.counts[subset][1] += round(100 * share)
            lines = []
            for subset, (requests, bad) in self.counts.items():
                labels = f'consul_destination_service="api",consul_destination_service_subset="{subset}"'
                lines.append(f"envoy_cluster_upstream_rq_completed{{{labels}}} {requests}")
                lines.append(f'envoy_cluster_upstream_rq_xx{{envoy_response_code_class="5",{labels}}} {bad}')
                for bound, share in (("25", 0.5), ("100", 0.9), ("+Inf", 1)):
                    lines.append(f'envoy_cluster_upstream_rq_time_bucket{{le="{bound}",{labels}}} {requests * share:g}')
            return 200, "\n".join(lines) + "\n"


class Metrics(ConsulCase):
    def setUp(self):
        super().setUp()
        self.set_up_api()

    def policy(self, **more):
        return self.write("policy.json", {**POLICY, "interval": "1s", "no_evidence_deadline": "2m", **more})

    def start_words(self, metrics, *more, **policy):
        return ["rollout", "start", "api", "--policy", self.policy(**policy), "--revision", "2", "--metrics", metrics, *more]

    def weights(self):
        splits = self.get("/v1/config/service-splitter/api")["Splits"]
        return {split["ServiceSubset"]: split["Weight"] for split in splits}

    def prometheus(self, bad_share):
        """One that has scraped long enough for a rollout to start."""
        callers = Callers(bad_share)
        program = self.enterContext(Program(callers.answer))
        prometheus = self.enterContext(Prometheus(program.address, SCRAPE_MS))
        self.until(lambda: callers.looks > 15, "the Prometheus scrapes")
        return prometheus

    def until(self, done, what):
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            if time.monotonic() > deadline:
                self.fail(f"never: {what}")
            threading.Event().wait(0.02)

    def from_prometheus(self, url):
        return f"prometheus={url}", "--scrape-interval", f"{SCRAPE_MS}ms"

    def test_a_prometheus_that_counts_no_failures_promotes(self):
        prometheus = self.prometheus(bad_share=0)
        done = self.converge(*self.start_words(*self.from_prometheus(prometheus.url)), "--json")
        self.assertEqual(done.code, 0, done.err + done.out)
        state = json.loads(done.out)
        self.assertEqual((state["phase"], self.weights()), ("succeeded", {"v1": 0, "v2": 100}))
        measured = [record for record in state["history"] if record["reason"] == "good-evidence"]
        self.assertEqual(len(measured), 2)
        for record in measured:
            self.assertGreaterEqual(record["candidate_requests"], 100)
            self.assertEqual((record["candidate_errors"], record["stable_errors"]), (0, 0))

    def test_a_prometheus_that_counts_failures_takes_back(self):
        prometheus = self.prometheus(bad_share=0.2)
        done = self.converge(*self.start_words(*self.from_prometheus(prometheus.url)), "--json")
        self.assertEqual(done.code, 1, done.err + done.out)
        state = json.loads(done.out)
        self.assertEqual((state["phase"], self.weights()), ("failed", {"v1": 100, "v2": 0}))
        bad = [record for record in state["history"] if record["reason"] == "bad-evidence"]
        self.assertGreaterEqual(bad[0]["candidate_requests"], 100)
        self.assertEqual(bad[0]["candidate_errors"] * 5, bad[0]["candidate_requests"])

    def test_by_evidence_with_the_histogram(self):
        prometheus = self.prometheus(bad_share=0.2)
        start = self.start_words(*self.from_prometheus(prometheus.url), "--json", evidence={"bounds": [25, 100]})
        done = self.converge(*start)
        self.assertEqual(done.code, 1, done.err + done.out)
        state = json.loads(done.out)
        self.assertEqual((state["phase"], self.weights()), ("failed", {"v1": 100, "v2": 0}))
        self.assertIn("ROLLBACK", state["history"][-1]["why"])
        self.assertEqual((state["analysis"]["refused"], len(state["analysis"]["latency"])), (0, 2))
        refused = self.converge(*self.start_words(*self.from_prometheus(prometheus.url), "--id", "other",
                                                  evidence={"bounds": [25, 60]}))
        self.assertEqual(refused.code, 1)
        self.assertIn("has no bucket of 60 ms", refused.err)

    def test_a_prometheus_that_is_gone_holds_and_one_that_is_back_goes_on(self):
        prometheus = self.prometheus(bad_share=0)
        process = subprocess.Popen(self.command(*self.start_words(*self.from_prometheus(prometheus.url),
                                                                  intervals_per_step=2)),
                                   stdout=subprocess.PIPE, text=True, env=self.environment())
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("observing"):
                break
        prometheus.stop()
        state = {}

        def held():
            state.update(json.loads(self.converge("rollout", "status", "api", "--json").out))
            return sum(record["reason"] == "source-broken" for record in state["history"]) >= 2
        self.until(held, "the outage is told")
        self.assertEqual((state["phase"], state["failures"], self.weights()), ("observing", 0, {"v1": 90, "v2": 10}))
        self.assertTrue(any("prometheus" in record["why"] for record in state["history"]), state["history"])
        prometheus.start()
        rest = process.stdout.read()
        self.assertEqual(process.wait(PATIENCE_S), 0, "".join(lines) + rest)
        self.assertEqual(self.weights(), {"v1": 0, "v2": 100})
        end = json.loads(self.converge("rollout", "status", "api", "--json").out)
        self.assertEqual((end["phase"], end["failures"]), ("succeeded", 0))

    def test_a_start_is_refused_where_the_stable_subset_is_not_counted(self):
        prometheus = self.prometheus(bad_share=0)
        for more, policy, why in ((("--counters", "haproxy"), {}, "nobody counts it"),
                                  ((), {"interval": "300ms"}, "has not 4 scrapes")):
            with self.subTest(why):
                done = self.converge(*self.start_words(*self.from_prometheus(prometheus.url), *more, **policy))
                self.assertEqual(done.code, 1, done.out)
                self.assertIn(why, done.err)
                self.assertEqual(self.weights(), {"v1": 100, "v2": 0})
                self.assertEqual(json.loads(self.converge("rollout", "list", "--json").out), [])

    def test_haproxys_own_page(self):
        for bad, phase in ((False, "succeeded"), (True, "failed")):
            with self.subTest(phase), Program(lambda path, headers: (200, "")) as stable, \
                    Program(lambda path, headers, bad=bad: (500 if bad else 200, "")) as candidate, \
                    HaProxy({"api-v1": stable.address, "api-v2": candidate.address}) as haproxy:
                done = self.with_traffic(haproxy, *self.start_words(f"haproxy={haproxy.url}", "--json", "--id", phase))
                state = json.loads(done.out)
                self.assertEqual(state["phase"], phase, done.err + done.out)
                self.assertEqual(self.weights(), {"v1": 0, "v2": 100} if phase == "succeeded" else {"v1": 100, "v2": 0})
                self.put("/v1/config", ENTRIES[2])

    def with_traffic(self, haproxy, *words):
        """The command, while requests go to both backends."""
        over = threading.Event()

        def ask():
            while not over.is_set():
                for backend in ("api-v1", "api-v2"):
                    try:
                        urllib.request.urlopen(urllib.request.Request(haproxy.url, headers={"x-backend": backend}),
                                               timeout=10).read()
                    except urllib.error.HTTPError as answer:
                        answer.close()

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            return self.converge(*words)
        finally:
            over.set()
            asking.join()

    def test_bad_usage_is_status_2(self):
        for words in (("prometheus",), ("prometheus=",), ("prometheus=localhost:9090",), ("graphite=http://127.0.0.1:1",),
                      ("envoy=http://127.0.0.1:1", "--counters", "nginx"),
                      ("envoy=http://127.0.0.1:1", "--metrics-command", "true"),
                      ("prometheus=http://127.0.0.1:1", "--scrape-interval", "soon")):
            with self.subTest(words):
                self.assertEqual(self.converge(*self.start_words(*words)).code, 2)


if __name__ == "__main__":
    try:
        for server in ("prometheus", "haproxy"):
            server_binary(server)
    except NoServer as reason:
        print(f"SKIPPED test_metrics: {reason}")
        sys.exit(77)
    main()
