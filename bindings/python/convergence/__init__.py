"""convergence: make a Consul-managed fleet match what was asked for, and let new versions earn their traffic.

Every document is a plain dict or list in the JSON shapes that Consul itself uses wherever Consul has one.
"""
from . import _capi
from .client import Client, Rollout, Watch
from .errors import Error
from .loop import Connection, Loop, MemoryConsul, connect, fault, host, record, replay
from .pure import (CatalogState, ConfigEntries, canary_step, converge, describe, draw, filter,  # noqa: A004
                   import_documents, lint, plan_config, route, undo)

__version__ = _capi.library.cvg_version().decode()

__all__ = ["CatalogState", "Client", "ConfigEntries", "Connection", "Error", "Loop", "MemoryConsul", "Rollout", "Watch",
           "canary_step", "connect", "converge", "describe", "draw", "fault", "filter", "host", "import_documents", "lint", "plan_config",
           "record", "replay", "route", "undo"]
