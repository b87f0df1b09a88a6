"""Entry files, HCL and JSON, as `consul config write` takes them: each is written by that command to a real Consul and
planned by ours, which must come to the same entry, or refuse it too."""
import json
import pathlib
import subprocess

from harness import ConsulCase, consul_binary, main

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "data" / "entries"
HTTP = {"Kind": "proxy-defaults", "Name": "global", "Config": {"protocol": "http"}}


def plain(entry):
    """Without indexes and our mark; an entry says nothing by an empty Meta or an empty list of routes."""
    kept = {key: value for key, value in entry.items() if key not in ("CreateIndex", "ModifyIndex", "Meta")}
    if not kept.get("Routes"):
        kept.pop("Routes", None)
    meta = {key: value for key, value in (entry.get("Meta") or {}).items() if key != "managed-by"}
    return {**kept, "Meta": meta}


class EntryFiles(ConsulCase):
    def theirs(self, path):
        """What stands in Consul after its own command has written the file; None when it would not."""
        written = subprocess.run([consul_binary(), "config", "write", str(path)], capture_output=True, text=True,
                                 timeout=60, env=self.environment())
        if written.returncode != 0:
            return None
        entry = self.entry_written(written.stdout)
        self.assertEqual(self.consul.request("DELETE", f"/v1/config/{entry['Kind']}/{entry['Name']}").status, 200)
        return plain(entry)

    def entry_written(self, said):
        kind, name = said.removeprefix("Config entry written: ").strip().split("/", 1)
        return self.get(f"/v1/config/{kind}/{name if kind != 'proxy-defaults' else 'global'}")

    def ours(self, path):
        planned = self.converge("plan", path, "--json", "--take-foreign")
        if planned.code == 2:
            return None
        self.assertEqual(planned.code, 0, planned.err)
        document = json.loads(planned.out)
        if document["held"]:  # it would break a chain
            self.assertEqual([held["reason"] for held in document["held"]], ["no-safe-order"])
            return None
        (step,) = document["steps"]
        return plain(step["body"])

    def test_every_file_of_the_corpus(self):
        paths = sorted(FOLDER.iterdir())
        taken = 0
        for path in paths:
            with self.subTest(path.name):
                self.put("/v1/config", HTTP if path.stem.partition("-")[0] != "proxy" else {**HTTP, "Config": {}})
                ours = self.ours(path)  # before theirs, while nothing is there
                theirs = self.theirs(path)
                self.assertEqual(ours, theirs)
                taken += theirs is not None
        self.assertGreater(taken, len(paths) // 3)
        self.assertLess(taken, len(paths))


if __name__ == "__main__":
    main()
