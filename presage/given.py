"""What people have at hand, made what Presage works on; a wrong argument is told what was expected.

>>> moment("2026-03-01", "as_of")
datetime.datetime(2026, 3, 1, 0, 0)
>>> moment(20260301, "as_of")
Traceback (most recent call last):
...
data.errors.UsageError: as_of: expected a moment, such as "2026-03-01", a datetime or a pandas \
Timestamp; found 20260301 (int)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.errors import UsageError
from data.folder import Folder
from data.money import in_one_currency
from data.settings_tree import Complaint
from data.tables import MemoryTables, Tables
from features.spec import Feature, FeatureView


def _wrong(name: str, expected: str, value: object) -> UsageError:
    text = repr(value)
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    return UsageError(f"{name}: expected {expected}; found {shown} ({type(value).__name__})")


def moment(value: object, name: str) -> datetime:
    """A moment as naive UTC: a datetime, a date, an ISO text, a pandas Timestamp, a numpy time."""
    expected = 'a moment, such as "2026-03-01", a datetime or a pandas Timestamp'
    if not isinstance(value, datetime | date | str | np.datetime64):
        raise _wrong(name, expected, value)
    try:
        timestamp = pd.Timestamp(value)
    except ValueError:
        raise _wrong(name, expected, value) from None
    if timestamp is pd.NaT:
        raise _wrong(name, expected, value)
    if timestamp.tzinfo is not None:
        timestamp = timestamp.tz_convert(UTC).tz_localize(None)
    return timestamp.floor("us").to_pydatetime(warn=False)


def moments(values: object, name: str) -> list[datetime]:
    """Moments: one, or any number of them."""
    if isinstance(values, str | date | np.datetime64):
        return [moment(values, name)]
    if not isinstance(values, Iterable):
        raise _wrong(name, "a moment or a list of them", values)
    return [moment(value, name) for value in values]


def whole_numbers(values: Any, name: str) -> tuple[int, ...]:
    """Whole numbers above 0: one, or any number of them."""
    one = isinstance(values, str) or not isinstance(values, Iterable)
    many = [values] if one else list(values)
    if not many or not all(_whole(value) for value in many):
        raise _wrong(name, "whole numbers above 0, such as 14 or [7, 14, 30]", values)
    return tuple(int(value) for value in many)


def _whole(value: Any) -> bool:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and value > 0


def frame(value: object, name: str, columns: Sequence[str] = ()) -> pd.DataFrame:
    """A DataFrame: one, a mapping of columns, or a list of rows; with these columns."""
    if isinstance(value, pd.DataFrame):
        result = value
    else:
        try:
            result = _framed(value, columns)
        except (TypeError, ValueError):
            expected = "a DataFrame, a mapping of columns or a list of rows"
            raise _wrong(name, expected, value) from None
    missing = [column for column in columns if column not in result.columns]
    if missing:
        raise UsageError(
            f"{name}: expected the columns {', '.join(columns)}; "
            f"missing {', '.join(missing)}, found {', '.join(map(str, result.columns)) or 'none'}"
        )
    return result


def _framed(value: Any, columns: Sequence[str]) -> pd.DataFrame:
    if isinstance(value, Mapping):
        return pd.DataFrame(dict(value))
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise TypeError
    if value and all(isinstance(row, Mapping) for row in value):
        return pd.DataFrame(list(value))
    return pd.DataFrame([tuple(row) for row in value], columns=list(columns) or None)


def spine_of(value: object) -> pd.DataFrame:
    """Who and when: ``customer_id`` and ``as_of`` as naive UTC, a row each as they were given."""
    rows = frame(value, "spine", ("customer_id", "as_of"))
    times = pd.to_datetime(pd.Series(moments(rows["as_of"], "spine: as_of"), dtype=object))
    return pd.DataFrame(
        {
            "customer_id": rows["customer_id"].astype("str").to_numpy(),
            "as_of": times.to_numpy().astype("datetime64[us]"),
        }
    )


def tables_of(value: object) -> Tables:
    """What a run reads: tables, frames by name, a workspace or its folder."""
    if isinstance(value, Mapping):
        frames = {str(n): frame(rows, str(n)) for n, rows in value.items()}
        return MemoryTables(in_one_currency(frames))
    if isinstance(value, str | Path):
        value = Folder.open(value)
    if isinstance(value, Folder):
        from data.snapshot import take

        return take(value)
    if hasattr(value, "frame") and hasattr(value, "has"):
        return value  # type: ignore[return-value]
    raise _wrong("tables", 'frames by the name of their table, such as {"orders": frame}, '
                           "a workspace, its folder, or a snapshot", value)  # fmt: skip


def view_of(value: object) -> FeatureView:
    """The features to compute: a view, one feature, or a list of them."""
    if isinstance(value, FeatureView):
        return value
    if isinstance(value, Feature):
        return FeatureView((value,))
    many: tuple[Any, ...] = tuple(value) if isinstance(value, list | tuple) else ()
    if not many or not all(isinstance(one, Feature) for one in many):
        raise _wrong("view", "a FeatureView, a feature or a list of them", value)
    return FeatureView(many)


def rule_of(value: object) -> Any:
    """Which tickets are complaints: a rule, a mapping of its keys, a list of topics, or None."""
    if value is None:
        return Complaint()
    if isinstance(value, Mapping):
        known = set(Complaint.__dataclass_fields__)
        if not set(value) <= known:
            raise _wrong("complaint", f"the keys {', '.join(sorted(known))}", dict(value))
        lists = {"topics", "priorities"}
        keys: dict[str, Any] = {k: tuple(v) if k in lists else v for k, v in value.items()}
        return Complaint(**keys)
    if isinstance(value, list | tuple) and all(isinstance(topic, str) for topic in value):
        return Complaint(topics=tuple(value))
    if hasattr(value, "topics") and hasattr(value, "csat_at_most"):
        return value
    raise _wrong("complaint", 'a rule, {"csat_at_most": 2}, or a list of topics', value)


def history_of(value: object) -> pd.DataFrame:
    """Counts, ``unique_id, ds, y``: a frame, a mapping, rows, or a Series by time."""
    if isinstance(value, pd.Series) and isinstance(value.index, pd.DatetimeIndex):
        name = "total" if value.name is None else str(value.name)
        return pd.DataFrame({"unique_id": name, "ds": value.index, "y": value.to_numpy()})
    rows = frame(value, "history", ("unique_id", "ds", "y"))
    return rows.assign(ds=pd.to_datetime(rows["ds"]))
