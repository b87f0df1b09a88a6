"""The table of prototypes names exactly the functions of the library."""
import os
import pathlib
import unittest

from convergence import _capi


class Prototypes(unittest.TestCase):
    def test_they_agree_with_the_list_of_symbols(self):
        listed = os.environ.get("CONVERGENCE_SYMBOLS")
        path = pathlib.Path(listed) if listed else pathlib.Path(__file__).parent.parent / "capi" / "symbols.txt"
        self.assertEqual(sorted(name for name, _, _ in _capi.PROTOTYPES), sorted(path.read_text().split()))

    def test_every_argument_has_a_type(self):
        for name, _, arguments in _capi.PROTOTYPES:
            with self.subTest(name):
                self.assertEqual(list(getattr(_capi.library, name).argtypes), arguments)


if __name__ == "__main__":
    unittest.main()
