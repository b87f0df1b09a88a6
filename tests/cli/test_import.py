"""import: documents of others as ours, and what became of each field. No Consul is needed."""
import json
import pathlib
import subprocess
import tempfile
import unittest

from harness import PROGRAMS, clean_environment

_PATIENCE_S = 60

CANARY = """apiVersion: flagger.app/v1beta1
kind: Canary
metadata:
  name: shop
spec:
  targetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: shop
  analysis:
    interval: 30s
    threshold: 5
    stepWeight: 20
    maxWeight: 60
    metrics:
      - name: request-success-rate
        thresholdRange:
          min: 99
        interval: 1m
  skipMe: yes
"""


class Import(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def converge(self, *words):
        return subprocess.run([PROGRAMS.converge, *map(str, words)], capture_output=True, text=True,
                              timeout=_PATIENCE_S, env=clean_environment())

    def test_a_canary_of_flagger_becomes_a_policy_that_can_start(self):
        done = self.converge("import", self.write("canary.yaml", CANARY), "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        document = json.loads(done.stdout)
        (policy,) = document["imported"]
        self.assertEqual((policy["service"], policy["mode"], policy["steps"], policy["interval"]),
                         ("shop", "flagger", [20, 40, 60], "30s"))
        self.assertEqual(document["doubts"], [])
        rows = {row["field"]: (row["line"], row["outcome"]) for row in document["report"]}
        self.assertEqual(rows["spec.skipMe"], (20, "unsupported"))
        self.assertEqual(rows["spec.analysis.stepWeight"][1], "translated")

    def test_a_person_reads_the_report(self):
        done = self.converge("import", self.write("canary.yaml", CANARY))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("   20  unsupported  spec.skipMe: ", done.stdout)

    def test_what_is_none_of_these_documents(self):
        for words in (["import"], ["import", "/nowhere/at.all"], ["import", self.write("x.yaml", "a: [1")]):
            with self.subTest(words):
                self.assertEqual(self.converge(*words).returncode, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
