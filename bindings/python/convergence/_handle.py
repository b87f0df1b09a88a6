"""Objects that own a C handle."""
import weakref

from ._capi import library
from .errors import Error


class _Owned:
    """One C object, freed once nobody holds it any more: its Handle, or what was made from it.

    C wants children freed before parents; so a child holds its parents' _Owned, and a parent that is closed early
    lives on behind it.
    """

    def __init__(self, pointer, free, keeps):
        self.pointer = pointer
        # The finalizer holds `keeps`, so that neither the collector nor the end of the program frees a parent first.
        self._finalizer = weakref.finalize(self, _free, free, pointer, keeps)


def _free(free, pointer, keeps):
    getattr(library, free)(pointer)
    keeps.clear()


class Handle:
    """Owns one C object: close() gives it up, so does leaving a with block or the garbage collector."""

    def __init__(self, pointer, free, *keeps):
        self._owned = _Owned(pointer, free, [k._owned if isinstance(k, Handle) else k for k in keeps])

    @property
    def pointer(self):
        if self._owned is None:
            raise Error("FAILED_PRECONDITION", f"{type(self).__name__}: is closed", "usage")
        return self._owned.pointer

    def close(self):
        self._owned = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
