"""The agent of one node, whose hands are the program's."""
import ctypes
import json

from . import _capi
from ._handle import Handle
from .errors import Error

LATER = object()  # what carry_out returns for work that is answered by Agent.done()


class Agent(Handle):
    """Runs the agent of a node: it reads what is wanted and what is there, registers, takes slots and writes reports.

    carry_out: called with each piece of work, {"id", "stage", "service_id", "subject", ...}; returns None when it is done,
        or {"facts": ...}, {"spec": ...}, {"digest": ...}, {"undo": ...} where the stage asks for it (docs/deployment.md),
        or LATER. What it raises is why the stage failed. Sessions are renewed between two calls, so that what takes long
        belongs in a thread of the program's own.
    remember: called with the memory, a dict; it is on the disk when it returns. memory: the last one remembered.
    stop, collect, record: called with the id of work that is not wanted any more, with what stays on the disk, and with
        each record of the journal; each may be left out.
    Options: config ({"node", "deadline", ...}), role, prefix, environment, instance, catalog_node, spread, session_ttl,
    lock_delay, report_pause, folder.
    """

    LATER = LATER

    def __init__(self, client, carry_out, remember, memory=None, stop=None, collect=None, record=None, **options):
        self.loop = client.loop
        self._carry_out, self._stop, self._collect, self._record = carry_out, stop, collect, record
        loop = self.loop

        def keep(_, document):
            try:
                remember(json.loads(ctypes.string_at(document.data, document.size)))
            except BaseException as problem:  # noqa: B902 - nothing may leave through C
                loop._raised.append(problem)
                return 13
            return 0

        callbacks = _capi.Hands(ctypes.sizeof(_capi.Hands), None, _capi.REMEMBER(keep), _capi.DESTROY())
        identity, pointer = ctypes.c_uint64(), ctypes.c_void_p()
        settings = {**options, "memory": memory, "journal": record is not None}
        _capi.call("cvg_agent_new", client.pointer, ctypes.byref(callbacks), _capi.document(settings),
                   ctypes.byref(identity), ctypes.byref(pointer))
        super().__init__(pointer.value, "cvg_agent_free", client, callbacks)
        self.identity = identity.value
        self.loop.watch_id(self.identity)

    def run(self, until=None, timeout=None):
        """Works until until(agent) is true, which is asked after each completion, or until `timeout` seconds are over:
        then False. Raises the Error of an agent whose memory cannot be kept."""
        deadline = None if timeout is None else self.loop.now + int(timeout * 1_000_000_000)
        while until is None or not until(self):
            left = None if deadline is None else (deadline - self.loop.now) / 1_000_000_000
            if left is not None and left <= 0:
                return False
            try:
                self._take(self.loop.wait_for(self.identity, left))
            except TimeoutError:
                return False
        return True

    def _take(self, effect):
        kind = effect["type"]
        if kind == "work":
            self._work(effect)
        elif kind == "stop-work" and self._stop is not None:
            self._stop(effect["id"])
        elif kind == "collect" and self._collect is not None:
            self._collect(effect)
        elif kind == "record" and self._record is not None:
            self._record(effect["record"])

    def _work(self, work):
        try:
            answer = self._carry_out(work)
        except Exception as problem:  # noqa: B902 - whatever it is, it is why the stage failed
            answer = {"ok": False, "problem": str(problem) or type(problem).__name__}
        if answer is LATER:
            return
        try:
            self.done(work["id"], **(answer or {}))
        except Error as error:
            if error.code != "NOT_FOUND":  # stopped in the meantime
                raise

    def done(self, identity, **answer):
        """Answers work: ok (True unless it says otherwise), problem, facts, spec, digest, undo."""
        _capi.call("cvg_agent_done", self.pointer, _capi.document({"id": identity, **answer}))

    def damaged(self, service_ids):
        """Tells whose files are not as they were installed; taken up when the agent looks at its node."""
        _capi.call("cvg_agent_damaged", self.pointer, _capi.document(list(service_ids)))

    def command(self, verb, service_id=None):
        """pause, resume or retry."""
        _capi.call("cvg_agent_command", self.pointer,
                   _capi.document({"verb": verb, **({} if service_id is None else {"service_id": service_id})}))

    @property
    def state(self):
        return _capi.call_for_document("cvg_agent_state", self.pointer)

    def close(self):
        super().close()
        self.loop.forget_id(self.identity)
