"""What a fleet, a node and its agent decide: documents in, documents out, as in docs/deployment.md."""
import json

from . import _capi
from .pure import _catalog


def agent_step(state, event):
    """One step of a node's agent: {"effects", "decisions", "parked", "state"}. agent_state() makes the first state."""
    return _capi.call_for_document("cvg_agent_step", _capi.document(state), _capi.document(event))


def agent_state(node, memory=None, **config):
    """The state in which an agent begins, with the memory that its last process left. config: owner, deadline,
    await_poll, retry, audit, fleet_poll, max_attempts, ..."""
    return {"schema": 1, "config": {"node": node, **config}, "memory": memory or {"schema": 1}}


def replay_journal(records):
    """An agent's journal again: {"processes", "steps"}. records: dicts with "begin", "event" or "step" each, or the text
    with one of them a line. Error of kind "conflict" at the first step that is another one than was made then."""
    if not isinstance(records, (str, bytes)):
        records = "\n".join(json.dumps(record, separators=(",", ":")) for record in records)
    return _capi.call_for_document("cvg_replay", _capi.text(records))


def plan_node(services, node):
    """What a node should do with each service, in order. node: {"node", "owner", "installed", "local", "damaged",
    "failed"}."""
    return _capi.call_for_document("cvg_plan_node", _capi.document(services), _capi.document(node))


def services_on(services, node):
    """Those of the services whose placement selects the node, a row of catalog.nodes()."""
    return _capi.call_for_document("cvg_services_on", _capi.document(services), _capi.document(node))


def target_on(service, node, running=""):
    """What a node should run of a service now: {"deployment", "release", "why"}. running: the deployment it has."""
    return _capi.call_for_document("cvg_target_on", _capi.document(service), _capi.text(node), _capi.text(running))


def fleet_of(service, catalog, failed=None):
    """How a service stands on the nodes of its placement. failed: {node: why} of the wanted deployment."""
    return _capi.call_for_document("cvg_fleet_of", _capi.document(service), _catalog(catalog),
                                   _capi.document(failed))


def advance(service, fleet, now):
    """The service's document as it has to be now (nanoseconds since 1970), or None when it is right as it is. While it
    bakes fleet["watched"] says for how many nanoseconds the caller has seen that."""
    return _capi.call_for_document("cvg_advance", _capi.document(service), _capi.document(fleet), now)["service"]


def status_of(service, catalog, reports=None):
    """How a service stands, node by node. reports: {node: node report} of the wanted deployment."""
    return _capi.call_for_document("cvg_status_of", _capi.document(service), _catalog(catalog),
                                   _capi.document(reports))


def deploy(service, release, again=False):
    """The service with another release wanted."""
    return _capi.call_for_document("cvg_deploy", _capi.document(service), _capi.document(release), int(again))


def cancel(service, by="", reason="", at=0):
    """The service with the roll-out under way taken back; Error of kind "refused" where nothing is on its way."""
    return _capi.call_for_document("cvg_cancel", _capi.document(service),
                                   _capi.document({"by": by, "reason": reason, "at": at}))


def toggle(service, on):
    """The service switched on or off; agents leave one that is off as it is."""
    return _capi.call_for_document("cvg_toggle", _capi.document(service), int(on))


def import_environment(pairs, environment, role):
    """What Environment Manager's keys want of a role: {"services", "waiting", "broken", "prefix", "keys"}. pairs: rows as
    /v1/kv answers, or as client.kv gives them. Read below "prefix" first, then "keys", and ask again."""
    return _capi.call_for_document("cvg_import_environment", _capi.pairs(pairs),
                                   _capi.document({"environment": environment, "role": role}))


def export_environment(service, environment, role, pairs=(), expected_nodes=0):
    """The service in Environment Manager's keys: {"operations", "left_out", "keys"}, the first for client.txn(). pairs:
    what stands at "keys" now."""
    return _capi.call_for_document("cvg_export_environment", _capi.document(service),
                                   _capi.document({"environment": environment, "role": role}), _capi.pairs(pairs),
                                   expected_nodes)


def appspec(text, **options):
    """An appspec.yml: {"spec", "report"}. options: document, platform, slice, port, root."""
    return _capi.call_for_document("cvg_appspec", _capi.text(text), _capi.document(options))


def agent_rules(**scope):
    """The least that ACLs have to allow an agent, in HCL. scope: prefix, environment, role, node, services."""
    return _capi.call_for_bytes("cvg_agent_rules", _capi.document(scope)).decode()


def operator_rules(**scope):
    """The same for an operator."""
    return _capi.call_for_bytes("cvg_operator_rules", _capi.document(scope)).decode()
