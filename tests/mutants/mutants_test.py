"""Takes each guard listed in guards.json out of a copy of its source, builds unit_canary with it, and looks for the test
that fails. A guard that nothing misses is no guard, or is not tested."""
import argparse
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = "unit_canary"


def without(guard):
    """The source without the guard, or an error: the list must follow the code."""
    source = (ROOT / guard["file"]).read_text()
    if source.count(guard["find"]) != 1:
        raise ValueError(f'{guard["id"]}: its text is {source.count(guard["find"])} times in {guard["file"]}')
    return source.replace(guard["find"], guard["replace"])


class Build:
    def __init__(self, folder, ninja):
        self.folder = pathlib.Path(folder)
        commands = json.loads((self.folder / "compile_commands.json").read_text())
        self.compile = {command["file"]: command for command in commands}
        said = subprocess.run([ninja, "-C", folder, "-t", "commands", f"bin/{PROGRAM}"], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
        self.link = said.strip().splitlines()[-1]

    def program_without(self, guard, folder):
        """The test program that lacks the guard."""
        command = self.compile[str(ROOT / guard["file"])]
        copy = folder / pathlib.Path(guard["file"]).name
        copy.write_text(without(guard))
        words = shlex.split(command["command"])
        object_file = words[words.index("-o") + 1]
        words[words.index("-o") + 1] = str(folder / "mutant.o")
        words[words.index("-c") + 1] = str(copy)
        # What a guard needed may be unused without it.
        run(words + ["-O0", "-Wno-error", "-w"], command["directory"], guard)
        link = self.link.replace(object_file, str(folder / "mutant.o")).replace(f"-o bin/{PROGRAM}",
                                                                                f"-o {folder / PROGRAM}")
        run(["sh", "-c", link], self.folder, guard)
        return folder / PROGRAM


def run(words, folder, guard):
    done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(f'{guard["id"]}: does not build: {done.stdout[-2000:]}')


def missed(build, guard):
    """What is wrong with the guard; empty: its test fails without it."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            program = build.program_without(guard, pathlib.Path(folder))
        except ValueError as problem:
            return str(problem)
        case = guard["case"].replace(",", "\\,")
        done = subprocess.run([program, f"--test-case={case}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        if "test cases:    0" in done.stdout or "test cases: 0" in done.stdout:
            return f'{guard["id"]}: there is no case "{guard["case"]}"'
        if done.returncode == 0:
            return f'{guard["id"]}: nothing misses it in "{guard["case"]}"'
        return ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--ninja", required=True)
    parser.add_argument("--only", help="id of one guard")
    arguments = parser.parse_args()
    build = Build(arguments.build, arguments.ninja)
    guards = json.loads((pathlib.Path(__file__).parent / "guards.json").read_text())
    guards = [guard for guard in guards if arguments.only in (None, guard["id"])]
    problems = 0
    for guard in guards:
        problem = missed(build, guard)
        print(problem or f'{guard["id"]}: missed by "{guard["case"]}"', flush=True)
        problems += bool(problem)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
