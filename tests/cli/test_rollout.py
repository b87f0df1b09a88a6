"""rollout on a real Consul: promotion, rollback, commands from beside, and a driver that is killed in the middle."""
import http.server
import json
import signal
import subprocess
import threading

from documents import POLICY
from harness import ConsulCase, main

GOOD = '{"stable":{"requests":100,"errors":0},"candidate":{"requests":100,"errors":0}}'
BAD = '{"stable":{"requests":100,"errors":0},"candidate":{"requests":100,"errors":30}}'


class Rollout(ConsulCase):
    def setUp(self):
        super().setUp()
        self.set_up_api()
        self.policy = self.write("policy.json", POLICY)

    def start_words(self, evidence, *more):
        return ["rollout", "start", "api", "--policy", self.policy, "--revision", "2", "--metrics-command",
                f"echo '{evidence}'", *more]

    def weights(self):
        splits = self.get("/v1/config/service-splitter/api")["Splits"]
        return {split["ServiceSubset"]: split["Weight"] for split in splits}

    def test_good_evidence_is_status_0_and_all_traffic(self):
        done = self.converge(*self.start_words(GOOD, "--json"))
        self.assertEqual(done.code, 0, done.err)
        state = json.loads(done.out)
        self.assertEqual((state["phase"], state["weight"], state["revision"], state["rollout"]),
                         ("succeeded", 100, "2", "api-2"))
        self.assertEqual(self.weights(), {"v1": 0, "v2": 100})
        shown = self.converge("rollout", "status", "api", "--json")
        self.assertEqual((shown.code, json.loads(shown.out)), (0, state))
        listed = self.converge("rollout", "list", "--json")
        self.assertEqual((listed.code, json.loads(listed.out)), (0, [state]))

    def test_bad_evidence_is_status_1_and_no_traffic(self):
        done = self.converge(*self.start_words(BAD))
        self.assertEqual(done.code, 1, done.err)
        self.assertEqual(self.weights(), {"v1": 100, "v2": 0})
        self.assertIn("api 2: failed, weight 0 %", done.out.splitlines()[-1])

    def test_bad_usage_is_status_2(self):
        for words in (["rollout"], ["rollout", "dance", "api"], ["rollout", "start"], ["rollout", "list", "api"],
                      ["rollout", "start", "api"], ["rollout", "start", "api", "--metrics-command", "true"],
                      self.start_words(GOOD)[:3] + ["--policy", self.write("p.json", {**POLICY, "steps": [50, 10]}),
                                                    "--revision", "2", "--metrics-command", "true"]):
            with self.subTest(words):
                self.assertEqual(self.converge(*words).code, 2)

    def test_a_service_without_a_rollout_is_status_1(self):
        for verb in ("status", "pause", "resume", "promote", "abort"):
            with self.subTest(verb):
                done = self.converge("rollout", verb, "api", "--json")
                self.assertEqual((done.code, json.loads(done.out)["error"]["code"]), (1, "NOT_FOUND"))

    def running(self, evidence):
        """A rollout that has measured once: each measurement waits until this test has read the line before."""
        fifo = self.folder / "evidence"
        subprocess.run(["mkfifo", fifo], check=True)
        process = subprocess.Popen(self.command("rollout", "start", "api", "--policy", self.policy, "--revision", "2",
                                                "--metrics-command", f"cat {fifo}"),
                                   stdout=subprocess.PIPE, text=True, env=self.environment())
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, fifo

    def test_abort_from_another_process(self):
        process, fifo = self.running(GOOD)
        # Opening for writing waits until the driver measures: now it is in the middle.
        with open(fifo, "w") as evidence:
            done = self.converge("rollout", "abort", "api", "--reason", "enough", "--json")
            self.assertEqual(done.code, 0, done.err)
            evidence.write(GOOD)
        self.assertEqual(process.wait(60), 1)
        self.assertEqual(self.weights(), {"v1": 100, "v2": 0})
        state = json.loads(self.converge("rollout", "status", "api", "--json").out)
        self.assertEqual(state["phase"], "failed")
        self.assertTrue(any("enough" in record["why"] and "tester" in record["why"] for record in state["history"]))

    def test_a_driver_killed_in_the_middle_is_finished_by_the_next(self):
        process, fifo = self.running(GOOD)
        with open(fifo, "w"):
            process.send_signal(signal.SIGKILL)
            process.wait(30)
        before = json.loads(self.converge("rollout", "status", "api", "--json").out)
        self.assertNotIn(before["phase"], ("succeeded", "failed"))
        done = self.converge(*self.start_words(GOOD, "--json"))
        self.assertEqual(done.code, 0, done.err)
        after = json.loads(done.out)
        self.assertEqual((after["phase"], after["started_at"]), ("succeeded", before["started_at"]))
        self.assertEqual(self.weights(), {"v1": 0, "v2": 100})

    def with_policy(self, **members):
        self.policy = self.write("policy.json", {**POLICY, **members})

    def router(self):
        shown = self.converge("pull", "--json")
        self.assertEqual(shown.code, 0, shown.err)
        entries = json.loads(shown.out)
        entries = entries["entries"] if isinstance(entries, dict) else entries
        return next((entry for entry in entries if (entry["Kind"], entry["Name"]) == ("service-router", "api")), None)

    def test_users_who_match_first_then_all(self):
        self.with_policy(strategy="match", match=[{"headers": [{"name": "x-beta", "exact": "1"}]}])
        before = self.router()
        process, fifo = self.running(GOOD)
        with open(fifo, "w") as evidence:
            self.assertEqual(self.weights(), {"v1": 100, "v2": 0})
            route = self.router()["Routes"][0]
            self.assertEqual(route["Match"]["HTTP"]["Header"], [{"Name": "x-beta", "Exact": "1"}])
            self.assertEqual(route["Destination"]["ServiceSubset"], "v2")
            evidence.write(GOOD)
        self.assertEqual(process.wait(60), 0)
        self.assertEqual(self.weights(), {"v1": 0, "v2": 100})
        after = self.router()
        self.assertEqual(after and after["Routes"], before and before["Routes"])

    def test_a_gate_is_asked_at_its_url_and_opened_by_hand(self):
        asked = []

        class Gate(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                asked.append((self.path, body["gate"], body["service"]))
                self.send_response(503 if len(asked) == 1 else 200)
                self.end_headers()
                self.wfile.write(b"still testing" if len(asked) == 1 else b"")

            def log_message(self, *_):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Gate)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.with_policy(gates=[{"name": "tests", "at": "start", "url": f"http://127.0.0.1:{server.server_port}/ok"}])
        done = self.converge(*self.start_words(GOOD))
        self.assertEqual(done.code, 0, done.err + done.out)
        self.assertEqual(asked, [("/ok", "tests", "api")] * 2)
        self.assertIn('gate "tests" is closed: HTTP 503: still testing', done.out)
        self.assertIn('gate "tests" is open', done.out)

    def test_a_gate_without_a_url_waits_for_a_person(self):
        self.with_policy(gates=[{"name": "board", "at": "start"}])
        process = subprocess.Popen(self.command(*self.start_words(GOOD)), stdout=subprocess.PIPE, text=True,
                                   env=self.environment())
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for line in process.stdout:
            if 'waits at gate "board"' in line:
                break
        self.assertEqual(self.weights(), {"v1": 100, "v2": 0})
        done = self.converge("rollout", "approve", "api", "--reason", "seen")
        self.assertEqual(done.code, 0, done.err)
        process.stdout.read()
        self.assertEqual(process.wait(60), 0)
        self.assertEqual(self.weights(), {"v1": 0, "v2": 100})

    def test_history_retry_and_replay(self):
        journal = self.folder / "journal"
        failed = self.converge(*self.start_words(BAD, "--journal", journal))
        self.assertEqual(failed.code, 1)
        replayed = self.converge("rollout", "replay", journal)
        self.assertEqual(replayed.code, 0, replayed.err)
        self.assertIn("the same states as then", replayed.out.splitlines()[-1])
        patient = self.write("patient.json", {**POLICY, "min_success_rate": 0.5})
        other = self.converge("rollout", "replay", journal, "--policy", patient, "--json")
        self.assertEqual(other.code, 0, other.err)
        document = json.loads(other.out)
        self.assertEqual((document["state"]["phase"], document["what_if"]["failures"]), ("failed", 0))

        retried = self.converge("rollout", "retry", "api", "--json")
        self.assertEqual((retried.code, json.loads(retried.out)["rollout"]), (0, "api-2~2"), retried.err)
        done = self.converge(*self.start_words(GOOD, "--id", "api-2~2"))
        self.assertEqual(done.code, 0, done.err)
        history = self.converge("rollout", "history", "api", "--json")
        document = json.loads(history.out)
        self.assertEqual([(one["rollout"], one["phase"]) for one in document["past"]], [("api-2", "failed")])
        self.assertEqual(document["rollout"]["phase"], "succeeded")

        text = journal.read_text().replace('"errors":30', '"errors":0', 1)
        journal.write_text(text)
        forged = self.converge("rollout", "replay", journal)
        self.assertEqual(forged.code, 1)
        self.assertIn("gave state", forged.err)


if __name__ == "__main__":
    main()
