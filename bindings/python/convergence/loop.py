"""The loop on which everything asynchronous runs, and ways to reach a Consul."""
import asyncio
import collections
import ctypes
import json
import os

from . import _capi
from ._handle import Handle
from .errors import Error

SECOND = 1_000_000_000


class Loop(Handle):
    """Polled by its owner. simulated=True: its clock moves only by advance(), from `start` (ns since 1970)."""

    def __init__(self, simulated=False, start=0):
        if simulated:
            pointer = _capi.call_for_handle("cvg_loop_new_simulated", start)
        else:
            pointer = _capi.call_for_handle("cvg_loop_new")
        super().__init__(pointer, "cvg_loop_free")
        self.simulated = simulated
        self._waiting = {}  # id -> deque of (document, Error)
        self._raised = []  # exceptions of host callbacks, to be raised by the call during which they happened

    def poll(self, timeout=0.0):
        """Runs what is due, waiting at most `timeout` seconds; returns how many tasks ran."""
        ran = ctypes.c_int32()
        _capi.call("cvg_loop_poll", self.pointer, int(timeout * SECOND), ctypes.byref(ran))
        self._take()
        self.raise_pending()
        return ran.value

    def advance(self, seconds):
        """Moves a simulated clock on."""
        self._advance(int(seconds * SECOND))

    def _advance(self, nanoseconds):
        _capi.call("cvg_loop_advance", self.pointer, nanoseconds)
        self._take()
        self.raise_pending()

    def fileno(self):
        """Readable while poll(0) would run something posted; for select and asyncio's add_reader."""
        return _capi.library.cvg_loop_descriptor(self.pointer)

    @property
    def now(self):
        return _capi.library.cvg_loop_now(self.pointer)

    @property
    def next_due(self):
        """When something runs next (ns since 1970), None when nothing waits."""
        due = _capi.library.cvg_loop_next_due(self.pointer)
        return None if due == 2**63 - 1 else due

    def watch_id(self, identity):
        self._waiting[identity] = collections.deque()

    def forget_id(self, identity):
        self._waiting.pop(identity, None)

    def take(self, identity):
        """The oldest completion of `identity` as (document, Error), or None."""
        queue = self._waiting.get(identity)
        return queue.popleft() if queue else None

    def wait_for(self, identity, timeout=None):
        """Polls until `identity` has completed; raises its Error. TimeoutError after `timeout` seconds."""
        deadline = None if timeout is None else self.now + int(timeout * SECOND)
        while True:
            self._take()
            done = self.take(identity)
            if done is not None:
                document, error = done
                if error is not None:
                    raise error
                return document
            if deadline is not None and self.now >= deadline:
                raise TimeoutError(f"no completion within {timeout} s")
            self._step(deadline)

    def _step(self, deadline):
        if not self.simulated:
            limit = self.now + SECOND if deadline is None else deadline
            self.poll(max(0.0, min(1.0, (limit - self.now) / SECOND)))
            return
        if self.poll():
            return
        due = self.next_due
        if due is None and deadline is None:
            raise Error("DEADLINE_EXCEEDED", "loop: nothing is left that could run; it would wait for ever", "timeout")
        self._advance(min(t for t in (due, deadline) if t is not None) - self.now)

    def _take(self):
        identity, buffer, failure = ctypes.c_uint64(), _capi.Buffer(), ctypes.c_void_p()
        while _capi.library.cvg_loop_next(self.pointer, ctypes.byref(identity), ctypes.byref(buffer),
                                          ctypes.byref(failure)):
            if failure.value:
                entry = (None, _capi.take_error(failure))
            else:
                entry = (json.loads(_capi.take_buffer(buffer)), None)
            queue = self._waiting.get(identity.value)
            if queue is not None:
                queue.append(entry)
            buffer, failure = _capi.Buffer(), ctypes.c_void_p()

    def raise_pending(self, cause=None):
        """Raises what a host callback raised since the last look, if anything."""
        if self._raised:
            problem = self._raised[0]
            self._raised.clear()
            raise problem from cause

    async def run_async(self, identity):
        """Awaits a completion inside asyncio, without a thread: woken by the descriptor and by the next timer."""
        running = asyncio.get_running_loop()
        while True:
            self._take()
            done = self.take(identity)
            if done is not None:
                document, error = done
                if error is not None:
                    raise error
                return document
            woken = asyncio.Event()
            running.add_reader(self.fileno(), woken.set)
            try:
                due = self.next_due
                timeout = None if due is None else max(0.0, (due - self.now) / SECOND)
                try:
                    await asyncio.wait_for(woken.wait(), timeout)
                except asyncio.TimeoutError:
                    pass
            finally:
                running.remove_reader(self.fileno())
            self.poll(0)


class Connection(Handle):
    """A way to reach a Consul. Made by the functions below."""

    def __init__(self, loop, pointer, *keeps):
        super().__init__(pointer, "cvg_connection_free", loop, *keeps)
        self.loop = loop

    @property
    def recording(self):
        """What a recording connection has seen so far."""
        return _capi.call_for_document("cvg_connection_recording", self.pointer)


def environment_options(environment=os.environ):
    """The options that Consul's own environment variables ask for."""
    options = {}
    address = environment.get("CONSUL_HTTP_ADDR")
    secure = environment.get("CONSUL_HTTP_SSL", "").lower() in ("1", "t", "true")
    if address:
        options["address"] = address
    if secure and "://" not in (address or ""):
        options["address"] = "https://" + (address or "127.0.0.1:8500")
    names = {"CONSUL_HTTP_TOKEN": "token", "CONSUL_HTTP_AUTH": "basic_auth", "CONSUL_CACERT": "ca_file",
             "CONSUL_CAPATH": "ca_path", "CONSUL_CLIENT_CERT": "client_cert_file", "CONSUL_CLIENT_KEY": "client_key_file",
             "CONSUL_TLS_SERVER_NAME": "tls_server_name"}
    for variable, option in names.items():
        if environment.get(variable):
            options[option] = environment[variable]
    if not options.get("token") and environment.get("CONSUL_HTTP_TOKEN_FILE"):
        with open(environment["CONSUL_HTTP_TOKEN_FILE"], encoding="utf-8") as file:
            options["token"] = file.read().strip()
    if environment.get("CONSUL_HTTP_SSL_VERIFY", "").lower() in ("0", "f", "false"):
        options["verify_tls"] = False
    return options


def connect(loop, **options):
    """Over the network. Options as CurlOptions: address, token, verify_tls, ca_file, ..."""
    return Connection(loop, _capi.call_for_handle("cvg_connection_curl", loop.pointer, _capi.document(options)))


def record(inner):
    """Passes everything on and keeps it; see Connection.recording."""
    return Connection(inner.loop, _capi.call_for_handle("cvg_connection_record", inner.loop.pointer, inner.pointer), inner)


def replay(loop, recording):
    """Answers from a recording."""
    return Connection(loop, _capi.call_for_handle("cvg_connection_replay", loop.pointer, _capi.document(recording)))


def fault(inner, faults):
    """Makes things go wrong: a list of rules, see cvg_connection_fault in c.h."""
    return Connection(inner.loop, _capi.call_for_handle("cvg_connection_fault", inner.loop.pointer, inner.pointer,
                                                        _capi.document(faults)), inner)


def host(loop, function):
    """Requests carried out by a Python function: {"method","target","headers","body"} -> (status, headers, body).

    An exception it raises is raised again by the call that waited for the answer, and the request fails.
    """
    holder = {}

    def send(_, identity, request):
        try:
            r = request.contents
            status, headers, body = function({
                "method": ctypes.string_at(r.method.data, r.method.size).decode(),
                "target": ctypes.string_at(r.target.data, r.target.size).decode(),
                "headers": json.loads(_bytes(r.headers) or b"[]"),
                "body": _bytes(r.body)})
            pairs = [[str(k), str(v)] for k, v in (headers.items() if isinstance(headers, dict) else headers)]
            _capi.call("cvg_connection_complete", holder["pointer"], identity, status, _capi.document(pairs),
                       _capi.text(body))
        except BaseException as problem:  # noqa: B902 - nothing may leave through C
            loop._raised.append(problem)
            return 13
        return 0

    callbacks = _capi.Transport(ctypes.sizeof(_capi.Transport), None, _capi.SEND(send), _capi.CANCEL(), _capi.DESTROY())
    holder["pointer"] = _capi.call_for_handle("cvg_connection_host", loop.pointer, ctypes.byref(callbacks))
    return Connection(loop, holder["pointer"], callbacks)


def _bytes(piece):
    return ctypes.string_at(piece.data, piece.size) if piece.size else b""


class MemoryConsul(Handle):
    """The embedded Consul. clock: None for the machine's, or a simulated Loop; serve(port) gives it Consul's HTTP face."""

    def __init__(self, clock=None, datacenter="dc1", node=None):
        self.loop = clock if clock is not None else Loop()
        options = {"datacenter": datacenter}
        if node is not None:
            options["node"] = node
        super().__init__(_capi.call_for_handle("cvg_memory_consul_new", self.loop.pointer, _capi.document(options)),
                         "cvg_memory_consul_free", self.loop)

    def connect(self):
        return Connection(self.loop, _capi.call_for_handle("cvg_memory_consul_connect", self.pointer), self)

    def serve(self, port=0):
        """Listens on 127.0.0.1; returns the port. Answers while the loop is polled."""
        taken = ctypes.c_uint16()
        _capi.call("cvg_memory_consul_serve", self.pointer, port, ctypes.byref(taken))
        return taken.value
