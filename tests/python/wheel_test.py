"""wheel_test.py LIBRARY SOURCE: `pip wheel` of bindings/python, installed in a clean venv, passes the package's tests.

Works on a copy, so that nothing is left in the checkout.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile


def run(*command, **options):
    print("+", *command, flush=True)
    subprocess.run([str(word) for word in command], check=True, **options)


def main(library, source):
    source = pathlib.Path(source)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        shutil.copytree(source / "bindings" / "python", folder / "tree" / "bindings" / "python")
        (folder / "tree" / "include" / "convergence").mkdir(parents=True)
        shutil.copy(source / "include" / "convergence" / "version.h", folder / "tree" / "include" / "convergence")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_"))}
        run(sys.executable, "-m", "pip", "wheel", folder / "tree" / "bindings" / "python", "--no-build-isolation",
            "--no-deps", "--no-index", "-w", folder / "wheels", env={**clean, "CONVERGENCE_LIBRARY": library})
        (wheel,) = (folder / "wheels").glob("*.whl")
        assert wheel.name.startswith("convergence-") and "-py3-none-linux_" in wheel.name, wheel.name
        run(sys.executable, "-m", "venv", folder / "venv", env=clean)
        python = folder / "venv" / "bin" / "python"
        run(python, "-m", "pip", "install", "--no-index", wheel, env=clean)
        # The schema's test is of the checkout: it reads a page of it, with a package that is none of ours.
        shutil.copytree(source / "tests" / "python", folder / "tests", ignore=shutil.ignore_patterns("test_schema.py"))
        clean["CONVERGENCE_SYMBOLS"] = str(source / "tests" / "capi" / "symbols.txt")
        clean["CONVERGENCE_TESTS_SUPPORT"] = str(source / "tests" / "support")
        clean.pop("CONVERGENCE_LIBRARY", None)  # the one inside the wheel
        where = subprocess.run([python, "-c", "import convergence; print(convergence.__file__)"], check=True, text=True,
                               capture_output=True, env=clean, cwd=folder / "tests").stdout
        assert str(folder / "venv") in where, where
        run(python, "-m", "unittest", "discover", "-v", env=clean, cwd=folder / "tests")


main(*sys.argv[1:])
