"""The client against the embedded Consul, over its own HTTP face, inside asyncio; decorators; handles closed early."""
import asyncio
import gc
import json
import os
import unittest

import convergence
from documents import ENTRIES, POLICY, instance, prepare


class Embedded(unittest.TestCase):
    def setUp(self):
        self.loop = convergence.Loop(simulated=True)
        self.consul = convergence.MemoryConsul(clock=self.loop)
        self.client = convergence.Client(transport=self.consul.connect())

    def test_kv_keeps_bytes_and_indexes(self):
        kv = self.client.kv
        self.assertIsNone(kv.get("a"))
        self.assertTrue(kv.put("a", b"\x00\xff", cas=0))
        pair = kv.get("a")
        self.assertEqual(pair["Value"], b"\x00\xff")
        self.assertFalse(kv.put("a", b"lost", cas=0))
        self.assertTrue(kv.put("a", "next", cas=pair["ModifyIndex"]))
        self.assertEqual([p["Value"] for p in kv.recurse("")], [b"next"])
        self.assertEqual(kv.keys(), ["a"])
        self.assertTrue(kv.delete("a"))
        self.assertEqual(kv.keys(), [])

    def test_a_watch_gives_each_change_and_simulated_time_passes_in_between(self):
        watch = self.client.watch("kv_get", key="a", wait="10s")
        self.assertIsNone(watch.next()["value"])
        self.client.kv.put("a", "1")
        self.assertEqual(watch.next()["value"]["Value"], "MQ==")
        with self.assertRaises(TimeoutError):
            watch.next(timeout=3600)
        self.client.kv.put("a", "2")
        self.assertEqual(watch.next()["value"]["Value"], "Mg==")
        watch.close()

    def test_sessions_expire_with_the_clock(self):
        session = self.client.session.create(name="mine", ttl="15s", lock_delay="1ms")
        self.assertTrue(self.client.kv.put("lock", "", acquire=session))
        self.loop.advance(60)
        self.assertNotIn("Session", self.client.kv.get("lock"))
        with self.assertRaises(convergence.Error) as raised:
            self.client.session.renew(session)
        self.assertEqual((raised.exception.code, raised.exception.kind), ("NOT_FOUND", "not-found"))

    def test_converge_once_brings_an_empty_consul_to_the_desired_state(self):
        self.client.catalog.register({"Node": "n1", "Address": "10.0.0.1", "NodeMeta": {"role": "web"}})
        service = {"schema": 1, "name": "web", "version": "1.0", "placement": {"role": "web"}, "port": 80}
        self.client.kv.put("convergence/desired/web/web/none", json.dumps(service))
        report = self.client.converge_once()
        self.assertEqual((report["plan"]["steps"], report["broken"]), ([], []))
        self.assertEqual(self.client.health.service("web")[0]["Service"]["Meta"]["version"], "1.0")
        desired = self.client.read_desired()["value"]
        self.assertEqual(convergence.converge(desired, self.client.read_catalog())["steps"], [])
        desired["services"][0]["version"] = "2.0"
        plan = convergence.converge(desired, convergence.CatalogState(self.client.read_catalog()))
        self.assertEqual([(s["action"], s["reason"]) for s in plan["steps"]], [("change-service", "version")])
        applied = self.client.apply_plan(plan)
        self.assertEqual([s["outcome"] for s in applied["steps"]], ["done"])

    def test_a_rollout_is_promoted_on_good_evidence_and_rolled_back_on_bad(self):
        prepare(self.client)
        errors = {"v2": 0}

        def measure(request):
            return {"stable": {"requests": 100, "errors": 0},
                    "candidate": {"requests": 100, "errors": errors[request["candidate_subset"]]}}

        errors["v2"] = 40
        failed = convergence.Rollout(self.client, "api", measure).start(POLICY, "r1", "2")
        self.assertEqual((failed["phase"], failed["weight"]), ("failed", 0))
        self.assertEqual(self.weights(), {"v1": 100, "v2": None})
        errors["v2"] = 0
        phases = []
        promoted = convergence.Rollout(self.client, "api", measure,
                                       on_change=lambda state: phases.append(state["phase"])).start(POLICY, "r2", "2")
        self.assertEqual((promoted["phase"], promoted["weight"]), ("succeeded", 100))
        self.assertEqual(self.weights(), {"v1": None, "v2": 100})
        self.assertEqual(phases[-1], "succeeded")

    def weights(self):
        splits = self.client.config.get("service-splitter", "api")["Splits"]
        return {split["ServiceSubset"]: split.get("Weight") or None for split in splits}

    def test_the_chain_is_the_one_that_the_entries_compile_to(self):
        prepare(self.client)
        store = convergence.ConfigEntries()
        for entry in ENTRIES:
            store.put(entry)
        chain = self.client.discovery_chain("api")
        self.assertEqual(chain["Nodes"], store.compile("api")["Nodes"])
        routed = convergence.route(chain, {"path": "/x"})
        self.assertEqual([(leg["weight"], leg["target"].split(".")[0]) for leg in routed["splits"]], [(100, "v1"), (0, "v2")])

    def test_a_recording_plays_again_without_the_consul(self):
        connection = convergence.record(self.consul.connect())
        first = convergence.Client(transport=connection, token="never-recorded")
        first.kv.put("a", "1")
        self.assertEqual(first.kv.get("a")["Value"], b"1")
        recording = connection.recording
        self.assertNotIn("never-recorded", json.dumps(recording))
        again = convergence.Client(transport=convergence.replay(convergence.Loop(simulated=True), recording))
        self.assertTrue(again.kv.put("a", "1"))
        self.assertEqual(again.kv.get("a")["Value"], b"1")

    def test_a_read_is_tried_again_and_a_write_is_not(self):
        rules = [{"kind": "fail-before", "from": 0, "to": 0}]
        reader = convergence.Client(transport=convergence.fault(self.consul.connect(), rules))
        self.assertIsNone(reader.kv.get("a"))
        writer = convergence.Client(transport=convergence.fault(self.consul.connect(), rules))
        with self.assertRaises(convergence.Error) as raised:
            writer.kv.put("a", "1")
        self.assertEqual(raised.exception.kind, "unreachable")
        self.assertIsNone(self.client.kv.get("a"))

    def test_parents_closed_early_live_on_behind_their_children(self):
        consul = convergence.MemoryConsul(clock=convergence.Loop(simulated=True))
        connection = consul.connect()
        client = convergence.Client(transport=connection)
        watch = client.watch("kv_get", key="a")
        loop = client.loop
        consul.close()
        connection.close()
        client.close()
        with self.assertRaises(convergence.Error) as raised:
            client.leader()
        self.assertEqual(raised.exception.kind, "usage")
        del consul, connection, client
        gc.collect()
        self.assertIsNone(watch.next()["value"])
        watch.close()
        loop.close()


class Served(unittest.TestCase):
    """The HTTP face, spoken to over the network from the loop that answers it."""

    def setUp(self):
        self.consul = convergence.MemoryConsul()
        port = self.consul.serve()
        self.address = f"127.0.0.1:{port}"

    def client(self, **options):
        return convergence.Client(address=self.address, loop=self.consul.loop, **options)

    def test_over_the_network(self):
        client = self.client()
        self.assertTrue(client.kv.put("a/ü #?", "1"))
        self.assertEqual(client.kv.get("a/ü #?")["Value"], b"1")

    def test_the_environment_names_the_address(self):
        before = os.environ.get("CONSUL_HTTP_ADDR")
        os.environ["CONSUL_HTTP_ADDR"] = self.address
        try:
            self.assertEqual(convergence.Client(loop=self.consul.loop).kv.keys(), [])
        finally:
            if before is None:
                del os.environ["CONSUL_HTTP_ADDR"]
            else:
                os.environ["CONSUL_HTTP_ADDR"] = before

    def test_asyncio_waits_without_a_thread(self):
        async def both():
            client = self.client()
            watch = client.watch("kv_get", key="a")
            first = await watch.next_async()
            changed = asyncio.create_task(watch.next_async())
            await client.call_async("kv_put", key="a", value="1")
            second = await changed
            watch.close()
            return first["value"], second["value"]["Value"]

        self.assertEqual(asyncio.run(both()), (None, "MQ=="))


if __name__ == "__main__":
    unittest.main()
