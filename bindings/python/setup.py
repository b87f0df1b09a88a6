"""Builds a wheel that carries libconvergence_c: py3-none-<platform>, since ctypes asks for no Python ABI.

The library comes from CONVERGENCE_LIBRARY, else from build/release/lib of the checkout this file stands in.
"""
import os
import pathlib
import re
import shutil

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py
from wheel.bdist_wheel import bdist_wheel

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def library():
    named = os.environ.get("CONVERGENCE_LIBRARY")
    path = pathlib.Path(named) if named else ROOT / "build" / "release" / "lib" / "libconvergence_c.so"
    if not path.exists():
        raise SystemExit(f"{path}: is not there; build the library first (cmake --build --preset release) "
                         "or name it in CONVERGENCE_LIBRARY")
    return path.resolve()  # the file behind the version links


def version():
    text = (ROOT / "include" / "convergence" / "version.h").read_text()
    parts = [re.search(rf"#define CVG_VERSION_{name} (\d+)", text).group(1) for name in ("MAJOR", "MINOR", "PATCH")]
    return ".".join(parts)


class BuildWithLibrary(build_py):
    def run(self):
        super().run()
        folder = pathlib.Path(self.build_lib) / "convergence" / "lib"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(library(), folder / "libconvergence_c.so")


class PlatformWheel(bdist_wheel):
    def get_tag(self):
        _, _, platform = super().get_tag()
        return "py3", "none", platform


class PlatformDistribution(Distribution):
    def has_ext_modules(self):
        return True


setup(version=version(), distclass=PlatformDistribution,
      cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": PlatformWheel})
