"""plan, apply and chain on a real Consul: every exit status, their JSON whole."""
import json
import subprocess

from documents import DEFAULTS, ENTRIES, RESOLVER, ROUTER, SPLITTER, WEB
from harness import ConsulCase, ConsulServer, clean_environment, main, nobody_listens

MARK = {"managed-by": "convergence"}


class Usage(ConsulCase):
    def test_what_is_wrong_with_the_words_is_status_2(self):
        for words, problem in [
                ([], "usage: converge"), (["dance"], "dance: unknown command"),
                (["plan", "--colour"], "--colour: unknown option"), (["plan", "--prefix"], "--prefix: needs a value"),
                (["plan", "--json=yes"], "--json=yes: takes no value"), (["apply", "--max-rounds=many"], "--max-rounds=many"),
                (["chain"], "name the service"), (["watch", "all"], "watch takes no words"),
                (["plan", str(self.folder / "none.json")], "none.json: cannot be read")]:
            with self.subTest(words):
                done = self.converge(*words)
                self.assertEqual((done.code, done.out), (2, ""), done.err)
                self.assertIn(problem, done.err)

    def test_help_and_version_are_status_0(self):
        for words, text in [(["--help"], "usage: converge"), (["plan", "--help"], "--detailed-exitcode"),
                            (["version"], "converge 0.1.0")]:
            with self.subTest(words):
                done = self.converge(*words)
                self.assertEqual(done.code, 0)
                self.assertIn(text, done.out)

    def test_a_consul_that_does_not_answer_is_status_1_and_says_so_in_json_too(self):
        for words in (["plan"], ["apply"], ["watch"], ["chain", "api"], ["rollout", "list"]):
            with self.subTest(words):
                done = self.converge(*words, "--json", "--http-addr", nobody_listens())
                self.assertEqual(done.code, 1, done.err)
                error = json.loads(done.out)["error"]
                self.assertEqual((error["code"], error["kind"]), ("UNAVAILABLE", "unreachable"))
                self.assertIn(error["message"], done.err)

    def test_bad_documents_are_status_2_with_one_error_that_names_the_place(self):
        for name, text, problem in [
                ("not.json", "{", "offset 1"), ("twice.json", '{"name":"a","name":"b"}', "/name (offset 12)"),
                ("type.json", '{"name":7}', "/name (offset 8)"), ("schema.json", '{"schema":99,"name":"a"}', "/schema (offset 10)"),
                ("deep.json", "[" * 65 + "]" * 65, "deep"), ("range.json", '{"name":"a","version":"1","port":1e400}', "port")]:
            with self.subTest(name):
                path = self.write(name, text)
                done = self.converge("apply", path)
                self.assertEqual((done.code, done.out), (2, ""), done.err)
                self.assertIn(str(path), done.err)
                self.assertIn(problem, done.err)
        self.assertEqual(self.get("/v1/kv/?keys"), [])  # nothing was written


class PlanAndApply(ConsulCase):
    def test_the_whole_way_of_one_service(self):
        self.register_node("n1", "web")
        files = [self.write("web.json", WEB)]
        planned = self.converge("plan", *files, "--json")
        self.assertEqual(planned.code, 0, planned.err)
        self.assertEqual(planned.document, self.one_service_plan())
        self.assertEqual(self.converge("plan", *files, "--detailed-exitcode").code, 3)
        self.assertEqual(self.converge("plan", "--detailed-exitcode").code, 0)  # KV wants nothing yet

        applied = self.converge("apply", *files, "--json")
        self.assertEqual(applied.code, 0, applied.err)
        self.assertEqual(applied.document, {
            "rounds": 2, "steps_done": 1, "conflicts": 0,
            "steps": [{"step": "register-service:n1/web", "outcome": "done"}],
            "plan": {"schema": 1, "catalog_index": "#", "steps": [], "held": []}, "broken": []})
        row = self.get("/v1/health/service/web")[0]["Service"]
        self.assertEqual((row["ID"], row["Port"], row["Meta"]),
                         ("web", 80, {**MARK, "version": "1.0", "role": "web"}))
        self.assertEqual(self.converge("plan", "--detailed-exitcode").code, 0)
        again = self.converge("apply")
        self.assertEqual((again.code, again.out), (0, "converged: 0 steps in 1 rounds\n"))

    def one_service_plan(self):
        body = {"node": "n1", "checks": [], "remove_checks": [], "service": {
            "ID": "web", "Service": "web", "Tags": [], "Address": "", "Meta": {**MARK, "role": "web", "version": "1.0"},
            "Port": 80, "Weights": {"Passing": 1, "Warning": 1}, "EnableTagOverride": False, "CreateIndex": 0,
            "ModifyIndex": 0}}
        return {"schema": 1, "catalog_index": "#", "steps": [{
            "id": "register-service:n1/web", "action": "register-service",
            "target": {"node": "n1", "service_id": "web", "service": "web"}, "reason": "missing",
            "why": "web 1.0 is wanted on n1 (role web) and not there", "needs": [], "cas_index": 0, "cas_from": "", "body": body, "before": None}],
            "held": [], "broken": []}

    def test_entries_are_written_in_an_order_that_consul_takes(self):
        self.register_api("n1", "1")
        files = [self.write(f"{i}.json", entry) for i, entry in enumerate([ROUTER, SPLITTER, RESOLVER, DEFAULTS])]
        applied = self.converge("apply", *files, "--json")
        self.assertEqual(applied.code, 0, applied.err + applied.out)
        kinds = [step["step"] for step in json.loads(applied.out)["steps"]]
        self.assertEqual(sorted(kinds), [f"put-entry:{kind}/api" for kind in (
            "service-defaults", "service-resolver", "service-router", "service-splitter")])
        self.assertEqual(self.get("/v1/config/service-splitter/api")["Meta"], MARK)

    def test_what_is_not_wanted_stays_until_prune_and_foreign_things_stay_always(self):
        self.register_node("n1", "web")
        self.register_node("n2", "web")
        self.put("/v1/catalog/register", {"Node": "n2", "Address": "10.0.0.2", "SkipNodeUpdate": True,
                                          "Service": {"ID": "other", "Service": "other", "Port": 1}})
        self.put("/v1/config", {"Kind": "service-defaults", "Name": "other", "Protocol": "http"})
        self.assertEqual(self.converge("apply", self.write("web.json", WEB), self.write("d.json", DEFAULTS)).code, 0)
        self.assertEqual(self.consul.request("DELETE", "/v1/kv/convergence/?recurse").status, 200)
        kept = self.converge("apply", "--json")
        self.assertEqual(kept.code, 0, kept.err)
        self.assertEqual([held["reason"] for held in json.loads(kept.out)["plan"]["held"]], ["not-pruned"] * 3)
        pruned = self.converge("apply", "--prune", "--json")
        self.assertEqual(pruned.code, 0, pruned.err)
        self.assertEqual(sorted(step["step"] for step in json.loads(pruned.out)["steps"]),
                         ["delete-entry:service-defaults/api", "remove-service:n1/web", "remove-service:n2/web"])
        self.assertEqual(sorted(self.get("/v1/catalog/services")), ["consul", "other"])
        self.assertEqual(self.get("/v1/config/service-defaults/other")["Protocol"], "http")

    def test_a_broken_document_in_kv_is_status_2_and_stops_neither_the_others_nor_what_runs(self):
        self.register_node("n1", "web")
        self.put("/v1/kv/convergence/desired/web/web/none", WEB)
        self.put("/v1/kv/convergence/desired/web/torn/none", b'{"schema":1,"name":"to')
        applied = self.converge("apply", "--prune", "--json")
        self.assertEqual(applied.code, 2)
        document = json.loads(applied.out)
        self.assertEqual([step["outcome"] for step in document["steps"]], ["done"])
        (broken,) = document["broken"]
        self.assertEqual((broken["kind"], broken["detail"]["document"]), ("decode", "convergence/desired/web/torn/none"))
        self.assertEqual(len(self.get("/v1/health/service/web")), 1)

    def test_a_refused_token_is_status_1_with_consuls_own_text(self):
        with ConsulServer(acl=True) as consul:
            done = subprocess.run(self.command("plan", "--json", "--http-addr", consul.address, "--token", "wrong"),
                                  capture_output=True, text=True, env=clean_environment(), timeout=60)
            self.assertEqual(done.returncode, 1)
            error = json.loads(done.stdout)["error"]
            self.assertEqual((error["kind"], error["detail"]["status"]), ("denied", 403))
            self.assertIn("ACL not found", error["message"])
            self.assertNotIn("wrong", done.stdout + done.stderr)
            allowed = subprocess.run(self.command("plan", "--http-addr", consul.address), capture_output=True, text=True,
                                     env=clean_environment(CONSUL_HTTP_TOKEN=consul.token), timeout=60)
            self.assertEqual(allowed.returncode, 0, allowed.stderr)


class Chain(ConsulCase):
    def test_a_live_chain_with_its_instances(self):
        self.set_up_api()
        done = self.converge("chain", "api", "--path", "/orders")
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(done.out.split("\n\n")[0], "\n".join([
            "api (http)",
            "├─ path /*, 3 retries on 500 503",
            "│  ├─ 100 %",
            "│  │  └─ v1.api.default.dc1  [Service.Meta.version == 1]  1 of 1 healthy",
            "│  └─ 0 %",
            "│     └─ v2.api.default.dc1  [Service.Meta.version == 2]  1 of 1 healthy",
            "└─ path /*, no retries",
            "   ├─ 100 %",
            "   │  └─ v1.api.default.dc1  [Service.Meta.version == 1]  1 of 1 healthy",
            "   └─ 0 %",
            "      └─ v2.api.default.dc1  [Service.Meta.version == 2]  1 of 1 healthy"]))
        machine = self.converge("chain", "api", "--json", "--path", "/orders")
        document = json.loads(machine.out)
        self.assertEqual(document["Chain"], self.get("/v1/discovery-chain/api")["Chain"])
        self.assertEqual(document["health"], {"v1.api.default.dc1": {"healthy": 1, "total": 1},
                                              "v2.api.default.dc1": {"healthy": 1, "total": 1}})
        self.assertEqual([(leg["weight"], leg["target"]) for leg in document["route"]["splits"]],
                         [(100, "v1.api.default.dc1"), (0, "v2.api.default.dc1")])
        self.assertEqual(sorted(document), ["Chain", "health", "route"])

    def test_from_files_without_a_consul_and_refusals_in_consuls_words(self):
        files = [self.write(f"{i}.json", entry) for i, entry in enumerate(ENTRIES)]
        done = self.converge("chain", "api", *files, "--http-addr", nobody_listens())
        self.assertEqual((done.code, done.out.splitlines()[0]), (0, "api (http)"), done.err)
        bad = self.converge("chain", "api", self.write("s.json", SPLITTER), "--json")
        self.assertEqual(bad.code, 2)
        error = json.loads(bad.out)["error"]
        self.assertEqual((error["kind"], error["message"]), ("graph", 'service "api" does not have a subset named "v1"'))


if __name__ == "__main__":
    main()
