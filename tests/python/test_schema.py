"""docs/schema/canary-policy.schema.json and the library take and refuse the same policies."""
import copy
import json
import pathlib
import unittest

import jsonschema

import convergence

SCHEMA = json.loads((pathlib.Path(__file__).resolve().parents[2] / "docs/schema/canary-policy.schema.json").read_text())

SMALL = {"schema": 1, "service": "api", "stable_subset": "v1", "candidate_subset": "v2"}
# Every member, none at its default.
WHOLE = {**SMALL, "also": [{"service": "web", "stable_subset": "a", "candidate_subset": "b"}],
         "match": [{"headers": [{"name": "x-beta", "prefix": "y"}, {"name": "x-all", "present": True}],
                    "cookies": [{"name": "c", "exact": "1"}], "query": [{"name": "q", "regex": "a.*"}],
                    "path_prefix": "/v1", "methods": ["GET"]}],
         "affinity": {"cookie": "stay", "max_age": "2h", "cap": 40}, "steps": [1, 25.5], "initial_delay": "1m",
         "interval": "30s", "settle": "5s", "mode": "flagger", "intervals_per_step": 3, "min_requests": 10,
         "min_success_rate": 0.95, "max_failures": 4,
         "metrics": [{"name": "p99", "query": "q", "min": 0, "max": 500, "weight": 2, "critical": True}],
         "pass_score": 75, "gates": [{"name": "ann", "at": "step", "url": "http://ann/", "deadline": "1h",
                                      "on_deadline": "open"}],
         "min_passing": 2, "version_meta": "version", "promotion": "copy", "return_steps": [20, 5],
         "on_new_revision": "queue", "on_foreign_edit": "yield", "no_evidence_deadline": "20m", "step_deadline": "2h"}
BY_EVIDENCE = {**SMALL, "strategy": "blue-green", "evidence": {"margin": 0.01}, "bake": "10m"}


def taken(policy):
    """The policy as the library has it after a start with it."""
    started = convergence.canary_step(policy, {}, {"at": 10**18, "type": "start", "rollout": "r1", "revision": "2"})
    return started["state"]["policy"]


class Schema(unittest.TestCase):
    def setUp(self):
        self.schema = jsonschema.Draft7Validator(SCHEMA)

    def test_what_the_library_writes_is_valid_and_names_nothing_else(self):
        written = set()
        for policy in (SMALL, WHOLE, BY_EVIDENCE):
            policy = taken(policy)
            self.schema.validate(policy)
            written |= set(policy)
        self.assertEqual(written, set(SCHEMA["properties"]))

    def test_a_member_of_the_wrong_type_is_refused_by_both(self):
        for name in SCHEMA["properties"]:
            with self.subTest(name):
                policy = {**SMALL, name: [[]]}
                self.assertFalse(self.schema.is_valid(policy))
                with self.assertRaises(convergence.Error):
                    taken(policy)

    def test_an_unknown_member_within_a_member_is_refused_by_both(self):
        for name, value in WHOLE.items():
            inner = value[0] if isinstance(value, list) and isinstance(value[0], dict) else value
            if not isinstance(inner, dict):
                continue
            with self.subTest(name):
                policy = copy.deepcopy(WHOLE)
                (policy[name][0] if isinstance(value, list) else policy[name])["mystery"] = 1
                self.assertFalse(self.schema.is_valid(policy))
                with self.assertRaises(convergence.Error):
                    taken(policy)

    def test_an_unknown_member_of_the_policy_is_kept(self):
        policy = {**SMALL, "note": {"of": "ours"}}
        self.schema.validate(policy)
        self.assertEqual(taken(policy)["note"], {"of": "ours"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
