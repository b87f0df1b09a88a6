"""The package against a real Consul."""
import os
import pathlib
import sys
import unittest

import convergence
from documents import ENTRIES, POLICY, prepare

sys.path.insert(0, os.environ.get("CONVERGENCE_TESTS_SUPPORT", str(pathlib.Path(__file__).parent.parent / "support")))
import consul_server  # noqa: E402


class RealConsul(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            cls.server = cls.enterClassContext(consul_server.ConsulServer())
        except consul_server.NoConsul as reason:
            if os.environ.get("CONVERGENCE_REQUIRE_CONSUL"):
                raise
            raise unittest.SkipTest(str(reason))
        cls.client = convergence.Client(address=cls.server.address)

    def test_the_main_calls(self):
        self.assertTrue(self.client.leader())
        self.assertTrue(self.client.kv.put("a", b"\x00\xff"))
        self.assertEqual(self.client.kv.get("a")["Value"], b"\x00\xff")
        result = self.client.txn([{"KV": {"Verb": "check-not-exists", "Key": "a"}}])
        self.assertEqual(result["Errors"][0]["OpIndex"], 0)
        with self.assertRaises(convergence.Error) as raised:
            self.client.config.put({"Kind": "service-splitter", "Name": "x", "Splits": [{"Weight": 1}]})
        self.assertEqual((raised.exception.kind, raised.exception.detail["status"]), ("server", 500))
        self.assertIn("the sum of all split weights must be 100", raised.exception.message)

    def test_a_rollout_and_the_chain_it_leaves(self):
        prepare(self.client)
        store = convergence.ConfigEntries(trust_domain=self.trust_domain())
        for entry in ENTRIES:
            store.put(entry)
        self.assertEqual(self.client.discovery_chain("api"), store.compile("api"))
        evidence = {"stable": {"requests": 100, "errors": 0}, "candidate": {"requests": 100, "errors": 0}}
        quick = {**POLICY, "interval": "10ms", "settle": "10ms"}
        state = convergence.Rollout(self.client, "api", lambda request: evidence).start(quick, "r", "2")
        self.assertEqual(state["phase"], "succeeded")
        routed = convergence.route(self.client.discovery_chain("api"), {"path": "/"})
        self.assertEqual([(leg["weight"], leg["target"].split(".")[0]) for leg in routed["splits"]], [(0, "v1"), (100, "v2")])

    def trust_domain(self):
        targets = self.client.discovery_chain("any")["Targets"]
        return next(iter(targets.values()))["SNI"].split(".internal.")[1]


if __name__ == "__main__":
    unittest.main()
