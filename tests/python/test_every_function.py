"""Every function of the C API through Python: an input it takes, and one it refuses, whose kind and detail are compared."""
import pathlib
import unittest

import convergence
from convergence import _capi
from convergence._capi import call, call_for_document, call_for_handle, document, library, text
from documents import DEFAULTS, NODE, POLICY, SERVICE, START, THEIRS, instance, prepare


class Consul:
    """An embedded Consul on a simulated clock with a client, and everything to reach below both."""

    def __init__(self):
        self.loop = convergence.Loop(simulated=True)
        self.consul = convergence.MemoryConsul(clock=self.loop)
        self.connection = self.consul.connect()
        self.client = convergence.Client(transport=self.connection)


def entries(*puts):
    store = convergence.ConfigEntries()
    for entry in puts:
        store.put(entry)
    return store


def rollout(service="api"):
    consul = Consul()
    prepare(consul.client)
    evidence = {"stable": {"requests": 100, "errors": 0}, "candidate": {"requests": 100, "errors": 0}}
    return convergence.Rollout(consul.client, service, lambda request: evidence)


def agent(**options):
    return convergence.Agent(Consul().client, lambda work: None, lambda memory: None, config={"node": "n1"}, **options)


def started(verb, **arguments):
    consul = Consul()
    identity = consul.client.begin(verb, **arguments)
    return consul.loop.wait_for(identity)


def serve(times):
    consul = convergence.MemoryConsul()
    return [consul.serve() for _ in range(times)]


def faulty(rules):
    consul = Consul()
    client = convergence.Client(transport=convergence.fault(consul.connection, rules), max_tries=1)
    return client.kv.get("a")


def recorded():
    consul = Consul()
    connection = convergence.record(consul.connection)
    convergence.Client(transport=connection).kv.put("a", "b")
    return connection.recording


def answered(status, identity):
    """Completes the first request of a host's transport, or one that nobody made."""
    connection = convergence.host(convergence.Loop(simulated=True), lambda request: (status, {}, b'"leader"'))
    if identity:
        call("cvg_connection_complete", connection.pointer, identity, status, document([]), text(b""))
    return convergence.Client(transport=connection, max_tries=1).leader()


def host_failed(identity):
    connection = convergence.host(convergence.Loop(simulated=True), lambda request: (200, {}, b""))
    call("cvg_connection_fail", connection.pointer, identity, text("gone"))


def held(handle, use):
    """Calls with the pointer of an object that lives as long as the call does."""
    return use(handle.pointer)


def raising(_):
    raise LookupError("my own")


# function: (good input, bad input, code, kind, part of the detail of the bad one)
USAGE = "FAILED_PRECONDITION"
CASES = {
    "cvg_route": (lambda: convergence.route(entries().compile("api"), {"path": "/"})["splits"][0]["target"],
                  lambda: convergence.route({"Nodes": []}, {}), "INVALID_ARGUMENT", "decode", {"document": "chain"}),
    "cvg_route_with_catalog": (lambda: convergence.route(entries().compile("api"), {}, {"datacenter": "dc1"})["splits"][0]["health"],
                               lambda: convergence.route(entries().compile("api"), {}, {"nodes": 7}),
                               "INVALID_ARGUMENT", "decode", {"document": "catalog", "pointer": "/nodes", "offset": 9}),
    "cvg_draw_chain": (lambda: convergence.draw(entries().compile("api"), "mermaid"),
                       lambda: convergence.draw(entries().compile("api"), "oil"), USAGE, "usage", {}),
    "cvg_import": (lambda: convergence.import_documents('Kind = "service-defaults"\nName = "web"')["imported"][0]["Name"],
                   lambda: convergence.import_documents('a = 1\nb = c', format="hcl"),
                   "INVALID_ARGUMENT", "decode", {"document": "text", "line": 2, "column": 5}),
    "cvg_lint": (lambda: convergence.lint([{"Kind": "service-router", "Name": "api", "Routes": [
                     {"Destination": {"NumRetries": 2}}]}])[0]["rule"],
                 lambda: convergence.lint({}), "INVALID_ARGUMENT", "decode", {"document": "entries"}),
    "cvg_filter": (lambda: convergence.filter("Service.Port == 80", [{"Node": {}, "Service": {"Port": 80}, "Checks": []}]),
                   lambda: convergence.filter("Service.Port = 80", []), "INVALID_ARGUMENT", "filter", {}),
    "cvg_filter_of_kind": (lambda: convergence.filter("Meta.zone == a", [{"Node": "n1", "Meta": {"zone": "a"}}], kind="node")[0]["Node"],
                           lambda: convergence.filter("Node.Meta.zone == a", [], kind="node"),
                           "INVALID_ARGUMENT", "filter", {"offset": 0}),
    "cvg_plan_config": (lambda: convergence.plan_config([DEFAULTS], [])["steps"][0]["action"],
                        lambda: convergence.plan_config([{"Kind": "service-router"}, {"Name": "x"}], []),
                        "INVALID_ARGUMENT", "decode", {}),
    "cvg_catalog_from_consul": (lambda: convergence.CatalogState.from_consul({"nodes": []}),
                                lambda: convergence.CatalogState.from_consul({"nodes": [7]}),
                                "INVALID_ARGUMENT", "decode", {"document": "answers", "pointer": "/nodes/0", "offset": 10}),
    "cvg_converge": (lambda: convergence.converge({"services": []}, convergence.CatalogState.from_consul({})),
                     lambda: convergence.converge({"schema": 99, "services": []}, {}),
                     "INVALID_ARGUMENT", "decode", {"document": "desired", "pointer": "/schema", "offset": 10}),
    "cvg_undo": (lambda: convergence.undo(convergence.plan_config([DEFAULTS], []))["steps"][0]["action"],
                 lambda: convergence.undo('{"steps": 1'), "INVALID_ARGUMENT", "decode", {"document": "plan", "offset": 11}),
    "cvg_describe_plan": (lambda: convergence.describe(convergence.plan_config([DEFAULTS], [])),
                          lambda: convergence.describe({"schema": 1, "catalog_index": 1, "steps": [{"id": 7}]}), "INVALID_ARGUMENT", "decode",
                          {"pointer": "/steps/0/id"}),
    "cvg_canary_step": (lambda: convergence.canary_step(POLICY, None, START)["effects"][0]["id"],
                        lambda: convergence.canary_step({**POLICY, "min_success_rate": 7}, None, START),
                        "INVALID_ARGUMENT", "validate", {}),
    "cvg_agent_step": (lambda: convergence.agent_step(convergence.agent_state("n1"), {"at": 1, "type": "started"}),
                       lambda: convergence.agent_step(convergence.agent_state("n1"), {"at": 1, "type": "stop"}),
                       "INVALID_ARGUMENT", "decode", {"document": "event", "pointer": "/type"}),
    "cvg_replay": (lambda: convergence.replay_journal([]), lambda: convergence.replay_journal([{"end": 1}]),
                   "INVALID_ARGUMENT", "decode", {}),
    "cvg_plan_node": (lambda: convergence.plan_node([SERVICE], {"node": "n1"})[0]["action"],
                      lambda: convergence.plan_node([SERVICE, {}], {"node": "n1"}),
                      "INVALID_ARGUMENT", "decode", {"document": "services[1]"}),
    "cvg_services_on": (lambda: convergence.services_on([SERVICE], NODE)[0]["name"],
                        lambda: convergence.services_on([{**SERVICE, "placement": {"filter": "Port == 1"}}], NODE),
                        "INVALID_ARGUMENT", "filter", {}),
    "cvg_target_on": (lambda: convergence.target_on(SERVICE, "n1")["why"],
                      lambda: convergence.target_on([], "n1"), "INVALID_ARGUMENT", "decode", {"document": "service"}),
    "cvg_fleet_of": (lambda: convergence.fleet_of(SERVICE, {"nodes": [NODE]})["nodes"][0]["name"],
                     lambda: convergence.fleet_of(SERVICE, {}, {"n1": 7}), "INVALID_ARGUMENT", "decode",
                     {"document": "failed"}),
    "cvg_advance": (lambda: convergence.advance(SERVICE, {"nodes": []}, 1),
                    lambda: convergence.advance(SERVICE, {"nodes": [{}]}, 1), "INVALID_ARGUMENT", "decode",
                    {"document": "fleet", "pointer": "/nodes/0"}),
    "cvg_status_of": (lambda: convergence.status_of(SERVICE, {"nodes": [NODE]})["nodes"][0]["standing"],
                      lambda: convergence.status_of(SERVICE, {}, {"n1": {"Status": "Success"}}), "INVALID_ARGUMENT",
                      "decode", {"document": "reports/n1"}),
    "cvg_deploy": (lambda: convergence.deploy(SERVICE, {"version": "2"})["generation"],
                   lambda: convergence.deploy(SERVICE, {"version": 2}), "INVALID_ARGUMENT", "decode",
                   {"document": "release", "pointer": "/version"}),
    "cvg_cancel": (lambda: convergence.cancel(convergence.deploy(SERVICE, {"version": "2"}), "ann"),
                   lambda: convergence.cancel(THEIRS), "INVALID_ARGUMENT", "refused", {}),
    "cvg_toggle": (lambda: convergence.toggle(SERVICE, False)["action"],
                   lambda: convergence.toggle({}, True), "INVALID_ARGUMENT", "decode", {"document": "service"}),
    "cvg_import_environment": (lambda: convergence.import_environment([], "e", "Web")["prefix"],
                               lambda: convergence.import_environment([{"Value": b"x"}], "e", "Web"),
                               "INVALID_ARGUMENT", "decode", {"document": "pairs[0]"}),
    "cvg_export_environment": (lambda: convergence.export_environment(THEIRS, "e", "Web")["operations"],
                               lambda: convergence.export_environment({**THEIRS, "name": "a/b", "id": "e-a/b"}, "e", "Web"),
                               "INVALID_ARGUMENT", "validate", {}),
    "cvg_appspec": (lambda: convergence.appspec("version: 0.0\nos: linux\n"),
                    lambda: convergence.appspec("version: 0.0\nos: linux\nfiles: 7\n", document="a.yml"),
                    "INVALID_ARGUMENT", "decode", {"document": "a.yml", "line": 3}),
    "cvg_agent_rules": (lambda: convergence.agent_rules(role="front", node="n1"),
                        lambda: convergence.agent_rules(nodes=["n1"]), "INVALID_ARGUMENT", "decode",
                        {"document": "scope", "pointer": "/nodes"}),
    "cvg_operator_rules": (lambda: convergence.operator_rules(services=["web"]),
                           lambda: convergence.operator_rules(services="web"), "INVALID_ARGUMENT", "decode",
                           {"document": "scope", "pointer": "/services"}),
    "cvg_compare": (lambda: convergence.compare([{"canary": {"n": 9, "x": 0}, "primary": {"n": 9, "x": 0}}])["verdict"],
                    lambda: convergence.compare([], {"alpha": 7}), "INVALID_ARGUMENT", "validate", {"field": "alpha"}),
    "cvg_simulate": (lambda: convergence.simulate({}, {"rps": 50, "canary": {"error_add": 0.1}}, 3, 1)["rolled_back"],
                     lambda: convergence.simulate({}, {"rps": -1}, 3, 1), "INVALID_ARGUMENT", "validate", {"field": "rps"}),
    "cvg_entries_new": (lambda: convergence.ConfigEntries(datacenter="dc7"),
                        lambda: convergence.ConfigEntries(dialect="7"), USAGE, "usage", {}),
    "cvg_entries_put": (lambda: entries(DEFAULTS).get("service-defaults", "api"),
                        lambda: entries({"Kind": "service-splitter", "Name": "api", "Splits": []}),
                        "INVALID_ARGUMENT", "validate", {}),
    "cvg_entries_delete": (lambda: entries(DEFAULTS).delete("service-defaults", "api"),
                           lambda: entries(DEFAULTS, {"Kind": "service-router", "Name": "api"}).delete(
                               "service-defaults", "api"), "INVALID_ARGUMENT", "graph", {"service": "api"}),
    "cvg_entries_get": (lambda: entries(DEFAULTS).get("service-defaults", "API"),
                        lambda: entries().get("service-defaults", "api"), "NOT_FOUND", "not-found", {}),
    "cvg_entries_list": (lambda: entries(DEFAULTS).list("service-defaults")[0]["Name"],
                         lambda: call_for_document("cvg_entries_list", None, text("")), USAGE, "usage", {}),
    "cvg_entries_compile": (lambda: entries(DEFAULTS).compile("api")["Protocol"],
                            lambda: entries().compile("api", override={"OverrideMeshGateway": {"Mode": "up"}}),
                            "INVALID_ARGUMENT", "validate", {}),
    "cvg_loop_new": (lambda: convergence.Loop().fileno(),
                     lambda: call("cvg_loop_new", None), USAGE, "usage", {}),
    "cvg_loop_new_simulated": (lambda: convergence.Loop(simulated=True, start=5).now,
                               lambda: convergence.Loop(simulated=True, start=-1), USAGE, "usage", {}),
    "cvg_loop_poll": (lambda: convergence.Loop(simulated=True).poll() == 0,
                      lambda: call("cvg_loop_poll", None, 0, None), USAGE, "usage", {}),
    "cvg_loop_advance": (lambda: convergence.Loop(simulated=True).advance(1),
                         lambda: convergence.Loop().advance(1), USAGE, "usage", {}),
    "cvg_connection_curl": (lambda: convergence.connect(convergence.Loop(), address="127.0.0.1:1"),
                            lambda: convergence.connect(convergence.Loop(), address=7), "INVALID_ARGUMENT", "decode",
                            {"document": "options", "pointer": "/address", "offset": 11}),
    "cvg_connection_host": (lambda: answered(200, 0),
                            lambda: held(convergence.Loop(), lambda loop: call_for_handle("cvg_connection_host", loop, None)),
                            USAGE, "usage", {}),
    "cvg_connection_complete": (lambda: answered(200, 0), lambda: answered(200, 77), "NOT_FOUND", "not-found", {}),
    "cvg_connection_fail": (None, lambda: host_failed(77), "NOT_FOUND", "not-found", {}),
    "cvg_connection_record": (recorded, lambda: held(convergence.Loop(), lambda loop: call_for_handle("cvg_connection_record", loop, None)),
                              USAGE, "usage", {}),
    "cvg_connection_recording": (recorded, lambda: Consul().connection.recording, USAGE, "usage", {}),
    "cvg_connection_replay": (lambda: convergence.replay(convergence.Loop(simulated=True), recorded()),
                              lambda: convergence.replay(convergence.Loop(simulated=True), {"schema": 99}),
                              "INVALID_ARGUMENT", "decode", {"document": "recording"}),
    "cvg_connection_fault": (lambda: faulty([]) is None,
                             lambda: faulty([{"kind": "status", "status": 500, "body": "no leader"}]),
                             "UNAVAILABLE", "server", {"status": 500, "body": "no leader"}),
    "cvg_memory_consul_new": (lambda: convergence.MemoryConsul(datacenter="dc9"),
                              lambda: convergence.MemoryConsul(node=7), "INVALID_ARGUMENT", "decode",
                              {"pointer": "/node"}),
    "cvg_memory_consul_connect": (lambda: Consul().connection,
                                  lambda: call_for_handle("cvg_memory_consul_connect", None), USAGE, "usage", {}),
    "cvg_memory_consul_serve": (lambda: serve(1), lambda: serve(2), USAGE, "usage", {}),
    "cvg_client_new": (lambda: Consul().client,
                       lambda: convergence.Client(transport=Consul().connection, max_tries=0), USAGE, "usage", {}),
    "cvg_client_begin": (lambda: started("kv_put", key="a", value="b"), lambda: started("kv_fetch"), USAGE, "usage", {}),
    "cvg_client_call": (lambda: Consul().client.kv.put("a", "b"),
                        lambda: Consul().client.config.put({"Kind": "service-router", "Name": "api"}),
                        "UNAVAILABLE", "server", {"status": 500}),
    "cvg_watch_start": (lambda: Consul().client.watch("kv_get", key="a").next(),
                        lambda: Consul().client.watch("kv_put", key="a"), USAGE, "usage", {}),
    "cvg_rollout_new": (rollout, lambda: rollout(""), USAGE, "usage", {}),
    "cvg_rollout_start": (lambda: rollout().start(POLICY, "r", "2")["phase"],
                          lambda: rollout().start({**POLICY, "steps": "many"}, "r", "2"), "INVALID_ARGUMENT", "decode",
                          {"document": "policy", "pointer": "/steps"}),
    "cvg_rollout_resume": (None, lambda: rollout().resume(), "NOT_FOUND", "not-found", {}),
    "cvg_rollout_command": (None, lambda: rollout().command("abort"), "NOT_FOUND", "not-found", {}),
    "cvg_rollout_measured": (None, lambda: held(rollout(), lambda pointer: call("cvg_rollout_measured", pointer, document({"epoch": 9}))),
                             "NOT_FOUND", "not-found", {}),
    "cvg_agent_new": (lambda: agent(),
                      lambda: agent(spread="soon"), "INVALID_ARGUMENT", "decode", {"pointer": "/spread"}),
    "cvg_agent_done": (None, lambda: agent().done(7), "NOT_FOUND", "not-found", {}),
    "cvg_agent_damaged": (lambda: agent().damaged(["web"]), lambda: agent().damaged([7]), "INVALID_ARGUMENT", "decode",
                          {"document": "service_ids"}),
    "cvg_agent_command": (lambda: agent().command("pause"), lambda: agent().command("stop"), "INVALID_ARGUMENT", "decode",
                          {"document": "command", "pointer": "/verb"}),
    "cvg_agent_state": (lambda: agent().state["config"]["node"],
                        lambda: call_for_document("cvg_agent_state", None), USAGE, "usage", {}),
}

# What cannot fail, or is looked at by every test here on its way.
WITHOUT_FAILURE = {
    "cvg_version", "cvg_abi_version", "cvg_text", "cvg_buffer_free", "cvg_error_code", "cvg_error_message",
    "cvg_error_kind", "cvg_error_detail", "cvg_error_free", "cvg_entries_free", "cvg_loop_descriptor", "cvg_loop_now",
    "cvg_loop_next_due", "cvg_loop_next", "cvg_loop_free", "cvg_connection_free", "cvg_memory_consul_free",
    "cvg_client_free", "cvg_watch_free", "cvg_rollout_free", "cvg_agent_free",
}


class EveryFunction(unittest.TestCase):
    def test_the_tables_name_every_function(self):
        named = set(CASES) | WITHOUT_FAILURE
        self.assertEqual({name for name, _, _ in _capi.PROTOTYPES}, named)

    def test_good_inputs_are_taken(self):
        for name, (good, *_) in CASES.items():
            if good is not None:
                with self.subTest(name):
                    good()

    def test_bad_inputs_are_refused_with_kind_and_detail(self):
        for name, (_, bad, code, kind, detail) in CASES.items():
            with self.subTest(name):
                with self.assertRaises(convergence.Error) as raised:
                    bad()
                error = raised.exception
                self.assertEqual((error.code, error.kind), (code, kind), error.message)
                self.assertEqual({key: error.detail.get(key) for key in detail}, detail)
                self.assertEqual(error.detail["kind"], kind)
                self.assertTrue(error.message)
                self.assertNotIn("\n", error.message.rstrip("\n") if kind != "validate" else "")

    def test_functions_without_failure_take_nothing(self):
        for name in ("cvg_buffer_free", "cvg_error_free", "cvg_entries_free", "cvg_loop_free", "cvg_connection_free",
                     "cvg_memory_consul_free", "cvg_client_free", "cvg_watch_free", "cvg_rollout_free", "cvg_agent_free"):
            with self.subTest(name):
                self.assertIsNone(getattr(library, name)(None))
        self.assertEqual(library.cvg_error_code(None), 0)
        self.assertEqual(library.cvg_version().decode(), convergence.__version__)
        self.assertEqual(library.cvg_loop_descriptor(None), -1)

    def test_the_whole_way_of_resume_command_and_measured(self):
        """The functions whose good input needs a rollout under way."""
        consul = Consul()
        prepare(consul.client)
        seen = []

        def measure(request):
            if not seen:  # a command from beside, while the rollout runs
                other = convergence.Rollout(consul.client, "api", None)
                seen.append(other.command("promote", actor="me", reason="enough seen")["phase"])
            return {"stable": {"requests": 100, "errors": 0}, "candidate": {"requests": 100, "errors": 0}}

        state = convergence.Rollout(consul.client, "api", measure).start(POLICY, "r", "2", actor="me")
        self.assertEqual(state["phase"], "succeeded")
        again = convergence.Rollout(consul.client, "api", measure).resume()
        self.assertEqual(again, state)
        self.assertTrue(any("enough seen" in record["why"] for record in state["history"]), state["history"])


class HostTransport(unittest.TestCase):
    def test_an_exception_of_the_function_comes_back_as_itself(self):
        client = convergence.Client(transport=raising, loop=convergence.Loop(simulated=True), max_tries=1)
        with self.assertRaises(LookupError) as raised:
            client.leader()
        self.assertEqual(str(raised.exception), "my own")
        self.assertIsInstance(raised.exception.__cause__, convergence.Error)

    def test_it_sees_what_was_asked(self):
        requests = []

        def answer(request):
            requests.append(request)
            return 200, {"X-Consul-Index": "7"}, b"[]"

        client = convergence.Client(transport=answer, loop=convergence.Loop(simulated=True))
        self.assertEqual(client.call("kv_recurse", prefix="a b/"),
                         {"index": 7, "known_leader": True, "last_contact": 0, "value": []})
        self.assertEqual([(r["method"], r["target"].split("?")[0], r["body"]) for r in requests],
                         [("GET", "/v1/kv/a%20b/", b"")])


if __name__ == "__main__":
    unittest.main()
