"""Reads the tree as the compiler does and says where it breaks rules.py. Each check returns lines "file: problem"."""

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import shlex
import subprocess

import rules

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


@dataclasses.dataclass
class Layer:
    name: str
    folder: str  # of lib/
    sources: list
    sees: list


@dataclasses.dataclass
class Command:
    """How the build compiles one file, without what names the output."""

    source: pathlib.Path
    output: pathlib.Path
    directory: pathlib.Path
    arguments: list  # compiler first, no file names


def parse_layers(root):
    """The convergence_layer() calls of lib/*/CMakeLists.txt, in a map by name."""
    layers = {}
    for path in sorted((root / "lib").glob("*/CMakeLists.txt")):
        text = re.sub(r"#.*", "", path.read_text())
        for call in re.findall(r"convergence_layer\(([^)]*)\)", text):
            words = call.split()
            lists, current = {"SOURCES": [], "SEES": [], "PACKAGES": []}, None
            for word in words[1:]:
                if word in lists:
                    current = lists[word]
                else:
                    current.append(word)
            layers[words[0]] = Layer(words[0], path.parent.name, lists["SOURCES"], lists["SEES"])
    return layers


def layer_of(relative, layers):
    """The layer of a file of lib/. In a folder of several a header goes with the source of its name, else the lowest."""
    here = [layer for layer in layers.values() if layer.folder == relative.parts[1]]
    for layer in here:
        if any(pathlib.Path(source).stem == relative.stem for source in layer.sources):
            return layer.name
    return here[0].name if here else None


def read_commands(build):
    """What the build says it does (compile_commands.json)."""
    commands = []
    for entry in json.loads((build / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])
        while os.path.basename(words[0]) in ("ccache", "env"):
            words.pop(0)
        arguments, output, skip = [], None, iter(words)
        for word in skip:
            if word in ("-o", "-MT", "-MF"):
                value = next(skip)
                output = value if word == "-o" else output
            elif word not in ("-c", "-MD", entry["file"]):
                arguments.append(word)
        directory = pathlib.Path(entry["directory"])
        commands.append(Command(pathlib.Path(directory / entry["file"]).resolve(), directory / output, directory, arguments))
    return commands


def dependencies(command):
    """The files that the compiler reads for it, system headers aside: the transitive list."""
    finished = subprocess.run([*command.arguments, "-MM", str(command.source)], capture_output=True, text=True,
                              cwd=command.directory, check=False)
    if finished.returncode != 0:
        raise RuntimeError(f"{command.source}: the compiler cannot list its includes:\n{finished.stderr}")
    words = shlex.split(finished.stdout.replace("\\\n", " "))
    return [(command.directory / word).resolve() for word in words if not word.endswith(":")]


def each(function, items):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(zip(items, pool.map(function, items)))


def includes_of(path):
    """What stands in #include lines, whatever the #if around them."""
    return [name for _, name in _INCLUDE.findall(path.read_text())]


def matches(name, rule):
    return name.startswith(rule) if rule.endswith(("/", "_hash")) else name == rule or name == rule + ".h"


class Tree:
    def __init__(self, root, build):
        self.root = root.resolve()
        self.layers = parse_layers(self.root)
        self.commands = [command for command in read_commands(build)
                         if command.source.is_relative_to(self.root) and self.folder(command.source) in
                         {"lib", *rules.OUTER_FOLDERS}]

    def relative(self, path):
        return path.relative_to(self.root)

    def folder(self, path):
        return self.relative(path).parts[0]

    def layer(self, path):
        """None for what is not in lib/."""
        return layer_of(self.relative(path), self.layers) if self.folder(path) == "lib" else None

    def own(self, paths):
        return [path for path in paths if path.is_relative_to(self.root)]

    def public_headers(self):
        return sorted((self.root / "include").rglob("*.h"))

    # ---- checks

    def check_declarations(self):
        """Arrows point down, every file is in a layer, every layer is compiled."""
        found, done = [], []
        for layer in self.layers.values():
            for seen in layer.sees:
                if seen not in self.layers:
                    found.append(f"lib/{layer.folder}/CMakeLists.txt: {layer.name} sees {seen}, which is no layer")
                elif layer.name in rules.PURE_LAYERS and seen not in rules.PURE_LAYERS:
                    found.append(f"lib/{layer.folder}/CMakeLists.txt: the pure {layer.name} sees the impure {seen}")
        remaining = dict(self.layers)
        while remaining:
            lowest = [name for name, layer in remaining.items() if not set(layer.sees) & set(remaining)]
            if not lowest:
                found.append(f"lib: the layers {', '.join(sorted(remaining))} see each other in a circle")
                break
            for name in lowest:
                done.append(remaining.pop(name))
        listed = {(layer.folder, source) for layer in self.layers.values() for source in layer.sources}
        compiled = {command.source for command in self.commands}
        for path in sorted((self.root / "lib").rglob("*.cc")):
            folder, source = self.relative(path).parts[1], "/".join(self.relative(path).parts[2:])
            if (folder, source) not in listed:
                found.append(f"{self.relative(path)}: is in the SOURCES of no layer")
            elif path not in compiled:
                found.append(f"{self.relative(path)}: is not compiled in this build")
        return found

    def check_directions(self):
        """Every file that is reached from a source is in a layer that the source's own declares."""
        found = set()
        for command, reached in each(dependencies, self.commands):
            source = command.source
            allowed = self._allowed(source)
            for path in self.own(reached):
                folder = self.folder(path)
                if folder == "include" or (folder == self.folder(source) and folder != "lib"):
                    continue
                layer = self.layer(path)
                if folder != "lib" or layer not in allowed:
                    found.add(f"{self.relative(source)}: reaches {self.relative(path)}, "
                              f"but {self._name(source)} may not see {layer or folder}")
            if self.layer(source) in rules.PURE_LAYERS:
                found |= self._impurities(source, self.own(reached))
        return sorted(found)

    def _allowed(self, source):
        layer = self.layer(source)
        return {layer, *self.layers[layer].sees} if layer else rules.OUTER_FOLDERS[self.folder(source)]

    def _name(self, source):
        return self.layer(source) or self.folder(source)

    def _impurities(self, source, reached):
        found = set()
        for path in reached:
            through = "" if path == source else f"; the pure {self.relative(source)} reaches it"
            for name in includes_of(path):
                if any(matches(name, rule) for rule in rules.FORBIDDEN_IN_PURE):
                    found.add(f"{self.relative(path)}: includes <{name}>{through}")
            # <chrono> is for durations: nobody asks a clock, not even in a template that nobody uses.
            for line in path.read_text().splitlines():
                if asked := re.search(r"\b\w+_clock\s*::\s*now\b|\babsl::Now\b", line.partition("//")[0]):
                    found.add(f"{self.relative(path)}: asks {asked.group()}{through}")
        return found

    def check_packages(self):
        """Third-party headers stay in the layer that keeps them."""
        found = []
        for folder in ("lib", *rules.OUTER_FOLDERS):
            for path in sorted((self.root / folder).rglob("*")):
                if path.suffix not in (".h", ".cc", ".c"):
                    continue
                for name in includes_of(path):
                    keepers = {layer for prefix, layers in rules.PRIVATE_PACKAGES.items() if matches(name, prefix)
                               for layer in layers}
                    if keepers and self.layer(path) not in keepers and not self._shares_folder(path, keepers):
                        found.append(f"{self.relative(path)}: includes <{name}>, which is for "
                                     f"{' and '.join(sorted(keepers))} alone")
                    if any(name.startswith(rule) for rule in rules.FORBIDDEN_EVERYWHERE):
                        found.append(f"{self.relative(path)}: includes <{name}>, which is for nobody")
        return found

    def _shares_folder(self, path, keepers):
        """A header without a source, in the folder of two layers: the pure one is watched by check_directions."""
        if self.folder(path) != "lib":
            return False
        named = any(pathlib.Path(source).stem == path.stem for layer in self.layers.values() for source in layer.sources
                    if layer.folder == self.relative(path).parts[1])
        return not named and any(self.layers[keeper].folder == self.relative(path).parts[1] for keeper in keepers
                                 if keeper in self.layers)

    def check_public_headers(self):
        """They include nothing of ours but each other, and little of others."""
        found = []
        for path in self.public_headers():
            for name in includes_of(path):
                if any(name.startswith(rule) for rule in rules.FORBIDDEN_IN_PUBLIC):
                    found.append(f"{self.relative(path)}: includes \"{name}\"")
                elif name.startswith("convergence/") and not (self.root / "include" / name).exists():
                    found.append(f"{self.relative(path)}: includes \"{name}\", which is no public header")
        return found

    def check_symbols(self):
        """What the objects of the pure layers leave for others to define."""
        objects = [command for command in self.commands if self.layer(command.source) in rules.PURE_LAYERS]
        found = []
        for command, symbols in each(lambda command: undefined_symbols(command.output), objects):
            found += [f"{self.relative(command.source)}: uses {symbol}" for symbol in symbols if is_impure(symbol)]
        return found


def check_archive(path):
    """The pure library as it is shipped, whatever objects CMake has put there."""
    return [f"{path.name}: uses {symbol}" for symbol in undefined_symbols(path) if is_impure(symbol)]


def undefined_symbols(path):
    finished = subprocess.run(["nm", "-u", "-C", str(path)], capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise RuntimeError(f"{path}: cannot be read; build first: {finished.stderr.strip()}")
    lines = (re.match(r"\s+[Uwv] (.*)", line) for line in finished.stdout.splitlines())
    return sorted({line.group(1).split("@")[0] for line in lines if line})


def is_impure(symbol):
    return (symbol in rules.FORBIDDEN_FUNCTIONS or symbol.startswith(rules.FORBIDDEN_PREFIXES) or
            re.search(rules.FORBIDDEN_ABSEIL, symbol) is not None)


def check_headers_alone(headers, languages, flags):
    """Each header compiles by itself and twice. `languages`: name -> compiler and its arguments."""
    def compile_one(job):
        header, (_, command) = job
        name = header.as_posix()
        text = f'#include "{name}"\n#include "{name}"\nextern int not_empty;\n'
        return subprocess.run([*command, *flags, "-fsyntax-only", "-"], input=text, capture_output=True, text=True,
                              check=False)

    jobs = [(header, language) for header in headers for language in languages.items()]
    return [f"{header.name}: does not compile alone as {language}:\n{finished.stderr}"
            for (header, (language, _)), finished in each(compile_one, jobs) if finished.returncode != 0]
