"""The functions without state: documents in, documents out."""
import math

from . import _capi
from ._handle import Handle


def route(chain, request, catalog=None):
    """Where a request goes: route, legs with weights and targets, retry policy, why.

    chain: as /v1/discovery-chain answers, or its "Chain"; request: {"path", "method", "headers", "query"}. With a
    catalog (a CatalogState or its document) each leg has "health" and the target that is "serving" it.
    """
    if catalog is None:
        return _capi.call_for_document("cvg_route", _capi.document(chain), _capi.document(request))
    return _capi.call_for_document("cvg_route_with_catalog", _capi.document(chain), _capi.document(request),
                                   _catalog(catalog))


def draw(chain, format="tree", catalog=None):  # noqa: A002 - the option's own name
    """A picture of a chain as text: "tree", "dot", "mermaid" or "svg"; with a catalog targets show their health."""
    return _capi.call_for_bytes("cvg_draw_chain", _capi.document(chain), _capi.document({"format": format}),
                                _catalog(catalog)).decode()


def lint(entries, catalog=None):
    """What is legal in a list of config entries and hardly meant: [{"rule", "severity", "entry", "pointer", "why",
    "remedy"}]. With a catalog the rules about instances speak too."""
    return _capi.call_for_document("cvg_lint", _capi.document(entries), _catalog(catalog))


def import_documents(text, format="auto"):  # noqa: A002 - the option's own name
    """Config entries in JSON, HCL or YAML (consul-k8s resources too), policies of ours and Flagger's resources:
    {"imported": [entries, then policies], "report": [{"line", "field", "outcome", "why"}]}, with a row for every field."""
    return _capi.call_for_document("cvg_import", _capi.text(text), _capi.document({"format": format}))


def _catalog(catalog):
    """A CatalogState, its document, or None."""
    return _capi.document(catalog.document if isinstance(catalog, CatalogState) else catalog)


def filter(expression, rows, kind="health"):  # noqa: A001 - the field's own name
    """The rows that match one of Consul's filter expressions. kind: "health" (rows of /v1/health/service), "node",
    "catalog-service", "service" or "check"."""
    if kind == "health":
        return _capi.call_for_document("cvg_filter", _capi.text(expression), _capi.document(rows))
    return _capi.call_for_document("cvg_filter_of_kind", _capi.text(expression), _capi.text(kind),
                                   _capi.document(rows))


def plan_config(desired, actual, **options):
    """The ordered writes that turn the entries `actual` into `desired`. Options: prune, take_foreign, ..."""
    return _capi.call_for_document("cvg_plan_config", _capi.document(desired), _capi.document(actual),
                                   _capi.document(options or None))


def converge(desired, catalog, options=None):
    """The plan that makes `catalog` (a CatalogState or its document) match `desired` ({"services", "entries"})."""
    return _capi.call_for_document("cvg_converge", _capi.document(desired), _catalog(catalog),
                                   _capi.document(options))


def undo(plan):
    """The plan that takes an applied plan back."""
    return _capi.call_for_document("cvg_undo", _capi.document(plan))


def describe(plan):
    """The plan in sentences."""
    return _capi.call_for_bytes("cvg_describe_plan", _capi.document(plan)).decode()


def canary_step(policy, state, event):
    """One step of a rollout: {"state": ..., "effects": [...]}. state: None before the first."""
    return _capi.call_for_document("cvg_canary_step", _capi.document(policy), _capi.document(state),
                                   _capi.document(event))


def compare(intervals, options=None):
    """Is the canary worse than the primary? The sequential analysis of both arms' counts.

    intervals: [{"canary": {"n", "x", "buckets"?}, "primary": {...}, "weight"?, "primary_instances"?}, ...], buckets as
    cumulative counts over options["bounds"], in milliseconds. A count that is no finite number makes its interval no
    evidence. options: alpha, beta, rho0, delta0, margin, phi, warm_up, bounds; one that is given replaces the automatic.
    Returns {"verdict", "why", "log_W", "log_F", "U", "L", "p_value", "phi", "margin", "errors", "latency", ...}.
    """
    return _capi.call_for_document("cvg_compare", _capi.document(_counts(intervals)), _capi.document(_counts(options)))


def _counts(value):
    """JSON has no word for NaN and infinity; null says the same to compare()."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _counts(member) for key, member in value.items()}
    return [_counts(item) for item in value] if isinstance(value, (list, tuple)) else value


def simulate(policy, scenario, runs=1000, seed=1):
    """What a policy does with a canary of a made-up service. Equal arguments give equal results.

    policy: {} is ours; {"mode": "flagger" | "consecutive" | "argo", ...} a peer's rule. scenario: {"rps", "error_rate",
    "latency", "canary": {"error_times", "error_add", "latency_times"}, "incident", "retries", "burst", "stall",
    "scrape_offset_s", "horizon_s"}. Returns {"runs", "promoted", "rolled_back", "inconclusive", "time_to_rollback_s",
    "time_to_promotion_s", "harmed_requests", "first"}.
    """
    return _capi.call_for_document("cvg_simulate", _capi.document(policy), _capi.document(scenario), runs, seed)


class CatalogState:
    """What is there. `document` is the JSON form; equal documents are equal states."""

    def __init__(self, document):
        self.document = document

    @classmethod
    def from_consul(cls, answers):
        """From raw Consul answers: {"nodes", "services", "health", "node_health", "kv", "config"}, each optional."""
        return cls(_capi.call_for_document("cvg_catalog_from_consul", _capi.document(answers)))

    def __eq__(self, other):
        return isinstance(other, CatalogState) and self.document == other.document

    def __repr__(self):
        nodes, services = self.document.get("nodes") or [], self.document.get("services") or {}
        return f"CatalogState({len(nodes)} nodes, {len(services)} services)"


class ConfigEntries(Handle):
    """Config entries with the server's rules on every write."""

    def __init__(self, datacenter="dc1", trust_domain=None, dialect="1.8"):
        options = {"datacenter": datacenter, "dialect": dialect}
        if trust_domain is not None:
            options["trust_domain"] = trust_domain
        super().__init__(_capi.call_for_handle("cvg_entries_new", _capi.document(options)), "cvg_entries_free")

    def put(self, entry):
        """Validated and graph-checked as PUT /v1/config does; raises Error and changes nothing when refused."""
        _capi.call("cvg_entries_put", self.pointer, _capi.document(entry))

    def delete(self, kind, name):
        _capi.call("cvg_entries_delete", self.pointer, _capi.text(kind), _capi.text(name))

    def get(self, kind, name):
        """The entry as GET /v1/config answers it; Error with code NOT_FOUND when absent."""
        return _capi.call_for_document("cvg_entries_get", self.pointer, _capi.text(kind), _capi.text(name))

    def list(self, kind=""):
        return _capi.call_for_document("cvg_entries_list", self.pointer, _capi.text(kind))

    def compile(self, service, override=None, compile_dc=None):
        """The "Chain" object of /v1/discovery-chain/<service>."""
        options = {}
        if override is not None:
            options["override"] = override
        if compile_dc is not None:
            options["compile_dc"] = compile_dc
        return _capi.call_for_document("cvg_entries_compile", self.pointer, _capi.text(service),
                                       _capi.document(options))
