"""converge simulate: what a person and a script get, and what is refused. It needs no Consul."""

import json
import pathlib
import subprocess
import tempfile
import unittest

from harness import PROGRAMS, clean_environment

_PATIENCE_S = 120
_SITUATIONS = ["a healthy canary", "healthy, and an incident", "healthy, errors in bursts", "errors twofold",
               "errors fivefold", "one percent more errors", "ten percent more errors", "half as slow again",
               "three percent take 2 s"]


class Simulate(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def simulate(self, *words):
        return subprocess.run([PROGRAMS.converge, "simulate", *map(str, words)], capture_output=True, text=True,
                              timeout=_PATIENCE_S, env=clean_environment())

    def file(self, name, document):
        path = self.folder / name
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return path

    def test_a_person_reads_sentences_and_a_table(self):
        done = self.simulate("-runs", 10)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], "the default policy: 1 of 9, a healthy canary")  # progress, where it is no terminal
        lines = lines[len(_SITUATIONS):]
        self.assertRegex(lines[0], r"^the default policy: with 50 requests a second promoted in \d+m.*; five times the "
                                   r"errors are caught in .* requests harmed; the smallest regression that is excluded is "
                                   r"0\.17 percentage points$")
        self.assertEqual([line[2:28].strip() for line in lines[2:]], _SITUATIONS)
        self.assertEqual(self.simulate("-runs", 10).stdout, done.stdout)
        self.assertNotEqual(self.simulate("-runs", 10, "-seed", 2).stdout, done.stdout)

    def test_a_script_reads_one_document(self):
        done = self.simulate("-runs", 10, "-rps", 1000, "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        (document,) = json.loads(done.stdout)
        self.assertEqual([row["situation"] for row in document["situations"]], _SITUATIONS)
        for row in document["situations"]:
            self.assertEqual(row["promoted"] + row["rolled_back"] + row["inconclusive"], row["runs"])
        ten = document["situations"][6]
        self.assertEqual((ten["rolled_back"], ten["first"]["weights"][0]), (10, {"at_s": 0, "weight": 5}))
        self.assertIn("ROLLBACK after", ten["first"]["why"])

    def test_a_policy_and_a_service_from_files(self):
        policy = self.file("policy.json", {"mode": "flagger", "step_weight": 20, "max_weight": 60, "interval": "30s"})
        scenario = self.file("service.json", {"rps": 200, "canary": {"error_add": 0.5}})
        done = self.simulate(policy, "-scenario", scenario, "-runs", 5, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        (row,) = json.loads(done.stdout)[0]["situations"]
        self.assertEqual((row["rolled_back"], row["time_to_rollback_s"]["p50"]), (5, 180))
        self.assertEqual(row["first"]["why"][:26], "ROLLBACK: 5 checks failed,")

    def test_what_cannot_work_is_said_before(self):
        done = self.simulate("-rps", 0.05, "-runs", 1, "-peers")
        self.assertEqual(done.returncode, 0, done.stderr)
        warnings = [line for line in done.stdout.splitlines() if line.startswith("  warning: ")]
        self.assertIn("every rollout ends by on_deadline", warnings[0])
        self.assertIn("one without any counts as failed", warnings[1])
        done = self.simulate("-error-rate", 0.02, "-runs", 1, "-peers")
        self.assertIn("the service itself fails 2.0% of its requests, the limit is 1.0%: every canary fails", done.stdout)

    def test_bad_input(self):
        for words, said in (
                (["-rps", "many"], '-rps: "many" is no number'),
                (["-rps", "-1"], "scenario: rps: is -1"),
                (["-runs", "0"], "runs"),
                (["a", "b"], "one policy file at most"),
                ([self.folder / "absent.json"], "absent.json"),
                ([self.file("p.json", {"alfa": 1})], "alfa"),
                ([self.file("q.json", {"alpha": 3})], "analysis: alpha: is 3"),
                ([self.file("r.json", {"mode": "luck"})], '"luck" is none of evidence, flagger, consecutive, argo'),
                ([self.file("s.json", {"ladder": [5, 3]})], "ramp: ladder: 300 after 500; weights must rise"),
                ([self.file("t.json", "{")], "t.json"),
                (["-scenario", self.file("u.json", {"stall": {"share": 2}})], "scenario: stall.share: is 2"),
                (["-scenario", self.file("v.json", {"mirror": 1})], "mirror")):
            with self.subTest(words=words):
                done = self.simulate(*words)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(said, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
