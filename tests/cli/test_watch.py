"""watch on a real Consul: converges at each change of what is wanted and of what is there, and ends by a signal."""
import json
import signal
import subprocess

from documents import WEB
from harness import ConsulCase, main


class Watch(ConsulCase):
    def watching(self, *words):
        process = subprocess.Popen(self.command("watch", "--json", *words), stdout=subprocess.PIPE, text=True,
                                   env=self.environment())
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def next_step(self, process):
        return json.loads(process.stdout.readline())

    def test_it_converges_at_each_change_until_it_is_told_to_stop(self):
        self.register_node("n1", "web")
        process = self.watching()
        self.put("/v1/kv/convergence/desired/web/web/none", WEB)
        self.assertEqual(self.next_step(process), {"step": "register-service:n1/web", "outcome": "done"})
        # A new node of the role gets the service too.
        self.register_node("n2", "web")
        self.assertEqual(self.next_step(process), {"step": "register-service:n2/web", "outcome": "done"})
        # What somebody takes away comes back.
        self.put("/v1/catalog/deregister", {"Node": "n1", "ServiceID": "web"})
        self.assertEqual(self.next_step(process), {"step": "register-service:n1/web", "outcome": "done"})
        self.put("/v1/kv/convergence/desired/web/web/none", {**WEB, "version": "2.0"})
        self.assertEqual([self.next_step(process)["step"] for _ in range(2)],
                         ["change-service:n1/web", "change-service:n2/web"])
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 0)
        self.assertEqual(process.stdout.read(), "")


if __name__ == "__main__":
    main()
