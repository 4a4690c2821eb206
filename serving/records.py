"""Frames as JSON-able rows: times in ISO 8601 with Z, null for what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows in order.

    >>> records(pd.DataFrame({"at": pd.to_datetime(["2026-03-01", None]), "n": [1.5, None]}))
    [{'at': '2026-03-01T00:00:00Z', 'n': 1.5}, {'at': None, 'n': None}]
    """
    values = frame.copy()
    for name in values.columns:
        if pd.api.types.is_datetime64_any_dtype(values[name]):
            whole = (values[name].dt.microsecond.fillna(0) == 0).all()
            values[name] = values[name].dt.strftime(
                "%Y-%m-%dT%H:%M:%SZ" if whole else "%Y-%m-%dT%H:%M:%S.%fZ"
            )
    values = values.astype(object)
    rows: list[dict[str, Any]] = values.where(values.notna(), None).to_dict("records")
    return rows


def finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with null for what is not a number.

    >>> finite({"cost": 2.0, "service_level": float("nan")})
    {'cost': 2.0, 'service_level': None}
    """
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in values.items()
    }
