"""rollout on a real Consul: promotion, rollback, commands from beside, and a driver that is killed in the middle."""
import json
import signal
import subprocess

from documents import ENTRIES, POLICY
from harness import ConsulCase, main

GOOD = '{"stable":{"requests":100,"errors":0},"candidate":{"requests":100,"errors":0}}'
BAD = '{"stable":{"requests":100,"errors":0},"candidate":{"requests":100,"errors":30}}'


class Rollout(ConsulCase):
    def setUp(self):
        super().setUp()
        self.register_api("n1", "1")
        self.register_api("n2", "2")
        for entry in ENTRIES:
            self.put("/v1/config", entry)
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


if __name__ == "__main__":
    main()
