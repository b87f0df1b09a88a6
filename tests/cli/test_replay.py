"""converge replay: the journal of an agent on a real Consul gives the same steps again, or says where it does not."""

import json
import struct
import subprocess
import unittest

from harness import PROGRAMS, clean_environment, main
from test_agent import _BAD, AgentCase

_PATIENCE_S = 60


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def read_records(path):
    data, at, records = path.read_bytes(), 8, []
    while at < len(data):
        size, _ = struct.unpack_from("<II", data, at)
        records.append(data[at + 8:at + 8 + size])
        at += 8 + size
    return records


def write_records(path, records):
    data = b"CVGJRNL1"
    for record in records:
        checksum = crc32c(struct.pack("<QI", len(data), len(record)) + record)
        data += struct.pack("<II", len(record), checksum) + record
    path.write_bytes(data)
    return path


class Replay(AgentCase):
    def replay(self, *words):
        return subprocess.run([PROGRAMS.converge, "replay", *map(str, words)], capture_output=True, text=True,
                              timeout=_PATIENCE_S, env=clean_environment())

    def journal(self):
        """Of two processes: an installation; a version that is put back, with a kill in the middle."""
        path = self.folder / "journal"
        self.want("1.0", self.package("1.0", slow="sleep 2"), 1)
        with self.agent("-journal", str(path)):
            self.wait_line("shop 1.0: done")
            self.wait("good", lambda: self.phase()["phase"] == "done")
            busy = self.replay(path)  # while it is being written, and it stays as it is
            self.assertEqual((busy.returncode, busy.stderr), (0, ""))
        self.want("2.0", self.package("2.0", validate=_BAD), 2)
        with self.agent("-journal", str(path)) as process:
            self.wait_line("shop 2.0: stop")
            process.kill()
            process.wait()
        with self.agent("-journal", str(path)) as process:
            self.wait("failed", lambda: any(line.startswith("shop 2.0: failed") for line in self.lines()))
            process.terminate()
            process.wait()
        return path

    def test_the_same_steps_or_the_first_that_differs(self):
        path = self.journal()
        whole = path.read_bytes()
        records = [json.loads(record) for record in read_records(path)]
        count = sum("event" in record for record in records)

        told = self.replay(path)
        self.assertEqual((told.returncode, told.stderr), (0, ""))
        lines = told.stdout.splitlines()
        self.assertEqual(lines[-1], f"{count} events of 3 processes: the same steps as then")
        self.assertIn("  > work start shop", lines)
        self.assertIn("  > work back-start shop", lines)
        self.assertTrue(any(line.startswith("  shop: ") for line in lines), lines)

        # Byte for byte: each step of the document is the text that the agent wrote.
        document = json.loads(self.replay("--json", path).stdout)
        self.assertEqual(document["processes"], 3)
        texts = [json.dumps({"step": one["step"]}, separators=(",", ":"), ensure_ascii=False).encode()
                 for one in document["steps"]]
        written = [record for record in read_records(path) if record.startswith(b'{"step"')]
        self.assertEqual(len(texts), count)
        missing = [text for text in texts if text not in written]  # of the event that the kill cut off
        self.assertLessEqual(len(missing), 1)
        self.assertEqual(path.read_bytes(), whole)

        # Another event at one place: the steps after it are others than were made then.
        changed = [dict(record) for record in records]
        at = next(i for i, record in enumerate(changed)
                  if record.get("event", {}).get("type") == "work-done" and record["event"]["ok"])
        changed[at]["event"] = {**changed[at]["event"], "ok": False, "problem": "made up"}
        other = write_records(self.folder / "other",
                              [json.dumps(record, separators=(",", ":")).encode() for record in changed])
        differs = self.replay("--json", other)
        self.assertEqual(differs.returncode, 1)
        error = json.loads(differs.stdout)["error"]
        self.assertEqual((error["kind"], error["detail"]["record"]), ("conflict", at + 2))
        self.assertNotEqual(error["detail"]["was"], error["detail"]["now"])
        self.assertIn(f"{other}: record {at + 2}: the step is another one: then ", error["message"])

        # A journal is evidence: damaged ones are refused, and none is mended.
        damaged = self.folder / "damaged"
        damaged.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
        refused = self.replay(damaged)
        self.assertEqual(refused.returncode, 2)
        self.assertIn(f"{damaged}: is no whole journal", refused.stderr)

    def test_at_its_size_it_begins_anew_with_the_whole_state(self):
        path = self.folder / "journal"
        # Each step tells the release, so that a few of them are a mebibyte.
        large = {f"LARGE_{i}": "x" * 20000 for i in range(8)}
        with self.agent("-journal", str(path), "-journal-max-mb", "1") as process:
            self.wait("journal", path.exists)
            first = path.stat().st_ino
            for generation, version in enumerate(("1.0", "2.0"), start=1):
                self.want(version, self.package(version), generation, environment=large)
                self.wait_line(f"shop {version}: done")
                self.wait("good", lambda: self.phase()["phase"] == "done")
            process.terminate()
            process.wait()
        self.assertNotEqual(path.stat().st_ino, first)
        self.assertLess(path.stat().st_size, 4 << 20)
        records = [json.loads(record) for record in read_records(path)]
        self.assertIn("begin", records[0])
        self.assertEqual(records[0]["begin"]["services"][0]["environment"], large)
        told = self.replay(path)
        self.assertEqual((told.returncode, told.stderr), (0, ""))
        count = sum("event" in record for record in records)
        self.assertEqual(told.stdout.splitlines()[-1], f"{count} events of 1 processes: the same steps as then")

    def test_what_is_no_journal(self):
        text = self.folder / "text"
        text.write_text("a journal? no\n")
        no_begin = write_records(self.folder / "no-begin", [b'{"event":{"at":1,"type":"started"}}'])
        foreign = write_records(self.folder / "foreign", [b'{"other":1}'])
        cases = [
            ("none named", [], 2, "needs one journal"),
            ("not there", [self.folder / "none"], 1, "No such file"),
            ("another file", [text], 2, "is no whole journal"),
            ("no beginning", [no_begin], 2, "record 1: there is no begin before it"),
            ("another journal", [foreign], 2, "record 1: is none of begin, event, step"),
        ]
        for name, words, code, problem in cases:
            with self.subTest(name):
                done = self.replay(*words)
                self.assertEqual((done.returncode, done.stdout), (code, ""))
                self.assertIn(problem, done.stderr)


if __name__ == "__main__":
    main()
