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
    columns = [_values(frame[name]) for name in frame.columns]
    names = list(frame.columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(column: pd.Series) -> list[Any]:
    """A column's values for JSON; a frame of text is slow to make, and these are asked often."""
    missing = column.isna().to_numpy()
    if pd.api.types.is_datetime64_any_dtype(column):
        moments = column.dt.tz_localize(None).to_numpy("datetime64[us]")
        whole = not (moments[~missing].astype(np.int64) % 1_000_000).any()
        texts = np.datetime_as_string(moments, unit="s" if whole else "us").tolist()
        values = [f"{text}Z" for text in texts]
    else:
        values = column.astype(object).tolist()
    if not missing.any():
        return values
    return [None if no else value for value, no in zip(values, missing.tolist(), strict=True)]


def finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with null for what is not a number.

    >>> finite({"cost": 2.0, "service_level": float("nan")})
    {'cost': 2.0, 'service_level': None}
    """
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in values.items()
    }
