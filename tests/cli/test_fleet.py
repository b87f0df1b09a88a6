"""The operator's verbs on a real Consul with a running agent: deploy, status, diff, cancel, toggle, logs, history, lock,
maintenance, policy; and agent and operator under ACLs that allow no more than `policy` prints."""

import json
import unittest

import test_agent
from harness import Commands, ConsulServer, PROGRAMS, clean_environment, main, nobody_listens


class FleetCase(Commands, test_agent.AgentCase):
    def setUp(self):
        super().setUp()
        self.settle()

    def settle(self):
        """Until the node's Meta is in the catalog: it comes after the server answers."""
        self.log = self.folder / "nothing"
        self.log.touch()
        self.wait("meta", lambda: any((node["Meta"] or {}).get("role") == "web" for node in self.get("/v1/catalog/nodes") or []))

    def node(self):
        return self.get("/v1/agent/self")["Config"]["NodeName"]

    def phase(self):
        return self.get("/v1/kv/convergence/desired/web/shop/none?raw").get("progress", {"phase": "new", "generation": 0})

    def document(self, **more):
        path = self.folder / "shop.json"
        path.write_text(json.dumps({"name": "shop", "version": "0", "port": self.port, "placement": {"role": "web"},
                                    "strategy": {"health_deadline": "20s"}, **more}))
        return path


class Verbs(FleetCase):
    def test_from_the_first_deployment_to_one_that_is_taken_back(self):
        node = self.node()
        first = self.package("1.0")
        words = ["deploy", "web/shop", "1.0", "-file", self.document(), "-package", first, "-reason", "first"]
        self.assertEqual(self.says(*words, "--dry-run"), ["would be: web/shop: nothing -> 1.0 (1.0@1)"])
        self.assertEqual(self.says("status"), ["no service is wanted"])
        self.says(*words)
        wanted = self.get("/v1/kv/convergence/desired/web/shop/none?raw")
        self.assertEqual((wanted["version"], wanted["generation"], wanted["package"]["source"]),
                         ("1.0", 1, f"file://{first}"))
        self.assertEqual(self.says("diff"), [f"missing    shop on {node}: 1.0: its first wave is not chosen yet"])
        self.assertEqual(len(self.tells("diff", "--detailed-exitcode", code=3)["differences"]), 1)
        with self.agent():
            lines = self.says("deploy", "shop", "1.0", "--wait")
            self.assertEqual(lines[0], "web/shop 1.0 is wanted already")
            self.assertIn("web/shop 1.0: done, 1 of 1 nodes as wanted", lines)
            self.assertEqual(self.says("diff"), ["no difference: 1 instances as wanted"])

            # Without a package of its own 2.0 would be 1.0 again.
            self.assertEqual(self.says("deploy", "shop", "2.0", code=2),
                             ["converge: deploy: the package that is there is that of 1.0; name the one of 2.0 with "
                              "-package or -file"])
            self.says("deploy", "shop", "2.0", "-package", self.package("2.0"), "--wait")
            self.assertEqual(self.installed(), "2.0")

            # W-A9: exit 1 and the reason where it was taken back.
            bad = self.package("3.0", validate=test_agent._BAD)
            failed = self.says("deploy", "shop", "3.0", "-package", bad, "--wait", code=1)
            why = f"{node}: validate-service: hooks/validate.sh: exit status 7"
            self.assertEqual(failed, [f"converge: shop 3.0: taken back: {why}"])
            self.assertEqual(self.installed(), "2.0")
            status = self.tells("status", "shop")["services"][0]
            self.assertEqual((status["phase"], status["why"], status["last_good"], status["satisfied"]),
                             ("reverted", why, "2.0", True))

            logs = self.says("logs", node)
            self.assertIn("  this one is broken", logs)
            self.assertIn("shop 3.0 (3.0@3)", logs[0])
            self.assertEqual(self.says("logs", "nobody", code=1),
                             ["converge: nobody: has reported no deployment"])
            history = self.tells("history", "shop")
            self.assertEqual([(one["deployment"], one["record"]["by"], one["nodes"][node]["Status"]) for one in history],
                             [("3.0@3", "tester", "Failed"), ("2.0@2", "tester", "Success"),
                              ("1.0@1", "tester", "Success")])
            # F36: what was told while it went on is kept.
            self.assertRegex("\n".join(history[0]["record"]["log"]),
                             r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d web/shop 3.0: reverted, ")
            self.assertIn(f"web/shop 3.0@3: 0 of 1 nodes done, 1 failed, asked for by tester",
                          self.says("history", "-most", "1")[0])

            # W-S14: the same version again is another deployment, and only when asked for.
            self.assertEqual(self.says("deploy", "shop", "2.0", "-package", self.folder / "shop-2.0.zip"),
                             ["web/shop: 3.0 -> 2.0 (2.0@4)"])
            self.wait("good again", lambda: self.phase()["phase"] == "done" and self.phase()["generation"] == 4)

    def test_locks_hold_deployments_and_toggle_leaves_a_service_alone(self):
        self.says("deploy", "web/shop", "1.0", "-file", self.document(), "-package", self.package("1.0"))
        self.says("lock", "on", "-role", "web", "-reason", "freeze")
        self.assertEqual(self.says("deploy", "shop", "2.0", "-package", self.package("2.0"), code=1),
                         ["converge: shop: deployments are locked (roles/web); see converge lock"])
        self.assertEqual(self.says("status")[0], "locked: roles/web by tester: freeze")
        with self.agent():
            self.wait_line("waits: deployments of role web are locked by tester: freeze")
            self.says("lock", "on", "-node", self.node())
            self.says("lock", "off", "-role", "web")
            self.wait_line(f"waits: deployments on {self.node()} are locked by tester")
            self.assertNotIn("shop 1.0: check-node", self.lines())
            self.assertEqual(self.says("lock", "off", "-role", "web"), ["roles/web was not locked"])
            self.says("lock", "off", "-node", self.node())
            self.wait_line("not locked any more")
            self.wait_line("shop 1.0: done")

            # F8: switched off, it is left as it is.
            self.says("toggle", "shop", "off")
            self.says("deploy", "shop", "1.0")
            self.assertEqual(self.tells("status")["services"][0]["action"], "install")
            self.says("toggle", "shop", "off")
            self.assertEqual(self.tells("status")["services"][0]["nodes"][0]["standing"], "ignored")
            self.assertEqual(self.says("toggle", "shop", "off"),
                             ["web/shop is switched off: agents leave it as it is already"])
            self.says("toggle", "shop", "on")

            # F9, F65: off its node, then forgotten.
            self.assertEqual(self.says("undeploy", "shop", "--dry-run"),
                             ["would be: web/shop 1.0: is to be gone from its nodes"])
            self.says("undeploy", "shop")
            self.wait("gone", lambda: not self.get("/v1/catalog/service/shop"))
            self.says("undeploy", "shop", "--forget", "--dry-run")
            self.assertEqual(self.says("undeploy", "shop", "--forget"),
                             ["web/shop 1.0: is not wanted any more; what runs is left as it is"])
            self.assertEqual(self.says("status"), ["no service is wanted"])

    def test_what_is_on_its_way_can_be_taken_back(self):
        self.says("deploy", "web/shop", "1.0", "-file", self.document(strategy={"bake": "1h"}), "-package",
                  self.package("1.0"))
        with self.agent():
            self.wait("good", lambda: self.phase()["phase"] == "done")
            self.assertEqual(self.says("cancel", "shop", code=1),
                             ["converge: shop: nothing is on its way: 1.0 is done"])
            self.says("deploy", "shop", "2.0", "-package", self.package("2.0"))
            self.wait("bake", lambda: self.phase()["phase"] == "bake")
            self.assertEqual(self.says("cancel", "shop", "-reason", "too slow"),
                             ["web/shop 2.0: taken back (cancelled by tester: too slow), to 1.0"])
            self.wait("back", lambda: self.instances() == [("1.0", {"shop:page": "passing"})])
        self.assertEqual(self.installed(), "1.0")

    def test_what_nobody_wants_is_told(self):
        self.put("/v1/catalog/register", {"Node": "old", "Address": "10.0.0.9", "Service": {
            "ID": "rest", "Service": "rest", "Meta": {"managed-by": "convergence", "version": "7"}}})
        self.assertEqual(self.says("diff"), ["unexpected rest on old: 7 is wanted by nobody"])
        self.assertEqual(self.tells("diff")["unexpected"],
                         [{"node": "old", "service": "rest", "service_id": "rest", "version": "7"}])

    def test_maintenance_is_a_key_of_the_node(self):
        for words, key in ((["n1"], "convergence/nodes/n1/maintenance"),
                           (["i-1", "-environment-manager"], "nodes/i-1/cold-standby")):
            self.says("maintenance", words[0], "on", *words[1:], "-reason", "disk", "--dry-run")
            self.assertEqual(self.consul.request("GET", f"/v1/kv/{key}?raw").status, 404)
            self.says("maintenance", words[0], "on", *words[1:], "-reason", "disk")
            self.assertEqual(self.consul.request("GET", f"/v1/kv/{key}?raw").body, b"disk")
            self.says("maintenance", words[0], "off", *words[1:])
            self.assertEqual(self.consul.request("GET", f"/v1/kv/{key}?raw").body, b"")

    def test_bad_words_are_one_clear_error(self):
        for words, code, message in (
                (["deploy", "shop"], 2, "converge deploy: needs a service and a version; see --help"),
                (["deploy", "shop", "1"], 1,
                 "shop: no such service is wanted; give its document with -file"),
                (["toggle", "shop", "maybe"], 2, "converge toggle: needs a service, and on or off; see --help"),
                (["lock", "on", "-role", "a/b"], 2,
                 'lock "roles/a/b": has to be all, roles/<role> or nodes/<node>'),
                (["cancel", "shop"], 1, "shop: no such service is wanted; see converge status"),
                (["logs"], 2, "converge logs: needs the name of a node; see --help"),
                (["policy", "boss"], 2, "converge policy: needs agent or operator; see --help")):
            with self.subTest(words=words):
                self.assertEqual(self.says(*words, code=code), ["converge: " + message])
        self.assertEqual(self.converge("status", CONSUL_HTTP_ADDR=nobody_listens()).code, 1)


class Rights(FleetCase):
    """Default deny: agent and operator have the rules that `policy` prints, and no others."""

    def setUp(self):
        super().setUp()
        self.consul = self.enterContext(ConsulServer(acl=True, extra_config={"node_meta": {"role": "web"}}))
        self.settle()

    def token(self, name, rules):
        self.assertEqual(self.consul.request("PUT", "/v1/acl/policy",
                                             json.dumps({"Name": name, "Rules": rules}).encode()).status, 200)
        answer = self.consul.request("PUT", "/v1/acl/token", json.dumps({"Policies": [{"Name": name}]}).encode())
        return json.loads(answer.body)["SecretID"]

    def test_the_printed_rules_are_enough(self):
        node = self.node()
        agent_rules = self.tells("policy", "agent", "-role", "web", "-node", node, "-service", "shop")["rules"]
        operator = self.token("operator", self.tells("policy", "operator", "-role", "web")["rules"])
        agent = self.token("agent", agent_rules)
        file = self.folder / "token"
        file.write_text(agent)
        more = {"CONSUL_HTTP_TOKEN": operator}
        deploy = ["deploy", "web/shop", "1.0", "-file", self.document(), "-package", self.package("1.0")]
        self.assertEqual(self.converge(*deploy, **more).code, 0)
        with self.agent("-token-file", str(file), CONSUL_HTTP_TOKEN=""):
            done = self.converge("deploy", "shop", "1.0", "--wait", **more)
            self.assertEqual(done.code, 0, done.out + done.err + "\n".join(self.lines()))
            # The token is rotated: the old one is gone, the file has the new one.
            file.write_text(self.token("agent-2", agent_rules))
            accessor = next(one["AccessorID"] for one in self.get("/v1/acl/tokens")
                            if one.get("Policies") and one["Policies"][0]["Name"] == "agent")
            self.assertEqual(self.consul.request("DELETE", f"/v1/acl/token/{accessor}").status, 200)
            done = self.converge("deploy", "shop", "2.0", "-package", self.package("2.0"), "--wait", **more)
            self.assertEqual(done.code, 0, done.out + done.err + "\n".join(self.lines()))
        self.assertEqual(self.installed(), "2.0")
        for words in (["status"], ["diff"], ["history"], ["logs", node], ["toggle", "shop", "off"], ["lock", "on"],
                      ["lock", "off"], ["maintenance", node, "on"], ["collect", "--older-than", "1h"]):
            with self.subTest(words=words):
                done = self.converge(*words, **more)
                self.assertEqual(done.code, 0, done.out + done.err)
        self.switches(more)
        # No more than that: another role is closed to both.
        denied = self.converge("deploy", "db/sql", "1", "-file", self.folder / "sql.json", **more)
        self.assertNotEqual(denied.code, 0)

    def switches(self, more):
        """A switch writes the resolver of a service; one that the token does not name stays closed."""
        self.put("/v1/catalog/register", {
            "Node": "extra", "Address": "10.0.0.9", "NodeMeta": {"role": "web"},
            "Service": {"ID": "depot-blue", "Service": "depot", "Meta": {"slice": "blue", "version": "1"}}})
        self.put("/v1/kv/convergence/desired/web/depot/blue",
                 {"name": "depot", "slice": "blue", "version": "1", "placement": {"role": "web", "nodes": ["extra"]}})
        narrow = self.token("narrow", self.tells("policy", "operator", "-role", "web", "-service", "shop")["rules"])
        denied = self.converge("switch", "depot", "blue", CONSUL_HTTP_TOKEN=narrow)
        self.assertEqual(denied.code, 1, denied.out + denied.err)
        self.assertEqual(self.consul.request("GET", "/v1/config/service-resolver/depot").status, 404)
        done = self.converge("switch", "depot", "blue", **more)
        self.assertEqual((done.code, done.out), (0, "depot: both -> blue, 1 of 1 instances pass with 1\n"), done.err)


if __name__ == "__main__":
    main()
