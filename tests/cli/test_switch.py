"""switch and upstreams on a real Consul: traffic goes to the other slice when all of it passes, by one write, and back
in one step (F45, F46, W-S4, W-S5). What the traffic does is read off the server's own compiled chain."""

import contextlib
import json
import os
import signal
import subprocess
import unittest
import urllib.request

import test_agent
import test_fleet
from harness import ConsulCase, main

_PATIENCE_S = 60
_BACK = "to take it back: converge switch shop "


class Switch(ConsulCase):
    def setUp(self):
        super().setUp()
        for node in ("n1", "n2"):
            self.register_node(node, "web")
            for slice, version in (("blue", "1.0"), ("green", "2.0")):
                self.register(node, slice, version)
        for slice, version in (("blue", "1.0"), ("green", "2.0")):
            self.want(slice, version)

    def want(self, slice, version):
        self.put(f"/v1/kv/convergence/desired/web/shop/{slice}",
                 {"name": "shop", "slice": slice, "version": version, "generation": 1, "placement": {"role": "web"}})

    def register(self, node, slice, version, status="passing"):
        port = 8080 if slice == "blue" else 8081
        self.put("/v1/catalog/register", {
            "Node": node, "Address": "10.0.0.1", "SkipNodeUpdate": True,
            "Service": {"ID": f"shop-{slice}", "Service": "shop", "Address": f"10.0.0.{node[1:]}", "Port": port,
                        "Meta": {"slice": slice, "version": version, "deployment": f"{version}@1"}},
            "Checks": [{"Node": node, "CheckID": f"shop-{slice}:page", "Name": "page", "ServiceID": f"shop-{slice}",
                        "Status": status}]})

    def resolver(self):
        answer = self.consul.request("GET", "/v1/config/service-resolver/shop")
        return json.loads(answer.body) if answer.status == 200 else None

    def chain(self):
        """Where the server leads the traffic of shop."""
        return sorted(self.get("/v1/discovery-chain/shop")["Chain"]["Targets"])

    def test_there_and_back_by_the_servers_own_chain(self):
        self.assertEqual(self.says("switch", "shop", code=2),
                         ["converge: shop: no slice of it is live; say blue or green"])
        self.assertEqual(self.says("switch", "shop", "blue", "--dry-run"),
                         ["would be: shop: both -> blue, 2 of 2 instances pass with 1.0"])
        self.assertIsNone(self.resolver())
        self.assertEqual(self.says("switch", "shop", "blue"), ["shop: both -> blue, 2 of 2 instances pass with 1.0"])
        self.assertEqual(self.chain(), ["blue.shop.default.dc1"])
        self.assertEqual([line for line in self.says("status") if line.startswith("web/")],
                         ["web/shop/blue 1.0: new, 2 of 2 nodes as wanted, traffic: live",
                          "web/shop/green 2.0: new, 2 of 2 nodes as wanted, traffic: idle"])

        # W-S5: one instance is sick. W-S4: nothing at all happens then.
        self.register("n2", "green", "2.0", "critical")
        before = self.resolver()
        self.assertEqual(self.says("switch", "shop", code=1),
                         ["converge: shop: blue -> green, 1 of 2 instances pass with 2.0: not switched: n2: shop-green "
                          "is critical"])
        self.assertEqual(self.tells("switch", "shop", "green", code=1)["error"]["detail"]["problems"],
                         [{"kind": "not-passing", "node": "n2", "why": "shop-green is critical"}])
        self.assertEqual(self.resolver(), before)
        self.register("n2", "green", "2.0")

        self.assertEqual(self.says("switch", "shop", "-reason", "2.0 is out"),
                         ["shop: blue -> green, 2 of 2 instances pass with 2.0", _BACK + "blue"])
        self.assertEqual(self.chain(), ["green.shop.default.dc1"])
        meta = self.resolver()["Meta"]
        self.assertEqual({key: value for key, value in meta.items() if not key.endswith("-at")},
                         {"convergence-slice": "green", "convergence-slice-before": "blue",
                          "convergence-slice-by": "tester: 2.0 is out"})
        self.assertEqual(self.tells("status", "shop/blue")["services"][0]["traffic"], "idle")
        self.assertEqual(self.says("switch", "shop", "green"), ["shop: green is live, 2 of 2 instances pass with 2.0"])

        # Back in one step, though all that is left is sick and one of what comes is.
        for node in ("n1", "n2"):
            self.register(node, "green", "2.0", "critical")
        self.register("n1", "blue", "1.0", "critical")
        self.assertEqual(self.says("switch", "shop", "back")[:2],
                         ["shop: green -> blue, 1 of 2 instances pass with 1.0",
                          "  all the same: n1: shop-blue is critical"])
        self.assertEqual(self.chain(), ["blue.shop.default.dc1"])
        self.assertEqual(self.says("switch", "shop", "back", code=1),
                         ["converge: shop: not switched: no switch is there to take back; say blue or green"])

        # By force, with a reason.
        self.assertEqual(self.says("switch", "shop", "green", "--force", code=2),
                         ["converge: shop: a switch by force needs a reason"])
        self.says("switch", "shop", "green", "--force", "-reason", "blue burns")
        self.assertEqual(self.chain(), ["green.shop.default.dc1"])

    def test_a_load_balancer_is_told_where_the_traffic_goes(self):
        self.assertEqual(self.says("upstreams", "shop"),
                         ["10.0.0.1:8080", "10.0.0.1:8081", "10.0.0.2:8080", "10.0.0.2:8081"])
        self.says("switch", "shop", "green")
        self.register("n2", "green", "2.0", "critical")
        self.assertEqual(self.says("upstreams", "shop"), ["10.0.0.1:8081"])
        told = self.tells("upstreams", "shop")
        self.assertEqual((told["configured"]["slice"], told["active"]), ("green", ["green"]))
        self.assertEqual([(host["service_id"], host["node"], host["status"], host["state"]) for host in told["hosts"]],
                         [("shop-blue", "n1", "passing", "down"), ("shop-green", "n1", "passing", "up"),
                          ("shop-blue", "n2", "passing", "down"), ("shop-green", "n2", "critical", "down")])
        self.assertEqual(len(self.says("upstreams", "shop", "--all")), 4)
        self.assertEqual(self.says("upstreams", "nothing", code=1),
                         ["converge: nothing: the catalog has no such service"])

    def test_converging_leaves_the_traffic_where_it_was_switched_to(self):
        entry = {"Kind": "service-resolver", "Name": "shop", "DefaultSubset": "blue", "ConnectTimeout": "3s",
                 "Subsets": {name: {"Filter": f"Service.Meta.slice == {name}"} for name in ("blue", "green")}}
        self.put("/v1/kv/convergence/config/service-resolver/shop", entry)
        for slice in ("blue", "green"):
            self.assertEqual(self.consul.request("DELETE", f"/v1/kv/convergence/desired/web/shop/{slice}").status, 200)
        self.says("apply")
        self.assertEqual(self.chain(), ["blue.shop.default.dc1"])
        for slice, version in (("blue", "1.0"), ("green", "2.0")):
            self.want(slice, version)
        self.says("switch", "shop", "green")
        for slice in ("blue", "green"):
            self.assertEqual(self.consul.request("DELETE", f"/v1/kv/convergence/desired/web/shop/{slice}").status, 200)
        self.put("/v1/kv/convergence/config/service-resolver/shop", {**entry, "ConnectTimeout": "4s"})
        self.says("apply")
        self.assertEqual((self.resolver()["ConnectTimeout"], self.resolver()["DefaultSubset"]), ("4s", "green"))
        self.assertEqual(self.chain(), ["green.shop.default.dc1"])
        self.assertEqual(self.tells("plan")["steps"], [])

    def test_of_racing_switches_one_wins_each_time(self):
        """W-S4: of eight at once one writes; every other one loses its compare-and-set, or finds it done."""
        self.says("switch", "shop", "blue")
        racers = [subprocess.Popen(self.command("switch", "shop", "green", "-reason", str(number)),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment())
                  for number in range(8)]
        ends = [(*racer.communicate(timeout=120), racer.returncode) for racer in racers]
        wrote = [number for number, (out, _, code) in enumerate(ends) if code == 0 and "blue -> green" in out]
        self.assertEqual(len(wrote), 1, ends)
        self.assertEqual(self.resolver()["Meta"]["convergence-slice-by"], f"tester: {wrote[0]}")
        for number, (out, err, code) in enumerate(ends):
            if number == wrote[0]:
                continue
            if code == 0:
                self.assertEqual(out, "shop: green is live, 2 of 2 instances pass with 2.0\n")
            else:
                self.assertIn("service-resolver/shop", err)

    def test_waiting_switches_when_the_last_instance_passes(self):
        self.says("switch", "shop", "blue")
        self.register("n2", "green", "2.0", "critical")
        waiting = subprocess.Popen(self.command("switch", "shop", "green", "--wait"), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=self.environment())
        self.addCleanup(waiting.wait)
        self.addCleanup(waiting.kill)
        self.assertIn("n2: shop-green is critical", waiting.stdout.readline())
        self.assertEqual(self.chain(), ["blue.shop.default.dc1"])
        self.register("n2", "green", "2.0")
        out, err = waiting.communicate(timeout=_PATIENCE_S)
        self.assertEqual((waiting.returncode, err), (0, ""))
        self.assertIn("shop: blue -> green, 2 of 2 instances pass with 2.0", out)
        self.assertEqual(self.chain(), ["green.shop.default.dc1"])
        # What waiting does not help is told at once, and the rest when the time is over.
        self.assertEqual(self.converge("switch", "shop", "blue", "--wait").code, 0)
        self.register("n2", "green", "2.0", "critical")
        late = self.converge("switch", "shop", "green", "--wait", "-timeout", "1s")
        self.assertEqual(late.code, 1)
        self.assertIn("not switched: n2: shop-green is critical", late.err)

    def test_bad_words_are_one_clear_error(self):
        for words, code, message in (
                (["switch"], 2, "converge switch: needs a service, and perhaps blue, green or back; see --help"),
                (["switch", "shop", "red"], 2,
                 "converge switch: needs a service, and perhaps blue, green or back; see --help"),
                (["upstreams"], 2, "converge upstreams: needs the name of a service; see --help")):
            with self.subTest(words=words):
                self.assertEqual(self.says(*words, code=code), ["converge: " + message])


class ByAgents(test_fleet.FleetCase):
    """Both slices deployed by a running agent, each a program that says its version."""

    def setUp(self):
        super().setUp()
        self.ports = {"blue": self.port, "green": test_agent.free_port()}

    def end_app(self):
        for slice in ("blue", "green"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int((self.roots / f"pid-{slice}").read_text()), signal.SIGKILL)

    def deploy(self, slice, version):
        hooks = {"appspec.yml": test_agent._APPSPEC, "hooks/start.sh": test_agent._START,
                 "hooks/stop.sh": test_agent._STOP}
        own = {name: text.replace("{roots}/shop", "{roots}/shop-" + slice).replace("/pid", "/pid-" + slice)
               for name, text in hooks.items()}
        document = self.document(slice=slice, port=self.ports[slice])
        self.says("deploy", f"web/shop/{slice}", version, "-file", document, "-package",
                  self.package(version, more=own), "--wait")

    def chain(self):
        return sorted(self.get("/v1/discovery-chain/shop")["Chain"]["Targets"])

    def versions(self):
        """What the instances say to which a load balancer would go."""
        return [urllib.request.urlopen(f"http://{host}/version", timeout=10).read().decode()
                for host in self.says("upstreams", "shop")]

    def test_a_release_beside_the_one_that_serves_and_the_way_back_when_it_dies(self):
        with self.agent():
            self.deploy("blue", "1.0")
            self.says("switch", "shop", "blue")
            self.deploy("green", "2.0")
            # Deployed, and without traffic.
            self.assertEqual((self.chain(), self.versions()), (["blue.shop.default.dc1"], ["1.0"]))
            self.says("switch", "shop")
            self.assertEqual((self.chain(), self.versions()), (["green.shop.default.dc1"], ["2.0"]))

            os.kill(int((self.roots / "pid-green").read_text()), signal.SIGKILL)
            self.wait("sick", lambda: self.says("upstreams", "shop") == [])
            self.says("switch", "shop", "back")
            self.assertEqual((self.chain(), self.versions()), (["blue.shop.default.dc1"], ["1.0"]))
            # W-S5: what has died gets no traffic again.
            refused = self.says("switch", "shop", "green", code=1)
            self.assertEqual(refused, [
                f"converge: shop: blue -> green, 0 of 1 instances pass with 2.0: not switched: {self.node()}: "
                "shop-green is critical; nobody would serve it: 0 of 1 instances pass"])


if __name__ == "__main__":
    main()
