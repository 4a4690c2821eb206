"""Presage in Python: ``import presage as ps``. Each name is imported when it is first used.

>>> import presage as ps
>>> ps.count(ps.TICKETS, days=28).formula
'count(tickets, 28d)'
>>> ps.cuont
Traceback (most recent call last):
...
AttributeError: presage has no name 'cuont'. Did you mean "count"?
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from presage.rooms import bind

_hidden: ImportError | None = None
try:
    bind()
except ImportError as error:  # said when a name is asked for, so that the command can say it too
    _hidden = error

HOMES = {
    "presage.calls": (
        "backtest_risk", "backtest_volume", "complaint_rule", "compute", "customers_at",
        "default_view", "forecast", "labels", "open_workspace", "outcomes", "past_contacts",
        "predictor", "published", "series_from_tickets", "snapshot", "train_risk",
        "train_volume", "view",
    ),
    "presage.classifier": ("RiskClassifier",),
    "data.adapters": ("run_import",),
    "data.check": ("check",),
    "data.errors": ("PresageError",),
    "data.simulate": ("Company", "simulate"),
    "data.tables": ("MemoryTables",),
    "data.workspace": ("Workspace", "init", "write_tables"),
    "features.language": (
        "active_days", "age", "count", "customer", "distinct", "due", "gap", "largest", "last",
        "mean", "now", "overdue_ratio", "share", "since_first", "since_last", "smallest", "total",
        "until_next", "worth",
    ),
    "features.relations": ("of", "of_all", "of_each", "rate", "trend"),
    "features.sources": (
        "BOT_SESSIONS", "CALENDAR", "CUSTOMERS", "FEEDBACK", "ORDERS", "TICKETS", "TREATMENTS",
        "USAGE",
    ),
    "features.spec": ("Feature", "FeatureView"),
    "models": ("figures",),
    "models.accuracy": ("wape",),
    "models.metrics": ("average_precision", "log_loss", "roc_auc"),
    "models.queueing.required": ("agents_required",),
    "models.reliability": ("ece",),
    "models.risk.model": ("RiskModel", "load_risk"),
    "models.uplift": ("measure", "measure_by"),
    "models.volume": ("VolumeContext", "load_volume", "series_from_volumes"),
}  # fmt: skip
"""Where each name lives. Those of ``presage.calls`` take what people have at hand."""

_HOME_OF = {name: home for home, names in HOMES.items() for name in names}
__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        if name.startswith("__") or _hidden is not None:
            raise AttributeError(f"presage has no name {name!r}")
        from data.errors import did_you_mean

        raise AttributeError(f"presage has no name {name!r}.{did_you_mean(name, _HOME_OF)}")
    if _hidden is not None:
        raise _hidden
    home = _HOME_OF[name]
    whole = f"{home}.{name}"  # a module, where a name stands for all that is in it
    attribute = import_module(whole) if "." not in home else getattr(import_module(home), name)
    globals()[name] = attribute
    return attribute


def __dir__() -> list[str]:
    return [*globals(), *__all__]
