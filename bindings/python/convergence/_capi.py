"""The C functions with their types, and the few helpers through which all of them are called.

Nothing of ctypes leaves this module but handles: documents go in and come out as Python values.
"""
import base64
import ctypes
import json

from ._load import load
from .errors import CODES, Error

_library = load()


class Slice(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("size", ctypes.c_size_t)]


class Buffer(ctypes.Structure):
    _fields_ = [("data", ctypes.POINTER(ctypes.c_char)), ("size", ctypes.c_size_t)]


class Request(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("method", Slice), ("target", Slice), ("headers", Slice),
                ("body", Slice), ("deadline", ctypes.c_int64)]


SEND = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_uint64, ctypes.POINTER(Request))
CANCEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64)
DESTROY = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Transport(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("user_data", ctypes.c_void_p), ("send", SEND), ("cancel", CANCEL),
                ("destroy", DESTROY)]


REMEMBER = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, Slice)


class Hands(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("user_data", ctypes.c_void_p), ("remember", REMEMBER),
                ("destroy", DESTROY)]


_code = ctypes.c_int32
_handle = ctypes.c_void_p
_to = ctypes.POINTER
_out = _to(Buffer)
_failure = _to(_handle)

# (name, result, arguments); a test holds this list against the header and against the library's own symbols.
PROTOTYPES = [
    ("cvg_version", ctypes.c_char_p, []),
    ("cvg_abi_version", ctypes.c_int32, []),
    ("cvg_text", Slice, [ctypes.c_char_p]),
    ("cvg_buffer_free", None, [_out]),
    ("cvg_error_code", _code, [_handle]),
    ("cvg_error_message", ctypes.c_char_p, [_handle]),
    ("cvg_error_kind", ctypes.c_char_p, [_handle]),
    ("cvg_error_detail", ctypes.c_char_p, [_handle]),
    ("cvg_error_free", None, [_handle]),
    ("cvg_route", _code, [Slice, Slice, _out, _failure]),
    ("cvg_route_with_catalog", _code, [Slice, Slice, Slice, _out, _failure]),
    ("cvg_draw_chain", _code, [Slice, Slice, Slice, _out, _failure]),
    ("cvg_import", _code, [Slice, Slice, _out, _failure]),
    ("cvg_lint", _code, [Slice, Slice, _out, _failure]),
    ("cvg_filter", _code, [Slice, Slice, _out, _failure]),
    ("cvg_filter_of_kind", _code, [Slice, Slice, Slice, _out, _failure]),
    ("cvg_plan_config", _code, [Slice, Slice, Slice, _out, _failure]),
    ("cvg_catalog_from_consul", _code, [Slice, _out, _failure]),
    ("cvg_converge", _code, [Slice, Slice, Slice, _out, _failure]),
    ("cvg_undo", _code, [Slice, _out, _failure]),
    ("cvg_describe_plan", _code, [Slice, _out, _failure]),
    ("cvg_canary_step", _code, [Slice, Slice, Slice, _out, _failure]),
    ("cvg_agent_step", _code, [Slice, Slice, _out, _failure]),
    ("cvg_replay", _code, [Slice, _out, _failure]),
    ("cvg_plan_node", _code, [Slice, Slice, _out, _failure]),
    ("cvg_services_on", _code, [Slice, Slice, _out, _failure]),
    ("cvg_target_on", _code, [Slice, Slice, Slice, _out, _failure]),
    ("cvg_fleet_of", _code, [Slice, Slice, Slice, _out, _failure]),
    ("cvg_advance", _code, [Slice, Slice, ctypes.c_int64, _out, _failure]),
    ("cvg_status_of", _code, [Slice, Slice, Slice, _out, _failure]),
    ("cvg_deploy", _code, [Slice, Slice, ctypes.c_int32, _out, _failure]),
    ("cvg_cancel", _code, [Slice, Slice, _out, _failure]),
    ("cvg_toggle", _code, [Slice, ctypes.c_int32, _out, _failure]),
    ("cvg_import_environment", _code, [Slice, Slice, _out, _failure]),
    ("cvg_export_environment", _code, [Slice, Slice, Slice, ctypes.c_int32, _out, _failure]),
    ("cvg_appspec", _code, [Slice, Slice, _out, _failure]),
    ("cvg_agent_rules", _code, [Slice, _out, _failure]),
    ("cvg_operator_rules", _code, [Slice, _out, _failure]),
    ("cvg_compare", _code, [Slice, Slice, _out, _failure]),
    ("cvg_simulate", _code, [Slice, Slice, ctypes.c_int64, ctypes.c_uint64, _out, _failure]),
    ("cvg_entries_new", _code, [Slice, _to(_handle), _failure]),
    ("cvg_entries_put", _code, [_handle, Slice, _failure]),
    ("cvg_entries_delete", _code, [_handle, Slice, Slice, _failure]),
    ("cvg_entries_get", _code, [_handle, Slice, Slice, _out, _failure]),
    ("cvg_entries_list", _code, [_handle, Slice, _out, _failure]),
    ("cvg_entries_compile", _code, [_handle, Slice, Slice, _out, _failure]),
    ("cvg_entries_free", None, [_handle]),
    ("cvg_loop_new", _code, [_to(_handle), _failure]),
    ("cvg_loop_new_simulated", _code, [ctypes.c_int64, _to(_handle), _failure]),
    ("cvg_loop_poll", _code, [_handle, ctypes.c_int64, _to(ctypes.c_int32), _failure]),
    ("cvg_loop_descriptor", ctypes.c_int32, [_handle]),
    ("cvg_loop_now", ctypes.c_int64, [_handle]),
    ("cvg_loop_next_due", ctypes.c_int64, [_handle]),
    ("cvg_loop_advance", _code, [_handle, ctypes.c_int64, _failure]),
    ("cvg_loop_next", ctypes.c_int32, [_handle, _to(ctypes.c_uint64), _out, _failure]),
    ("cvg_loop_free", None, [_handle]),
    ("cvg_connection_curl", _code, [_handle, Slice, _to(_handle), _failure]),
    ("cvg_connection_host", _code, [_handle, _to(Transport), _to(_handle), _failure]),
    ("cvg_connection_complete", _code, [_handle, ctypes.c_uint64, ctypes.c_int32, Slice, Slice, _failure]),
    ("cvg_connection_fail", _code, [_handle, ctypes.c_uint64, Slice, _failure]),
    ("cvg_connection_record", _code, [_handle, _handle, _to(_handle), _failure]),
    ("cvg_connection_recording", _code, [_handle, _out, _failure]),
    ("cvg_connection_replay", _code, [_handle, Slice, _to(_handle), _failure]),
    ("cvg_connection_fault", _code, [_handle, _handle, Slice, _to(_handle), _failure]),
    ("cvg_connection_free", None, [_handle]),
    ("cvg_memory_consul_new", _code, [_handle, Slice, _to(_handle), _failure]),
    ("cvg_memory_consul_connect", _code, [_handle, _to(_handle), _failure]),
    ("cvg_memory_consul_serve", _code, [_handle, ctypes.c_uint16, _to(ctypes.c_uint16), _failure]),
    ("cvg_memory_consul_free", None, [_handle]),
    ("cvg_client_new", _code, [_handle, _handle, Slice, _to(_handle), _failure]),
    ("cvg_client_begin", _code, [_handle, Slice, Slice, _to(ctypes.c_uint64), _failure]),
    ("cvg_client_call", _code, [_handle, Slice, Slice, _out, _failure]),
    ("cvg_client_free", None, [_handle]),
    ("cvg_watch_start", _code, [_handle, Slice, Slice, _to(ctypes.c_uint64), _to(_handle), _failure]),
    ("cvg_watch_free", None, [_handle]),
    ("cvg_rollout_new", _code, [_handle, Slice, Slice, _to(ctypes.c_uint64), _to(_handle), _failure]),
    ("cvg_rollout_start", _code, [_handle, Slice, Slice, _failure]),
    ("cvg_rollout_resume", _code, [_handle, _failure]),
    ("cvg_rollout_command", _code, [_handle, Slice, _out, _failure]),
    ("cvg_rollout_measured", _code, [_handle, Slice, _failure]),
    ("cvg_rollout_free", None, [_handle]),
    ("cvg_agent_new", _code, [_handle, _to(Hands), Slice, _to(ctypes.c_uint64), _to(_handle), _failure]),
    ("cvg_agent_done", _code, [_handle, Slice, _failure]),
    ("cvg_agent_damaged", _code, [_handle, Slice, _failure]),
    ("cvg_agent_command", _code, [_handle, Slice, _failure]),
    ("cvg_agent_state", _code, [_handle, _out, _failure]),
    ("cvg_agent_free", None, [_handle]),
]

for _name, _result, _arguments in PROTOTYPES:
    _function = getattr(_library, _name)
    _function.restype = _result
    _function.argtypes = _arguments

library = _library


def text(value):
    """A slice of a str or bytes; ctypes keeps the bytes alive as long as the slice."""
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else bytes(value)
    return Slice(data, len(data))


def document(value):
    """A slice of a JSON document: a dict or list is written, a str or bytes is taken as the text itself."""
    if value is None:
        return Slice(None, 0)
    if isinstance(value, (str, bytes)):
        return text(value)
    return text(json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False))


def pairs(rows):
    """A slice of KV rows as /v1/kv answers them; their values may be bytes, as those that a client has decoded."""
    return document([{**row, "Value": base64.b64encode(row["Value"]).decode()} if isinstance(row.get("Value"), bytes)
                     else row for row in rows])


def take_buffer(buffer):
    try:
        return ctypes.string_at(buffer.data, buffer.size)
    finally:
        _library.cvg_buffer_free(ctypes.byref(buffer))


def take_error(handle):
    """The exception for an owned cvg_error*, which is freed."""
    try:
        code = _library.cvg_error_code(handle)
        return Error(CODES[code] if 0 <= code < len(CODES) else "UNKNOWN",
                     _library.cvg_error_message(handle).decode("utf-8", "replace"),
                     _library.cvg_error_kind(handle).decode(),
                     json.loads(_library.cvg_error_detail(handle).decode("utf-8", "replace") or "{}"))
    finally:
        _library.cvg_error_free(handle)


def call(name, *arguments):
    """Calls a function whose last argument is the error; raises Error unless it succeeds."""
    failure = _handle()
    code = getattr(_library, name)(*arguments, ctypes.byref(failure))
    if code == 0:
        return
    if failure.value:
        raise take_error(failure)
    raise Error(CODES[code] if 0 <= code < len(CODES) else "UNKNOWN", f"{name}: code {code}")


def call_for_bytes(name, *arguments):
    buffer = Buffer()
    call(name, *arguments, ctypes.byref(buffer))
    return take_buffer(buffer)


def call_for_document(name, *arguments):
    return json.loads(call_for_bytes(name, *arguments))


def call_for_handle(name, *arguments):
    handle = _handle()
    call(name, *arguments, ctypes.byref(handle))
    return handle.value
