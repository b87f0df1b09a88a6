"""Consul's API, typed by its own JSON shapes."""
import base64
import ctypes
import os

from . import _capi
from ._handle import Handle
from .errors import Error
from .loop import Connection, Loop, connect, environment_options, host


class Client(Handle):
    """A client. Without arguments it follows CONSUL_HTTP_ADDR and its siblings.

    transport: a Connection (record, replay, fault, MemoryConsul.connect()) or a function that carries requests out.
    Other options are those of connect(): token, verify_tls, ca_file, ...
    """

    def __init__(self, address=None, token=None, transport=None, loop=None, max_tries=None, **options):
        if isinstance(transport, Connection):
            connection = transport
        elif transport is not None:
            connection = host(loop or Loop(), transport)
        else:
            merged = {**environment_options(os.environ), **options}
            if address is not None:
                merged["address"] = address
            if token is not None:
                merged["token"] = token
            connection = connect(loop or Loop(), **merged)
        self.loop = connection.loop
        settings = {} if max_tries is None else {"max_tries": max_tries}
        super().__init__(_capi.call_for_handle("cvg_client_new", self.loop.pointer, connection.pointer,
                                               _capi.document(settings)), "cvg_client_free", connection, self.loop)
        self.kv, self.catalog, self.health = KV(self), Catalog(self), Health(self)
        self.agent, self.config, self.session = Agent(self), Config(self), Session(self)

    def call(self, verb, **arguments):
        """One call by its name in c.h, waited for."""
        try:
            return _capi.call_for_document("cvg_client_call", self.pointer, _capi.text(verb),
                                           _capi.document(_given(arguments)))
        except Error as error:
            self.loop.raise_pending(error)
            raise

    def value(self, verb, **arguments):
        return self.call(verb, **arguments)["value"]

    def begin(self, verb, **arguments):
        """Starts a call; its id is for loop.wait_for()."""
        identity = ctypes.c_uint64()
        _capi.call("cvg_client_begin", self.pointer, _capi.text(verb), _capi.document(_given(arguments)),
                   ctypes.byref(identity))
        self.loop.watch_id(identity.value)
        return identity.value

    async def call_async(self, verb, **arguments):
        identity = self.begin(verb, **arguments)
        try:
            return await self.loop.run_async(identity)
        finally:
            self.loop.forget_id(identity)

    def txn(self, operations):
        """At most 64 operations in Consul's JSON, all or none: {"Results", "Errors"}."""
        return self.value("txn", operations=operations)

    def discovery_chain(self, service, **options):
        return self.value("discovery_chain", service=service, **options)

    def leader(self):
        return self.value("status_leader")

    def watch(self, verb, **arguments):
        """A Watch over one of the reads, e.g. client.watch("kv_get", key="a")."""
        return Watch(self, verb, arguments)

    def read_desired(self, prefix="convergence"):
        """What is wanted, from KV below the prefix: {"index", "value", "broken"}."""
        return self.call("read_desired", prefix=prefix)

    def read_catalog(self, services=()):
        """What is there, as the document of a CatalogState."""
        return self.value("read_catalog", services=list(services))

    def apply_plan(self, plan):
        return self.value("apply_plan", plan=plan)

    def converge_once(self, prefix="convergence", options=None, max_rounds=None):
        """Reads, plans and applies until nothing is left to do: {"rounds", "steps_done", "conflicts", "plan", "broken"}."""
        return self.value("converge_once", prefix=prefix, options=options, max_rounds=max_rounds)


def _given(arguments):
    return {name: value for name, value in arguments.items() if value is not None}


class _Part:
    def __init__(self, client):
        self._client = client


class KV(_Part):
    def get(self, key, **options):
        """The pair as Consul answers it, with "Value" as bytes; None when absent."""
        return _decoded(self._client.value("kv_get", key=key, **options))

    def recurse(self, prefix, **options):
        return [_decoded(pair) for pair in self._client.value("kv_recurse", prefix=prefix, **options)]

    def keys(self, prefix="", **options):
        return self._client.value("kv_keys", prefix=prefix, **options)

    def put(self, key, value, **options):
        """value: str or bytes. Options: cas (0: create only), flags, acquire, release. False: the race was lost."""
        data = value.encode() if isinstance(value, str) else bytes(value)
        return self._client.value("kv_put", key=key, value_base64=base64.b64encode(data).decode(), **options)

    def delete(self, key, cas=None, **options):
        return self._client.value("kv_delete", key=key, cas=cas, **options)

    def delete_tree(self, prefix, **options):
        return self._client.value("kv_delete_tree", prefix=prefix, **options)


def _decoded(pair):
    if pair is None:
        return None
    return {**pair, "Value": base64.b64decode(pair.get("Value") or "")}


class Catalog(_Part):
    def nodes(self, **options):
        return self._client.value("catalog_nodes", **options)

    def services(self, **options):
        return self._client.value("catalog_services", **options)

    def register(self, registration, **options):
        return self._client.value("catalog_register", registration=registration, **options)

    def deregister(self, deregistration, **options):
        return self._client.value("catalog_deregister", deregistration=deregistration, **options)


class Health(_Part):
    def service(self, service, **options):
        return self._client.value("health_service", service=service, **options)

    def node(self, node, **options):
        return self._client.value("health_node", node=node, **options)

    def state(self, state="any", **options):
        return self._client.value("health_state", state=state, **options)


class Agent(_Part):
    def self(self):
        return self._client.value("agent_self")

    def services(self):
        return self._client.value("agent_services")

    def checks(self):
        return self._client.value("agent_checks")

    def register(self, service, checks=()):
        return self._client.value("agent_service_register", service=service, checks=list(checks))

    def deregister(self, service_id):
        return self._client.value("agent_service_deregister", id=service_id)

    def register_check(self, check, service_id=None):
        return self._client.value("agent_check_register", check=check, service_id=service_id)

    def deregister_check(self, check_id):
        return self._client.value("agent_check_deregister", id=check_id)

    def update_check(self, check_id, status, output=""):
        return self._client.value("agent_check_update", id=check_id, status=status, output=output)


class Config(_Part):
    def get(self, kind, name, **options):
        """The entry, or None."""
        return self._client.value("config_get", kind=kind, name=name, **options)

    def list(self, kind, **options):
        return self._client.value("config_list", kind=kind, **options)

    def list_all(self, **options):
        """The entries of every kind."""
        return self._client.value("config_list_all", **options)

    def put(self, entry, cas=None, **options):
        return self._client.value("config_put", entry=entry, cas=cas, **options)

    def delete(self, kind, name, cas=None, **options):
        return self._client.value("config_delete", kind=kind, name=name, cas=cas, **options)


class Session(_Part):
    def create(self, **options):
        """name, node, checks, ttl, lock_delay, behavior. The session's id."""
        return self._client.value("session_create", **options)

    def renew(self, session):
        return self._client.value("session_renew", id=session)

    def destroy(self, session):
        return self._client.value("session_destroy", id=session)

    def list(self, **options):
        return self._client.value("session_list", **options)


class Watch(Handle):
    """Changes of one read, by blocking queries: next() waits for one, iteration goes on for ever."""

    def __init__(self, client, verb, arguments):
        identity, pointer = ctypes.c_uint64(), ctypes.c_void_p()
        _capi.call("cvg_watch_start", client.pointer, _capi.text(verb), _capi.document(_given(arguments)),
                   ctypes.byref(identity), ctypes.byref(pointer))
        super().__init__(pointer.value, "cvg_watch_free", client)
        self.loop = client.loop
        self.identity = identity.value
        self.loop.watch_id(self.identity)

    def next(self, timeout=None):
        """{"index", "value", ...} of the next change; raises Error for a failed read (the watch goes on)."""
        return self.loop.wait_for(self.identity, timeout)

    async def next_async(self):
        return await self.loop.run_async(self.identity)

    def __iter__(self):
        while True:
            yield self.next()

    def close(self):
        super().close()
        self.loop.forget_id(self.identity)


class Rollout(Handle):
    """Drives the rollout of one service.

    measure: called with {"service", "stable_subset", "candidate_subset", "epoch", "from", "to"}; returns
    {"stable": {"requests", "errors"}, "candidate": {...}} (or {"kind": "none"}, {"kind": "broken-source", "problem"}).
    """

    def __init__(self, client, service, measure, prefix="convergence", on_change=None):
        identity, pointer = ctypes.c_uint64(), ctypes.c_void_p()
        _capi.call("cvg_rollout_new", client.pointer, _capi.text(service), _capi.document({"prefix": prefix}),
                   ctypes.byref(identity), ctypes.byref(pointer))
        super().__init__(pointer.value, "cvg_rollout_free", client)
        self.loop = client.loop
        self.identity = identity.value
        self.measure = measure
        self.on_change = on_change
        self.loop.watch_id(self.identity)

    def start(self, policy, rollout, revision, actor=""):
        """Writes a new rollout and drives it to its end; the final state."""
        _capi.call("cvg_rollout_start", self.pointer, _capi.document(policy),
                   _capi.document({"rollout": rollout, "revision": revision, "actor": actor}))
        return self._drive()

    def resume(self):
        """Takes up what stands in KV and drives it to its end; the final state."""
        _capi.call("cvg_rollout_resume", self.pointer)
        return self._drive()

    def command(self, verb, actor="", reason=""):
        """abort, promote, pause or resume; returns once it is durable. Works from any process."""
        return _capi.call_for_document("cvg_rollout_command", self.pointer,
                                       _capi.document({"verb": verb, "actor": actor, "reason": reason}))

    def _drive(self):
        while True:
            document = self.loop.wait_for(self.identity)
            if document["type"] == "done":
                return document["state"]
            if document["type"] == "changed":
                if self.on_change is not None:
                    self.on_change(document["state"])
                continue
            request = document["request"]
            measurement = {**self.measure(request), "epoch": request["epoch"]}
            try:
                _capi.call("cvg_rollout_measured", self.pointer, _capi.document(measurement))
            except Error as error:
                if error.code != "NOT_FOUND":  # the question was taken back in the meantime
                    raise

    def close(self):
        super().close()
        self.loop.forget_id(self.identity)
