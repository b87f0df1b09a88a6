"""An agent whose hands are a Python program's: deployments on a simulated clock, its journal replayed, its memory taken up."""
import json
import unittest

import convergence
from documents import NODE, SERVICE

CLEAN = {"check-node": {"facts": {"disk_free": 10**9, "memory_free": 10**9}}, "fetch": {"digest": "0" * 64},
         "check-package": {"spec": {"os": "linux"}}, "place-aside": {"undo": {"link": "none"}}}


class World:
    """A node of an embedded Consul, and what its agent did there."""

    def __init__(self):
        self.loop = convergence.Loop(simulated=True, start=1_700_000_000_000_000_000)
        self.consul = convergence.MemoryConsul(clock=self.loop)
        self.client = convergence.Client(transport=self.consul.connect())
        self.client.catalog.register({"Node": "n1", "Address": "10.0.0.1", "NodeMeta": {"role": "front"}, "Check": {"CheckID": "serfHealth", "Name": "alive", "Status": "passing"}})
        self.memory = None
        self.records, self.stages, self.broken = [], [], {}

    def want(self, version, generation):
        self.client.kv.put("convergence/desired/front/web/none",
                           json.dumps({**SERVICE, "version": version, "generation": generation}))

    def carry_out(self, work):
        version = work["subject"]["release"]["version"]
        self.stages.append(f"{work['stage']} {version}")
        if (work["stage"], version) in self.broken:
            raise OSError(self.broken[work["stage"], version])
        return CLEAN.get(work["stage"])

    def remember(self, memory):
        self.memory = memory

    def agent(self, **options):
        return convergence.Agent(self.client, self.carry_out, self.remember, memory=self.memory, record=self.records.append,
                                 role="front", catalog_node=NODE, config={"node": "n1"}, **options)

    def outcomes(self):
        return {deployment: (end["succeeded"], end.get("why", ""))
                for deployment, end in (self.memory or {}).get("outcomes", {}).get("web", {}).items()}

    def versions(self):
        return [row["Service"]["Meta"]["version"] for row in self.client.health.service("web")]

    def ended(self, count):
        return lambda agent: len(self.outcomes()) == count and "task" not in self.memory


STAGES = ["check-node", "fetch", "unpack", "check-package", "place-aside", "stop", "before-install", "swap",
          "after-install", "start", "validate-service"]


class Deployments(unittest.TestCase):
    def test_a_version_is_installed_by_the_programs_hands(self):
        world = World()
        world.want("1", 1)
        with world.agent() as agent:
            self.assertTrue(agent.run(until=world.ended(1), timeout=600))
            self.assertEqual(agent.state["memory"], world.memory)
        self.assertEqual(world.outcomes(), {"1@1": (True, "")})
        self.assertEqual(world.versions(), ["1"])
        self.assertEqual([stage.split()[0] for stage in world.stages], [s for s in STAGES if s != "stop"])

    def test_what_fails_is_put_back_with_what_the_hands_said(self):
        world = World()
        world.want("1", 1)
        with world.agent() as agent:
            self.assertTrue(agent.run(until=world.ended(1), timeout=600))
            world.broken[("start", "2")] = "start.sh: exit status 3"
            world.want("2", 2)
            self.assertTrue(agent.run(until=world.ended(2), timeout=600))
        self.assertEqual(world.outcomes(), {"1@1": (True, ""), "2@2": (False, "start.sh: exit status 3")})
        self.assertEqual(world.versions(), ["1"])

    def test_the_next_process_goes_on_with_the_memory(self):
        world = World()
        world.want("1", 1)
        with world.agent() as agent:
            self.assertTrue(agent.run(until=lambda _: "swap 1" in world.stages, timeout=600))
        self.assertEqual(world.memory["task"]["stage"], "after-install")
        before = len(world.stages)
        with world.agent() as agent:
            self.assertTrue(agent.run(until=world.ended(1), timeout=600))
            self.assertEqual(world.stages[before], "after-install 1")
            done = len(world.stages)
            self.assertFalse(agent.run(timeout=3600))  # nothing is left to do
            self.assertEqual(len(world.stages), done)
        self.assertEqual(world.outcomes(), {"1@1": (True, "")})

    def test_the_journal_gives_the_same_steps_and_another_one_is_found(self):
        world = World()
        world.want("1", 1)
        with world.agent() as agent:
            agent.run(until=world.ended(1), timeout=600)
        steps = [record for record in world.records if "step" in record]
        again = convergence.replay_journal(world.records)
        self.assertEqual(again["processes"], 1)
        self.assertEqual([{"step": one["step"]} for one in again["steps"]][:len(steps)], steps)
        # by hand, step for step, through the function itself
        state = world.records[0]["begin"]
        for one in again["steps"]:
            step = convergence.agent_step(state, one["event"])
            state = step.pop("state")
            self.assertEqual(step, one["step"])
        changed = json.loads(json.dumps(world.records).replace('"stage": "fetch"', '"stage": "unpack"'))
        with self.assertRaises(convergence.Error) as raised:
            convergence.replay_journal(changed)
        self.assertEqual((raised.exception.code, raised.exception.kind), ("ABORTED", "conflict"))
        self.assertEqual([raised.exception.detail[which]["memory"]["task"]["stage"] for which in ("was", "now")],
                         ["unpack", "fetch"])

    def test_a_command_that_comes_before_anything_is_known_is_kept(self):
        world = World()
        world.want("1", 1)
        with world.agent() as agent:
            agent.command("pause")
            self.assertFalse(agent.run(timeout=60))
            self.assertEqual((world.stages, world.memory["paused"]), ([], True))
            agent.command("resume")
            self.assertTrue(agent.run(until=world.ended(1), timeout=600))

    def test_an_agent_whose_memory_cannot_be_kept_ends_before_it_does_anything(self):
        world = World()
        world.want("1", 1)

        def full(_):
            raise OSError("no room")

        world.remember = full
        with world.agent() as agent, self.assertRaises(OSError):
            agent.run(timeout=600)
        self.assertEqual(world.stages, [])

    def test_work_may_be_answered_later_and_stopped(self):
        world = World()
        world.want("1", 1)
        given = []
        stopped = []

        def later(work):
            given.append(work)
            return convergence.Agent.LATER

        with convergence.Agent(world.client, later, world.remember, stop=stopped.append, role="front", catalog_node=NODE,
                               config={"node": "n1"}) as agent:
            self.assertTrue(agent.run(until=lambda _: given, timeout=60))
            agent.done(given[0]["id"], **CLEAN["check-node"])
            self.assertTrue(agent.run(until=lambda _: len(given) == 2, timeout=60))
            self.assertEqual([work["stage"] for work in given], ["check-node", "fetch"])
            with self.assertRaises(convergence.Error) as raised:
                agent.done(given[0]["id"])
            self.assertEqual(raised.exception.kind, "not-found")
            world.client.kv.delete("convergence/desired/front/web/none")
            self.assertTrue(agent.run(until=lambda _: stopped, timeout=60))
            self.assertEqual(stopped, [given[1]["id"]])


class Decisions(unittest.TestCase):
    def test_a_roll_out_by_hand(self):
        """deploy, fleet_of, advance, target_on and status_of, from the first wave to the last good release."""
        def catalog(versions):
            rows = [{"Node": {"Node": node, "Address": "10.0.0.1"},
                     "Service": {"ID": "web", "Service": "web", "Port": 80,
                                 "Meta": {"version": version, "deployment": f"{version}@{version}"}},
                     "Checks": []} for node, version in versions.items()]
            return convergence.CatalogState.from_consul({
                "nodes": [{**NODE, "Node": node} for node in versions], "services": {"web": []}, "health": {"web": rows}})

        service = {**SERVICE, "last_good": {"version": "1", "port": 80}}
        service = convergence.deploy(service, {"version": "2", "port": 80, "package": SERVICE["package"]})
        self.assertEqual((service["version"], service["generation"]), ("2", 2))
        versions, phases, targets = {"n1": "1", "n2": "1"}, [], []
        for now in range(1, 10):
            moved = convergence.advance(service, convergence.fleet_of(service, catalog(versions)), now)
            service = moved or service
            phases.append(service["progress"]["phase"])
            for node in versions:
                target = convergence.target_on(service, node, f"{versions[node]}@{versions[node]}")
                if target.get("release", {}).get("version") == "2" and versions[node] == "1":
                    targets.append(f"{node}: {target['why']}")
                    versions[node] = "2"
            if phases[-1] == "done":
                break
        self.assertEqual(list(dict.fromkeys(phases)), ["first-wave", "bake", "rest", "done"])
        self.assertEqual(targets, ["n1: first wave", "n2: wanted"])
        self.assertEqual(service["last_good"]["version"], "2")
        status = convergence.status_of(service, catalog(versions))
        self.assertEqual((status["satisfied"], [line["standing"] for line in status["nodes"]]),
                         (True, ["as-wanted", "as-wanted"]))

    def test_environment_managers_keys_there_and_back(self):
        """What export writes is what import reads, through the client's own transaction."""
        from documents import THEIRS
        consul = World()
        write = convergence.export_environment(THEIRS, "e", "Web", expected_nodes=2)
        self.assertEqual(consul.client.txn(write["operations"])["Errors"], [])
        known = convergence.import_environment([], "e", "Web")
        pairs = consul.client.kv.recurse(known["prefix"])
        self.assertEqual([one["needs"] for one in convergence.import_environment(pairs, "e", "Web")["waiting"]],
                         [["environments/e/services/s/1/definition", "environments/e/services/s/1/installation"]])
        pairs += [consul.client.kv.get(key) for key in convergence.import_environment(pairs, "e", "Web")["keys"]]
        read = convergence.import_environment(pairs, "e", "Web")
        self.assertEqual((read["waiting"], read["broken"]), ([], []))
        self.assertEqual([(one["id"], one["version"], one["deployment"], one["port"]) for one in read["services"]],
                         [("e-s", "1", "d", 80)])
        self.assertEqual(convergence.export_environment(read["services"][0], "e", "Web", pairs)["left_out"], [])

    def test_rules_name_the_role_and_nothing_wider(self):
        rules = convergence.agent_rules(role="front", node="n1", services=["web"])
        self.assertIn('key_prefix "convergence/desired/front/"', rules)
        self.assertNotIn('"convergence/" {', rules)
        self.assertNotEqual(rules, convergence.operator_rules(role="front", node="n1", services=["web"]))


if __name__ == "__main__":
    unittest.main()
