"""Finds and opens libconvergence_c."""
import ctypes
import os
import pathlib

ABI_VERSION = 0


def _candidates():
    named = os.environ.get("CONVERGENCE_LIBRARY")
    if named:  # asked for by name: no other will do
        return [named]
    return [str(pathlib.Path(__file__).resolve().parent / "lib" / "libconvergence_c.so"),
            f"libconvergence_c.so.{ABI_VERSION}"]


def load():
    """The library, or ImportError that lists every place looked at and why it would not do."""
    problems = []
    for path in _candidates():
        try:
            library = ctypes.CDLL(path)
        except OSError as problem:
            problems.append(f"{path}: {problem}")
            continue
        library.cvg_abi_version.restype = ctypes.c_int32
        library.cvg_abi_version.argtypes = []
        found = library.cvg_abi_version()
        if found == ABI_VERSION:
            return library
        problems.append(f"{path}: has ABI version {found}; this package needs {ABI_VERSION}")
    raise ImportError("libconvergence_c cannot be used:\n  " + "\n  ".join(problems) +
                      "\nInstall it, or name it in CONVERGENCE_LIBRARY.")
