"""The one exception of the package."""


class Error(Exception):
    """What the library refused or could not do.

    code     the name of the status, e.g. "INVALID_ARGUMENT"
    message  one line for people
    kind     what programs branch on, e.g. "decode", "validate", "graph", "unreachable"
    detail   a dict: document, pointer, offset, status, body, ... whatever the kind has
    """

    def __init__(self, code, message, kind="", detail=None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.kind = kind
        self.detail = detail or {}

    def __repr__(self):
        return f"Error(code={self.code!r}, kind={self.kind!r}, message={self.message!r})"


CODES = ["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
         "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
         "INTERNAL", "UNAVAILABLE", "DATA_LOSS"]
