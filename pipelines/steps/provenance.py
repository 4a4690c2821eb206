"""What a training came from, as MLflow is told it: settings, learner, code, seed, tables.

>>> from data.settings_tree import Volume
>>> flat("volume", Volume())["volume.freq"]
'h'
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.snapshot import Snapshot
from models.risk.model import RiskModel
from models.risk.search import SearchResult
from models.run_log import ChildRun
from pipelines.run import ROOMS

EXPLAINED = 200
"""Rows whose contributions are added up as a model's importances: each costs milliseconds."""
TRIALS = 50
"""Trials of a search that are kept as runs of their own, the best ones."""


def flat(name: str, values: Any) -> dict[str, Any]:
    """A frozen value's fields as ``name.field``, those of values inside too."""
    flattened: dict[str, Any] = {}
    for each in fields(values):
        value = getattr(values, each.name)
        inside = f"{name}.{each.name}"
        flattened |= flat(inside, value) if is_dataclass(value) else {inside: value}
    return flattened


@lru_cache(maxsize=1)
def code() -> dict[str, str]:
    """The release, and a hash of the code of all rooms: equal code, equal hash, on any machine."""
    root, digest = Path(__file__).parents[2], hashlib.sha256()
    for path in sorted(path for room in ROOMS for path in (root / room).rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return {"release": version("presage"), "code_sha256": digest.hexdigest()}


def rows_of(tables: Snapshot) -> dict[str, int]:
    """How many rows each table of a snapshot has."""
    return {name: tables.rows(name) for name in tables.names}


def importances(model: RiskModel, features: pd.DataFrame, horizon: int, seed: int) -> pd.DataFrame:
    """``feature, log_odds, share``, the largest first: how far each feature moves the risk, the
    mean size of its contribution over ``EXPLAINED`` rows drawn from ``features``."""
    rng = np.random.default_rng(seed)
    some = np.sort(rng.choice(len(features), min(EXPLAINED, len(features)), replace=False))
    amounts, _ = model.explain(features.iloc[some].reset_index(drop=True), horizon)
    size = np.abs(amounts).mean(axis=0)
    frame = pd.DataFrame(
        {
            "feature": list(model.encoder.columns),
            "log_odds": size,
            "share": size / max(size.sum(), 1e-300),
        }
    )
    return frame.sort_values("log_odds", ascending=False, kind="stable", ignore_index=True)


def trials(searched: SearchResult | None) -> list[ChildRun]:
    """The best trials of a search, as runs."""
    tried = sorted(searched.tried, key=lambda each: each[0])[:TRIALS] if searched else ()
    return [
        ChildRun(f"trial {at + 1}", chosen, {"forward_log_loss": loss})
        for at, (loss, chosen) in enumerate(tried)
    ]


def twin_run(as_of: Any, params: Mapping[str, Any], metrics: Mapping[str, float]) -> ChildRun:
    """The twin that was judged, with the figures that judged it."""
    return ChildRun(f"twin as of {as_of:%Y-%m-%d %H:%M}", {"as_of": as_of, **params}, metrics)
