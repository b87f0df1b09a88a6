"""The operator's verbs on Environment Manager's keys: on a real Consul, beside an agent that reads them, and under ACLs
that allow no more than `policy` prints."""

import functools
import hashlib
import http.server
import json
import threading

import test_agent
import test_fleet
from harness import ConsulServer, main

_POINTER = "environments/pr1/roles/web/services/shop/none"


class EnvironmentCase(test_fleet.FleetCase):
    def setUp(self):
        super().setUp()
        self.store = self.folder / "store"
        (self.store / "tl-deployment" / "pr1" / "shop").mkdir(parents=True)
        handler = functools.partial(test_agent.Quiet, directory=str(self.store))
        server = self.enterContext(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        self.endpoint = f"http://127.0.0.1:{server.server_port}"

    def package(self, version, **how):
        path = super().package(version, **how)
        path.rename(self.store / "tl-deployment" / "pr1" / "shop" / f"shop-{version}.zip")
        return f"s3://tl-deployment/pr1/shop/shop-{version}.zip"

    def agent(self, *words, **environment):
        return super().agent("-environment", "pr1", "-instance", "i-1", "-s3-endpoint", self.endpoint, *words,
                             **environment)

    def raw(self, key):
        answer = self.consul.request("GET", f"/v1/kv/{key}?raw")
        return answer.body.decode() if answer.status == 200 else None

    def keys(self):
        return self.get("/v1/kv/?keys") or []

    def write(self, texts):
        for key, text in texts.items():
            self.put(f"/v1/kv/{key}", text.encode())

    def on(self, *words, code=0):
        return self.says(*words, "--environment", "pr1", code=code)

    def asks(self, *words, code=0):
        return self.tells(*words, "--environment", "pr1", code=code)

    def overall(self):
        deployment = json.loads(self.raw(_POINTER))["DeploymentId"]
        return self.raw(f"deployments/{deployment}/overall_status")

    def deploy(self, version, *words, code=0):
        return self.on("deploy", "shop", version, "-package", self.package(version), *words, code=code)

    def first_deployment(self, *words):
        file = self.document(tags=["environment_type:Prod", "environment:pr1"])
        return self.on("deploy", "web/shop", "1.0", "-file", file, "-package", self.package("1.0"), *words)


class Documents(EnvironmentCase):
    def test_they_are_those_of_environment_manager_byte_for_byte(self):
        """environment-manager.md 1.7: the version before is theirs, the next one is written by deploy."""
        pointer = "environments/pr1/roles/Web/services/MyService/none"
        version = "environments/pr1/services/MyService"
        record = ('{{"Name":"MyService","Version":"{}","Slice":"none","DeploymentId":"{}","InstanceIds":[],'
                  '"Action":"Install"}}')
        definition = ('{{"Service":{{"Name":"pr1-MyService","ID":"pr1-MyService","Address":"",'
                      '"Ports":{{"blue":1234,"green":9876}},"Tags":["environment_type:Prod","environment:pr1",'
                      '"owning_cluster:Tango","version:{}"]}}}}')
        installation = ('{{"PackageBucket":"tl-deployment-prod","PackageKey":"pr1/MyService/MyService-{}.zip",'
                        '"InstallationTimeout":20}}')
        self.write({pointer: record.format("1.2.2", "d-0"), f"{version}/1.2.2/definition": definition.format("1.2.2"),
                    f"{version}/1.2.2/installation": installation.format("1.2.2")})
        for number in (1, 2):
            self.put("/v1/catalog/register", {"Node": f"n{number}", "Address": "10.0.0.9",
                                              "NodeMeta": {"role": "Web", "environment": "pr1"}})
        before = self.keys()
        words = ["deploy", "MyService", "1.2.3", "-package", "s3://tl-deployment-prod/pr1/MyService/MyService-1.2.3.zip",
                 "-deployment", "d-1"]
        line = "Web/MyService: 1.2.2 -> 1.2.3 (d-1)"
        self.assertEqual(self.on(*words, "--dry-run"), ["would be: " + line])
        self.assertEqual(self.keys(), before)
        self.assertEqual(self.on(*words, "-reason", "why not"), [line])
        self.assertEqual(self.raw(pointer), record.format("1.2.3", "d-1"))
        self.assertEqual(self.raw(f"{version}/1.2.3/definition"), definition.format("1.2.3"))
        self.assertEqual(self.raw(f"{version}/1.2.3/installation"), installation.format("1.2.3"))
        self.assertEqual(self.raw("deployments/d-1/service"),
                         '{"Name":"MyService","Version":"1.2.3","ServerRole":"Web","Environment":"pr1",'
                         '"Action":"Install","ExpectedNodeDeployments":2}')
        self.assertEqual(self.raw("deployments/d-1/overall_status"), "In Progress")
        # An id is spent once; without one of its own each deployment has a UUID as theirs have.
        self.assertIn("deployments/d-1/service: is another deployment already",
                      self.on("deploy", "MyService", "1.2.2", "-deployment", "d-1", code=1)[0])
        self.assertRegex(self.on("deploy", "MyService", "1.2.2")[0],
                         r"^Web/MyService: 1.2.3 -> 1.2.2 \([0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[89ab][0-9a-f]{3}-")
        self.assertEqual(self.raw("deployments/d-1/overall_status"), "Cancelled")

        # Toggle, undeploy: Action alone; to forget takes exact keys (F65, W-S6, W-S16).
        self.write({"environments/pr1/roles/Web/services/MyServiceTwo/none": record.format("1", "d-7")})
        self.on("toggle", "MyService", "off")
        self.assertEqual(json.loads(self.raw(pointer))["Action"], "Ignore")
        self.assertNotIn("action", self.asks("toggle", "MyService", "on"))
        self.assertEqual(json.loads(self.raw(pointer))["Action"], "Install")
        self.on("undeploy", "MyService", "--dry-run")
        self.assertEqual(json.loads(self.raw(pointer))["Action"], "Install")
        self.assertEqual(self.on("undeploy", "MyService"), ["Web/MyService 1.2.2: is to be gone from its nodes"])
        self.assertEqual(json.loads(self.raw(pointer))["Action"], "Uninstall")
        self.assertEqual(self.on("undeploy", "MyService", "--forget"),
                         ["Web/MyService 1.2.2: is not wanted any more; what runs is left as it is"])
        self.assertEqual([key for key in self.keys() if key.startswith("environments/")],
                         ["environments/pr1/roles/Web/services/MyServiceTwo/none",
                          f"{version}/1.2.3/definition", f"{version}/1.2.3/installation"])

    def test_a_package_is_found_by_service_and_version(self):
        """F33: the environment's own, then everybody's; every place is named where there is none."""
        bucket = "s3://tl-deployment/PACKAGES"
        words = ["deploy", "web/shop", "1.0", "-file", self.document(), "-packages", bucket, "-s3-endpoint", self.endpoint]
        folder = self.store / "tl-deployment" / "PACKAGES" / "shop" / "1.0"
        folder.mkdir(parents=True)
        below = f"{bucket}/shop/1.0"
        places = [f"{below}/pr1/shop-1.0-pr1.{kind}" for kind in ("zip", "tar.gz", "tar.zst")]
        places += [f"{below}/shop-1.0.{kind}" for kind in ("zip", "tar.gz", "tar.zst")]
        self.assertEqual(self.on(*words, code=1),
                         [f"converge: no package lies at {', '.join(places)}; publish it, or name it"])
        (folder / "shop-1.0.zip").write_bytes(b"everybody's")
        installation = "environments/pr1/services/shop/1.0/installation"

        def expect(key, content):
            self.assertEqual(json.loads(self.raw(installation)), {
                "PackageBucket": "tl-deployment", "PackageKey": f"PACKAGES/shop/1.0/{key}", "InstallationTimeout": 20,
                "PackageSha256": hashlib.sha256(content).hexdigest(), "PackageSize": len(content)})

        self.on(*words)
        expect("shop-1.0.zip", b"everybody's")
        (folder / "pr1").mkdir()
        (folder / "pr1" / "shop-1.0-pr1.tar.gz").write_bytes(b"its own")
        self.on("deploy", "shop", "1.0", "-packages", bucket, "-s3-endpoint", self.endpoint)
        expect("pr1/shop-1.0-pr1.tar.gz", b"its own")
        # Of our own documents, in a folder.
        packages = self.store / "tl-deployment" / "PACKAGES"
        wanted = self.tells("deploy", "web/shop", "1.0", "-file", self.document(), "-packages", packages)
        self.assertEqual(wanted["package"], {"source": f"file://{folder}/shop-1.0.zip", "size": len(b"everybody's"),
                                             "sha256": hashlib.sha256(b"everybody's").hexdigest()})

    def test_bad_words_are_one_clear_error(self):
        for words, code, message in (
                (["deploy", "shop", "1"], 1, "shop: no such service is wanted; give its document with -file"),
                (["cancel", "shop"], 1, "shop: no such service is wanted; see converge status"),
                (["undeploy"], 2, "converge undeploy: needs the name of a service; see --help"),
                (["deploy", "web/shop", "1", "-file", self.document(), "-package", "https://h/p.zip"], 2,
                 'export of shop/none: package.source: "https://h/p.zip" is not s3://bucket/key, and they read no other'),
                (["deploy", "web/shop", "1", "-file", self.document()], 2,
                 "deploy: no package of shop 1 is known; name it with -package or -packages")):
            with self.subTest(words=words):
                self.assertEqual(self.on(*words, code=code), ["converge: " + message])
        for verb in (["status"], ["deploy", "a", "1"], ["toggle", "a", "on"]):
            self.assertEqual(self.says(*verb, "--environment=", code=2), ["converge: -environment has no name"])
        self.assertEqual(self.keys(), [])


class Verbs(EnvironmentCase):
    def test_from_the_first_deployment_to_one_that_is_taken_back(self):
        node = self.node()
        self.assertEqual(self.on("status"), ["no service is wanted"])
        line = self.first_deployment("-reason", "first")[0]
        self.assertRegex(line, r"^web/shop: nothing -> 1.0 \(")
        self.assertEqual(self.on("status"), ["web/shop 1.0: In Progress, 0 of 1 nodes as wanted",
                                             f"  {node:20} missing    -  wanted"])
        self.assertEqual(len(self.asks("diff", "--detailed-exitcode", code=3)["differences"]), 1)
        with self.agent():
            # F3, F37: whoever sees the end first writes it.
            lines = self.on("deploy", "shop", "1.0", "--wait")
            self.assertEqual(lines[0], "web/shop 1.0 is wanted already")
            self.assertIn("web/shop 1.0: Success, 1 of 1 nodes as wanted", lines)
            self.assertEqual(self.overall(), "Success")
            self.assertEqual(self.on("diff"), ["no difference: 1 instances as wanted"])
            self.deploy("2.0", "--wait")
            self.assertEqual(self.installed(), "2.0")

            # W-A9: what ran runs again; the deployment has failed, and says where and why.
            bad = self.package("3.0", validate=test_agent._BAD)
            why = "validate-service: hooks/validate.sh: exit status 7"
            self.assertEqual(self.on("deploy", "shop", "3.0", "-package", bad, "--wait", code=1)[-1],
                             f"converge: shop 3.0: Failed; {node}: {why}")
            self.assertEqual((self.installed(), self.overall()), ("2.0", "Failed"))
            status = self.asks("status", "shop")["services"][0]
            self.assertEqual((status["phase"], status["nodes"][0]["standing"]), ("Failed", "failed"))
            self.assertEqual(self.on("cancel", "shop", code=1)[0][:38], "converge: shop: nothing is on its way:")

            history = self.asks("history", "shop")
            self.assertEqual([(one["overall_status"], one["record"]["by"], one["nodes"]["i-1"]["Status"])
                              for one in history],
                             [("Failed", "tester", "Failed"), ("Success", "tester", "Success"),
                              ("Success", "tester", "Success")])
            self.assertRegex(self.on("history", "-most", "1")[0],
                             r"web/pr1-shop 3.0 \(.*\): 0 of 1 nodes done, 1 failed, Failed, asked for by tester$")
            # F36: what was told while it went on.
            self.assertRegex("\n".join(self.on("history", "-most", "1", "--log")),
                             r"(?m)^  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d web/shop 3.0: Failed, 0 of 1 nodes as wanted$")
            for name in (node, "i-1"):
                self.assertIn("  this one is broken", self.on("logs", name))
            self.assertEqual(self.on("logs", "nobody", code=1), ["converge: nobody: has reported no deployment"])

            # The version that was good is had again, by its keys.
            self.on("deploy", "shop", "2.0", "--wait")
            self.assertEqual((self.installed(), self.overall()), ("2.0", "Success"))
            self.on("toggle", "shop", "off")
            self.assertEqual(self.asks("status")["services"][0]["nodes"][0]["standing"], "ignored")
            self.on("toggle", "shop", "on")
            self.on("undeploy", "shop")
            self.wait("gone", lambda: not self.get("/v1/catalog/service/pr1-shop"))
            self.on("undeploy", "shop", "--forget")
        self.assertEqual([key for key in self.keys() if "/roles/" in key], [])

    def test_what_is_on_its_way_can_be_taken_back(self):
        with self.agent():
            self.first_deployment()
            self.wait("good", lambda: self.overall() == "Success")
            first = json.loads(self.raw(_POINTER))["DeploymentId"]
            self.deploy("2.0", "-deployment", "d-2")
            # Agents may be done with it by now; the one who took it back was first all the same.
            self.write({"deployments/d-2/overall_status": "In Progress"})
            self.assertEqual(self.on("cancel", "shop", "--dry-run"), ["would be: web/shop 2.0: taken back, to 1.0"])
            self.assertEqual(self.on("cancel", "shop"), ["web/shop 2.0: taken back, to 1.0"])
            self.assertEqual(json.loads(self.raw(_POINTER))["DeploymentId"], first)
            self.wait("back", lambda: self.instances("pr1-shop") == [("1.0", {"pr1-shop:page": "passing"})])
            self.assertEqual(self.installed(), "1.0")
            self.assertEqual(self.raw("deployments/d-2/overall_status"), "Cancelled")

    def test_a_lock_holds_it(self):
        self.first_deployment()
        before = self.raw(_POINTER)
        self.says("lock", "on", "-role", "web", "-reason", "freeze")
        self.assertEqual(self.deploy("2.0", code=1),
                         ["converge: pr1/web: deployments are locked (roles/web); see converge lock"])
        self.assertEqual(self.on("status")[0], "locked: roles/web by tester: freeze")
        self.assertEqual(self.raw(_POINTER), before)


class Rights(EnvironmentCase):
    """Default deny: agent and operator have the rules that `policy --environment` prints, and no others."""

    def setUp(self):
        super().setUp()
        meta = {"role": "web", "environment": "pr1"}
        self.consul = self.enterContext(ConsulServer(acl=True, extra_config={"node_meta": meta}))
        self.settle()

    token = test_fleet.Rights.token

    def test_the_printed_rules_are_enough(self):
        node = self.node()
        words = ["-environment", "pr1", "-role", "web"]
        operator = self.token("operator", self.tells("policy", "operator", *words)["rules"])
        agent = self.token("agent", self.tells("policy", "agent", *words, "-node", node, "-service", "pr1-shop")["rules"])
        theirs = ["--environment", "pr1", "--token", operator]
        file = self.document()
        deploy = ["deploy", "web/shop", "1.0", "-file", file, "-package", self.package("1.0"), *theirs]
        self.assertEqual(self.converge(*deploy).code, 0)
        with self.agent("-token", agent):
            done = self.converge("deploy", "shop", "1.0", "--wait", *theirs)
            self.assertEqual(done.code, 0, done.out + done.err + "\n".join(self.lines()))
        for verb in (["status"], ["diff"], ["history"], ["logs", node], ["toggle", "shop", "off"],
                     ["toggle", "shop", "on"], ["deploy", "shop", "2.0", "-package", self.package("2.0")],
                     ["cancel", "shop"], ["undeploy", "shop"], ["undeploy", "shop", "--forget"]):
            with self.subTest(verb=verb):
                done = self.converge(*verb, *theirs)
                self.assertEqual(done.code, 0, done.out + done.err)
        # Another environment is closed to them.
        denied = self.converge(*deploy[:-4], "--environment", "pr2", "--token", operator)
        self.assertNotEqual(denied.code, 0)
        self.assertIn("ermission denied", denied.err)


if __name__ == "__main__":
    main()
