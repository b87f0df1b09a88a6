"""converge collect on a real Consul: our own keys and Environment Manager's, by exact keys (W-S6, W-S15, W-S16)."""

import datetime
import json
import unittest

from harness import ConsulCase, ConsulServer, main


def _report(days, ended=True):
    time = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)
    text = time.strftime("%Y-%m-%dT%H:%M:%S.%f")
    return {"Cause": "Deployment", "StartTime": text, "EndTime": text if ended else "", "Status": "Success",
            "LastCompletedStage": "Complete", "NumberOfAttempts": 1, "Log": ""}


class Collect(ConsulCase):
    def kv(self, pairs):
        for key, value in pairs.items():
            self.put(f"/v1/kv/{key}", value)

    def keys(self):
        return self.get("/v1/kv/?keys")

    def says(self, *words, code=0):
        return super().says("collect", *words, code=code)

    def test_our_own_keys(self):
        ours = "convergence/deployments/web/shop"
        self.kv({"convergence/desired/web/shop/none": {"name": "shop", "version": "3", "generation": 3},
                 f"{ours}/1@1/nodes/n1": _report(40), f"{ours}/1@1/nodes/n2": _report(40, ended=False),
                 f"{ours}/1@1/record": {"version": "1", "at": 0},
                 f"{ours}/2@2/nodes/n1": _report(20), f"{ours}/3@3/nodes/n1": _report(40),
                 f"{ours}-blue/1@1/nodes/n1": _report(3), "convergence/deployments/notes": {}})
        before = self.keys()
        self.assertRegex("\n".join(self.says("--dry-run")),
                         r"^deployment web/shop 1@1 would go: 3 keys, last sign \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n"
                         r"0 keys went; 3 deployments and versions stay$")
        self.assertEqual(self.keys(), before)
        self.says()
        gone = {f"{ours}/1@1/nodes/n1", f"{ours}/1@1/nodes/n2", f"{ours}/1@1/record"}
        self.assertEqual(self.keys(), [key for key in before if key not in gone])
        told = json.loads(self.converge("collect", "--older-than", "19d", "--json").out)
        self.assertEqual([(one["name"], one["keys"]) for one in told["goes"]],
                         [("web/shop 2@2", [f"{ours}/2@2/nodes/n1"])])
        self.assertEqual((told["keys"], told["changed"], told["stays"]),
                         (1, [], [{"kind": "deployment", "name": "web/shop 3@3", "why": "it is wanted"},
                                  {"kind": "deployment", "name": "web/shop-blue 1@1",
                                   "why": "it is younger than the retention"}]))
        self.assertEqual(self.says(), ["0 keys went; 2 deployments and versions stay"])

    def test_environment_managers_keys(self):
        versions = "environments/pr1/services/Shop"
        subject = {"Name": "Shop", "ServerRole": "Web", "Environment": "pr1", "Action": "Install"}
        self.kv({"environments/pr1/roles/Web-blue/services/Shop/blue": {"Version": "2", "DeploymentId": "d2"},
                 "environments/pr1/roles/WebAdmin/services/Shop": {"Version": "3", "DeploymentId": "d3"},
                 **{f"{versions}/{version}/{what}": {} for version in "123" for what in ("definition", "installation")},
                 **{f"deployments/d{version}/service": {**subject, "Version": version} for version in "123"},
                 **{f"deployments/d{version}/nodes/i-1": _report(40) for version in "123"},
                 "deployments/d10/nodes/i-1": _report(40), "nodes/i-1/cold-standby": {}})
        before = self.keys()
        lines = self.says("--environment", "pr1")
        self.assertEqual([line.split(":")[0] for line in lines[:-1]], ["version Shop 1 goes", "deployment d1 goes"])
        gone = {f"{versions}/1/definition", f"{versions}/1/installation", "deployments/d1/service",
                "deployments/d1/nodes/i-1"}
        self.assertEqual(self.keys(), [key for key in before if key not in gone])
        self.assertEqual(self.says("--environment", "pr1"), ["0 keys went; 5 deployments and versions stay"])
        self.assertEqual(self.says("--environment", "pr1/roles/Web", code=2),
                         ['converge: the environment "pr1/roles/Web" holds a slash, and may name no path'])

    def test_more_than_one_transaction(self):
        self.kv({f"convergence/deployments/web/shop/1/nodes/n{i}": _report(40) for i in range(130)})
        self.assertEqual(self.says()[-1], "130 keys went; 0 deployments and versions stay")
        self.assertIn(self.keys(), ([], None))

    def test_bad_words_are_one_clear_error(self):
        for words, message in ((["all"], "converge collect: takes no words; see --help"),
                               (["--older-than", "xd"], "--older-than=xd: is no number of days"),
                               (["--older-than", "-1h"], "--older-than=-1h: is no duration; write 10s or 1m30s"),
                               (["--environment="], "converge collect: --environment has no name")):
            with self.subTest(words=words):
                self.assertEqual(self.says(*words, code=2), ["converge: " + message])


class Rights(ConsulCase):
    """Consul leaves out of a list, without a word, what a token may not read."""

    def setUp(self):
        super().setUp()
        self.consul = self.enterContext(ConsulServer(acl=True))

    def token(self, name, rules):
        text = "".join(f'key_prefix "{prefix}" {{ policy = "{policy}" }}\n' for prefix, policy in rules.items())
        text += 'node_prefix "" { policy = "read" }\nservice_prefix "" { policy = "read" }\n'
        self.put("/v1/acl/policy", {"Name": name, "Rules": text})
        answer = self.consul.request("PUT", "/v1/acl/token", json.dumps({"Policies": [{"Name": name}]}).encode())
        return json.loads(answer.body)["SecretID"]

    def test_a_token_that_sees_not_all_that_is_wanted_deletes_nothing(self):
        theirs = {"environments/pr1/roles/Web/services/Shop/none": {"Version": "1", "DeploymentId": "d1"},
                  "environments/pr1/services/Shop/1/definition": {},
                  "deployments/d1/service": {"Name": "Shop", "Version": "1", "Environment": "pr1"},
                  "deployments/d1/nodes/i-1": _report(40)}
        ours = {"convergence/desired/web/shop/none": {"name": "shop", "version": "1", "generation": 1},
                "convergence/deployments/web/shop/1@1/nodes/n1": _report(40)}
        for key, value in {**theirs, **ours}.items():
            self.put(f"/v1/kv/{key}", value)
        before = self.get("/v1/kv/?keys")
        for name, rules, words, folder in (
                ("ours", {"convergence/deployments/": "write"}, [], "convergence/desired/web/"),
                ("theirs", {"deployments/": "write", "environments/pr1/services/": "write"}, ["--environment", "pr1"],
                 "environments/pr1/roles/"),
                ("one-role", {"deployments/": "write", "environments/pr1/services/": "write",
                              "environments/pr1/roles/Other/": "read"}, ["--environment", "pr1"],
                 "environments/pr1/roles/")):
            with self.subTest(name=name):
                token = self.token(name, rules)
                for more in ([], ["--dry-run"]):
                    done = self.converge("collect", *words, *more, "--token", token)
                    self.assertEqual(done.code, 1, done.out + done.err)
                    self.assertIn(f"the token has too few rights ({folder}.collect: Permission denied)",
                                  done.err)
        # One that sees all, and may write nothing.
        reader = self.token("reader", {"": "read"})
        self.put("/v1/kv/convergence/deployments/web/shop/0@0/nodes/n1", _report(40))
        done = self.converge("collect", "--token", reader)
        self.assertEqual(done.code, 1)
        self.assertIn("the token has too few rights (convergence/deployments/web/.collect: Permission denied)", done.err)
        self.assertEqual(self.get("/v1/kv/?keys"), sorted([*before, "convergence/deployments/web/shop/0@0/nodes/n1"]))


if __name__ == "__main__":
    main()
