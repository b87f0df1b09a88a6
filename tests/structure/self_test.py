"""The structure tests on made-up trees: every kind of breach is reported by name, and a good tree by nothing."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import structure  # noqa: E402

GOOD = {
    "include/convergence/value.h": "#include <string>\n",
    "lib/base/CMakeLists.txt": "convergence_layer(base\n  SOURCES text.cc  # a comment)\n)\n",
    "lib/base/text.h": "#include <string>\n",
    "lib/base/text.cc": '#include "lib/base/text.h"\nint base_text() { return 1; }\n',
    "lib/model/CMakeLists.txt": "convergence_layer(model SOURCES value.cc SEES base)\n",
    "lib/model/value.cc": '#include "convergence/value.h"\n#include "lib/base/text.h"\n',
    "lib/transport/CMakeLists.txt": "convergence_layer(transport SOURCES send.cc SEES base model)\n",
    "lib/transport/send.h": "#include <thread>\n",
    "lib/transport/send.cc": '#include <unistd.h>\n#include "lib/transport/send.h"\n#include "lib/base/text.h"\n',
    "capi/c.cc": '#include "lib/base/text.h"\n#include "convergence/value.h"\n',
    "examples/main.cc": '#include "convergence/value.h"\n',
}

# name of the case, files that differ from GOOD, and all that is then to be reported
LAYERS = [
    ("a good tree", {}, []),
    ("an arrow that points up",
     {"lib/base/text.cc": '#include "lib/model/up.h"\n', "lib/model/up.h": ""},
     ["lib/base/text.cc: reaches lib/model/up.h, but base may not see model"]),
    ("an arrow that points up by way of another header",
     {"lib/base/text.h": '#include "lib/model/up.h"\n', "lib/model/up.h": ""},
     ["lib/base/text.cc: reaches lib/model/up.h, but base may not see model"]),
    ("a layer that is not declared",
     {"lib/model/CMakeLists.txt": "convergence_layer(model SOURCES value.cc)\n"},
     ["lib/model/value.cc: reaches lib/base/text.h, but model may not see base"]),
    ("a declared layer that is none",
     {"lib/model/CMakeLists.txt": "convergence_layer(model SOURCES value.cc SEES base bass)\n"},
     ["lib/model/CMakeLists.txt: model sees bass, which is no layer"]),
    ("layers in a circle",
     {"lib/base/CMakeLists.txt": "convergence_layer(base SOURCES text.cc SEES model)\n"},
     ["lib: the layers base, model, transport see each other in a circle"]),
    ("a pure layer that declares an impure one",
     {"lib/codec/CMakeLists.txt": "convergence_layer(codec SOURCES read.cc SEES transport)\n", "lib/codec/read.cc": ""},
     ["lib/codec/CMakeLists.txt: the pure codec sees the impure transport"]),
    ("a source in no layer", {"lib/base/left.cc": ""}, ["lib/base/left.cc: is in the SOURCES of no layer"]),
    ("a test header in the library",
     {"lib/model/value.cc": '#include "tests/fake.h"\n', "tests/fake.h": ""},
     ["lib/model/value.cc: reaches tests/fake.h, but model may not see tests"]),
    ("an example that looks inside",
     {"examples/main.cc": '#include "lib/base/text.h"\n'},
     ["examples/main.cc: reaches lib/base/text.h, but examples may not see base"]),
    ("the C API on a layer that it may not see",
     {"capi/c.cc": '#include "lib/transport/send.h"\n'},
     ["capi/c.cc: reaches lib/transport/send.h, but capi may not see transport"]),
    ("a public header on lib/",
     {"include/convergence/value.h": '#include "lib/base/text.h"\n'},
     ['examples/main.cc: reaches lib/base/text.h, but examples may not see base',
      'include/convergence/value.h: includes "lib/base/text.h"']),
    ("a public header on a private package",
     {"include/convergence/value.h": "#if 0\n#include <rapidjson/document.h>\n#include <fmt/format.h>\n#endif\n"},
     ['include/convergence/value.h: includes "rapidjson/document.h"',
      'include/convergence/value.h: includes "fmt/format.h"']),
    ("a public header that is none",
     {"include/convergence/value.h": '#if 0\n#include "convergence/absent.h"\n#endif\n'},
     ['include/convergence/value.h: includes "convergence/absent.h", which is no public header']),
    ("a private package elsewhere",
     {"lib/transport/send.cc": "#if 0\n#include <rapidjson/reader.h>\n#include <curl/curl.h>\n#endif\n"},
     ["lib/transport/send.cc: includes <rapidjson/reader.h>, which is for codec alone"]),
    ("what nobody may have",
     {"lib/transport/send.cc": "#if 0\n#include \"absl/synchronization/mutex.h\"\n#endif\n"},
     ["lib/transport/send.cc: includes <absl/synchronization/mutex.h>, which is for nobody"]),
    ("impure headers below the line, behind an #if too",
     {"lib/model/value.cc": "#include <thread>\n# include <unordered_map>\n#if 0\n#include \"absl/time/clock.h\"\n"
                            "#include <sys/socket.h>\n#include <curl/curl.h>\n#endif\n"},
     ["lib/model/value.cc: includes <absl/time/clock.h>", "lib/model/value.cc: includes <sys/socket.h>",
      "lib/model/value.cc: includes <thread>", "lib/model/value.cc: includes <unordered_map>",
      "lib/model/value.cc: includes <curl/curl.h>, which is for node and transport alone"]),
    ("an impure header by way of a pure one",
     {"lib/base/text.h": "#include <mutex>\n", "lib/model/value.cc": ""},
     ["lib/base/text.h: includes <mutex>; the pure lib/base/text.cc reaches it"]),
    ("a clock asked in a template that nobody uses",
     {"lib/model/value.cc": "#include <chrono>\n// steady_clock::now in a comment is none\n"
                            "template <typename T> auto f(T) { return std::chrono::system_clock::now(); }\n"},
     ["lib/model/value.cc: asks system_clock::now"]),
]
# a function that a pure object may not use, and the symbol that gives it away
SYMBOLS = [
    ("clock", "#include <chrono>\nauto f() { return std::chrono::steady_clock::now(); }",
     "std::chrono::_V2::steady_clock::now()"),
    ("C clock", "#include <time.h>\nlong f() { return time(nullptr); }", "time"),
    ("POSIX clock", "#include <time.h>\nint f(timespec* t) { return clock_gettime(CLOCK_REALTIME, t); }",
     "clock_gettime"),
    ("thread", "#include <thread>\nvoid f() { std::thread([] {}).detach(); }", "std::thread::detach()"),
    ("random device", "#include <random>\nunsigned f() { return std::random_device()(); }",
     "std::random_device::_M_getval()"),
    ("rand", "#include <stdlib.h>\nint f() { return rand(); }", "rand"),
    ("environment", "#include <stdlib.h>\nchar* f() { return getenv(\"HOME\"); }", "getenv"),
    ("socket", "#include <sys/socket.h>\nint f() { return socket(1, 1, 0); }", "socket"),
    ("file", "#include <fcntl.h>\nint f() { return open(\"/\", O_RDONLY); }", "open"),
    ("C file", "#include <stdio.h>\nFILE* f() { return fopen(\"/\", \"r\"); }", "fopen"),
    ("output", "#include <iostream>\nvoid f() { std::cout << 1; }", "std::cout"),
    ("abseil's clock", "namespace absl { inline namespace v { struct Time { long t; }; Time Now(); } }\n"
                       "long f() { return absl::Now().t; }", "absl::v::Now()"),
    ("abseil's mutex", "namespace absl { class Mutex { public: void Lock(); }; }\n"
                       "void f(absl::Mutex& m) { m.Lock(); }", "absl::Mutex::Lock()"),
]
HARMLESS = ("#include <map>\n#include <string>\n#include <memory>\n#include <charconv>\nnamespace own { int time(int); }\n"
            "int open(int);\nint f(std::map<std::string, int>& m) { auto p = std::make_shared<int>(open(own::time(1)));\n"
            "  static const std::string text = \"a\"; return m[text] + *p; }\n")


class TreeCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cvg-structure-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()

    def make_tree(self, changes):
        files = GOOD | changes
        commands = []
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            if path.suffix == ".cc":
                output = f"objects/{name}.o"
                commands.append({
                    "directory": str(self.root), "file": str(path),
                    "command": f"/usr/bin/ccache g++ -I{self.root} -I{self.root}/include -std=c++20 -MD -MT {output} "
                               f"-MF {output}.d -o {output} -c {path}"})
        (self.root / "compile_commands.json").write_text(json.dumps(commands))
        return structure.Tree(self.root, self.root)

    def compile(self, name, text):
        path = self.root / f"{name}.o"
        subprocess.run(["g++", "-std=c++20", "-O2", "-c", "-xc++", "-", "-o", str(path)], input=text, text=True,
                       check=True)
        return path


class Layers(TreeCase):
    def test_each_breach_is_reported_by_name(self):
        for name, changes, want in LAYERS:
            with self.subTest(name):
                self.setUp()
                tree = self.make_tree(changes)
                found = (tree.check_declarations() + tree.check_directions() + tree.check_packages() +
                         tree.check_public_headers())
                self.assertEqual(found, want)

    def test_a_source_that_is_not_compiled(self):
        tree = self.make_tree({})
        tree.commands = [command for command in tree.commands if command.source.name != "text.cc"]
        self.assertEqual(tree.check_declarations(), ["lib/base/text.cc: is not compiled in this build"])

    def test_a_source_that_the_compiler_refuses_is_no_pass(self):
        tree = self.make_tree({"lib/base/text.cc": '#include "absent.h"\n'})
        with self.assertRaisesRegex(RuntimeError, "lib/base/text.cc: the compiler cannot list its includes"):
            tree.check_directions()

    def test_two_layers_in_one_folder(self):
        layers = {"lib/memory/CMakeLists.txt": "convergence_layer(memory_state SOURCES apply.cc SEES base)\n"
                                               "convergence_layer(memory SOURCES face.cc SEES base memory_state)\n",
                  "lib/memory/apply.h": "", "lib/memory/face.h": "", "lib/memory/shared.h": ""}
        good = {"lib/memory/apply.cc": '#include "lib/memory/apply.h"\n#include "lib/memory/shared.h"\n',
                "lib/memory/face.cc": '#include "lib/memory/apply.h"\n#include "lib/memory/face.h"\n#include <thread>\n'}
        self.assertEqual(self.make_tree(layers | good).check_directions(), [])
        bad = {"lib/memory/apply.cc": '#include "lib/memory/face.h"\n'}
        self.assertEqual(self.make_tree(layers | good | bad).check_directions(),
                         ["lib/memory/apply.cc: reaches lib/memory/face.h, but memory_state may not see memory"])


class Symbols(TreeCase):
    def test_each_impure_function_is_found(self):
        for name, text, symbol in SYMBOLS:
            with self.subTest(name):
                impure = [found for found in structure.undefined_symbols(self.compile("bad", text))
                          if structure.is_impure(found)]
                self.assertIn(symbol, impure)

    def test_a_harmless_object_has_none(self):
        found = structure.undefined_symbols(self.compile("good", HARMLESS))
        self.assertIn("open(int)", found)
        self.assertEqual([symbol for symbol in found if structure.is_impure(symbol)], [])

    def test_the_source_is_named(self):
        tree = self.make_tree({"lib/base/text.cc": "#include <stdlib.h>\nchar* f() { return getenv(\"A\"); }\n"})
        for command in tree.commands:
            command.output.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run([*command.arguments, "-c", str(command.source), "-o", str(command.output)], check=True)
        self.assertEqual(tree.check_symbols(), ["lib/base/text.cc: uses getenv"])
        archive = self.root / "libcore.a"
        subprocess.run(["ar", "qc", str(archive), *(str(command.output) for command in tree.commands)], check=True)
        self.assertEqual(structure.check_archive(archive), ["libcore.a: uses getenv"])

    def test_an_object_that_is_not_there_is_no_pass(self):
        with self.assertRaisesRegex(RuntimeError, "build first"):
            self.make_tree({}).check_symbols()


class Headers(TreeCase):
    def check(self, text, language):
        path = self.root / "header.h"
        path.write_text(text)
        return structure.check_headers_alone([path], {"that": language}, ["-Wall", "-Wextra", "-pedantic", "-Werror"])

    def test_good_ones_pass(self):
        self.assertEqual(self.check("#ifndef A\n#define A 1\n/* a comment */\n#endif\n", ["gcc", "-xc", "-std=c89"]), [])

    def test_bad_ones_are_named(self):
        cases = {"a missing include": "#pragma once\ninline std::string f() { return {}; }\n",
                 "no guard": "struct A {};\n", "a warning": "#pragma once\ninline int f(int unused) { return 1; }\n"}
        for name, text in cases.items():
            with self.subTest(name):
                found = self.check(text, ["g++", "-xc++", "-std=c++20"])
                self.assertEqual(len(found), 1)
                self.assertTrue(found[0].startswith("header.h: does not compile alone as that"), found)
        self.assertEqual(len(self.check("// not in C89\n", ["gcc", "-xc", "-std=c89"])), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
