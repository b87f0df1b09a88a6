"""convergence: make a Consul-managed fleet match what was asked for, and let new versions earn their traffic.

Every document is a plain dict or list in the JSON shapes that Consul itself uses wherever Consul has one.
"""
from . import _capi
from .agent import Agent
from .client import Client, Rollout, Watch
from .deployments import (advance, agent_rules, agent_state, agent_step, appspec, cancel, deploy, export_environment,
                          fleet_of, import_environment, operator_rules, plan_node, replay_journal, services_on,
                          status_of, target_on, toggle)
from .errors import Error
from .loop import Connection, Loop, MemoryConsul, connect, fault, host, record, replay
from .pure import (CatalogState, ConfigEntries, canary_step, compare, converge, describe, draw, filter,  # noqa: A004
                   import_documents, lint, plan_config, route, simulate, undo)

__version__ = _capi.library.cvg_version().decode()

__all__ = ["Agent", "CatalogState", "Client", "ConfigEntries", "Connection", "Error", "Loop", "MemoryConsul", "Rollout",
           "Watch", "advance", "agent_rules", "agent_state", "agent_step", "appspec", "canary_step", "cancel",
           "compare", "connect", "converge", "deploy", "describe", "draw", "export_environment", "fault", "filter", "fleet_of",
           "host", "import_documents", "import_environment", "lint", "operator_rules", "plan_config", "plan_node",
           "record", "replay", "replay_journal", "route", "services_on", "simulate", "status_of", "target_on", "toggle", "undo"]
