"""The demo on both back ends: what it says, what its page holds, and that nothing of it is left."""
import html.parser
import os
import re
import shutil
import subprocess
import unittest

from harness import PROGRAMS, ConsulCase, clean_environment, main


class Page(html.parser.HTMLParser):
    """Looks for what would load something from elsewhere, and for the drawings."""

    def __init__(self):
        super().__init__()
        self.drawings, self.loads, self.rows = 0, [], 0

    def handle_starttag(self, tag, attributes):
        self.drawings += tag == "svg"
        self.rows += tag == "tr"
        for name, value in attributes:
            if tag == "script" or (name in ("src", "href") and not value.startswith("data:")):
                self.loads.append((tag, value))


class Demo(ConsulCase):
    def tell(self, *words):
        page = self.folder / "page.html"
        done = subprocess.run([PROGRAMS.demo, f"--page={page}", *words], capture_output=True, text=True, timeout=300,
                              env=clean_environment())
        return done, page

    def check_story(self, done, page):
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.splitlines()[-3:],
                         ["api 1.0 -> 2.0: promoted", "api 2.0 -> 3.0: rolled back", f"report: {page}"])
        users = [float(share) for share in re.findall(r"user +([\d.]+) %", done.stdout)]
        candidates = [float(share) for share in re.findall(r" 3\.0 +([\d.]+) %", done.stdout)]
        self.assertTrue(candidates and min(candidates) < 90, "the bad version was seen failing")
        self.assertTrue(min(users) > 99.5, "the retries kept it from the users")
        read = Page()
        read.feed(page.read_text())
        self.assertEqual((read.drawings, read.loads), (4, []))
        self.assertGreater(read.rows, 8)

    @unittest.skipUnless(shutil.which("chromium") or os.environ.get("CONVERGENCE_REQUIRE_CONSUL"),
                         "SKIPPED the page in a browser: chromium is not installed")
    def test_the_page_opens_in_a_browser_without_a_word_on_the_console(self):
        done, page = self.tell("--seed=7")
        self.assertEqual(done.returncode, 0)
        shot = self.folder / "page.png"
        browser = subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             f"--user-data-dir={self.folder / 'profile'}", "--window-size=1000,2300", "--enable-logging=stderr",
             f"--screenshot={shot}", page.as_uri()], capture_output=True, text=True, timeout=120)
        self.assertEqual(browser.returncode, 0, browser.stderr)
        self.assertEqual([line for line in browser.stderr.splitlines() if "CONSOLE" in line], [])
        self.assertGreater(shot.stat().st_size, 50_000)  # a drawn page; an empty one is a tenth of that

    def test_on_the_embedded_consul_and_the_same_way_each_time(self):
        first, page = self.tell("--seed=7", "--prefix=d")
        self.check_story(first, page)
        text = page.read_text()
        second, page = self.tell("--seed=7", "--prefix=d")
        self.assertEqual((second.stdout, page.read_text()), (first.stdout, text))

    def test_on_a_real_consul_leaves_nothing_and_refuses_names_that_exist(self):
        before = self.everything()
        self.check_story(*self.tell(f"--consul={self.consul.address}", "--prefix=d"))
        self.assertEqual(self.everything(), before)
        self.put("/v1/config", {"Kind": "service-defaults", "Name": "d-api", "Protocol": "tcp"})
        done, _ = self.tell(f"--consul={self.consul.address}", "--prefix=d")
        self.assertEqual(done.returncode, 1)
        self.assertIn("config entry service-defaults/d-api: is there already", done.stderr)
        self.assertEqual(self.get("/v1/config/service-defaults/d-api")["Protocol"], "tcp")

    def everything(self):
        keys = self.consul.request("GET", "/v1/kv/?keys")
        kinds = ("service-defaults", "service-resolver", "service-splitter", "service-router", "proxy-defaults")
        return (keys.status, [node["Node"] for node in self.get("/v1/catalog/nodes")],
                sorted(self.get("/v1/catalog/services")), [self.get(f"/v1/config/{kind}") for kind in kinds])


if __name__ == "__main__":
    main()
