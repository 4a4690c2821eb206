"""The plan as a file for other tools: CSV, workbook, Parquet, Calabrio's forecast layout.

A text that a spreadsheet would run as a formula (it begins with =, +, -, @, a tab or a return) is
written with an apostrophe before it.

>>> neutral("=HYPERLINK(1)"), neutral("phone")
("'=HYPERLINK(1)", 'phone')
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd

from data.errors import UsageError
from data.settings import Settings
from features.calendar import local_times
from serving.staffing.workbook import Background, workbook

RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")
MEDIA = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
    "calabrio": "text/csv",
}
UNITS = {
    "starts_at": "UTC",
    "ends_at": "UTC",
    "volume": "contacts",
    "volume_lo_80": "contacts",
    "volume_hi_80": "contacts",
    "volume_forecast": "contacts",
    "planned_volume": "contacts",
    "handle_seconds": "seconds",
    "open_seconds": "seconds",
    "agents_net": "people answering",
    "agents_gross": "people paid",
    "service_level": "share of offered contacts",
    "confidence": "share of scenarios",
    "reachable": "share of the day's contacts",
    "occupancy": "share of available time",
    "abandonment": "share of offered contacts",
    "backlog": "contacts waiting",
    "asa_seconds": "seconds",
    "gain_per_hour": "contacts an agent-hour",
}


def channels_of(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``unique_id`` total and channel=NAME."""
    ids = frame["unique_id"].astype(str)
    return frame[(ids == "total") | (ids.str.startswith("channel=") & ~ids.str.contains("/"))]


def neutral(value: Any) -> Any:
    """Text that no spreadsheet takes for a formula; anything else unchanged."""
    return "'" + value if isinstance(value, str) and value.startswith(RISKY) else value


def write_plan(
    frame: pd.DataFrame,
    path: Path,
    overrides: pd.DataFrame | None = None,
    *,
    background: Background | None = None,
) -> None:
    """Write a plan to ``path``: .csv, .xlsx or .parquet by its ending; UsageError for others.

    A workbook has the times of the company's clock and live formulas where ``background`` tells
    its settings, else UTC and numbers. ``overrides``: the planners' changes that the plan stands
    on, for a sheet of their own.
    """
    layout = Path(path).suffix.removeprefix(".")
    if layout not in ("csv", "xlsx", "parquet"):
        raise UsageError(f"{Path(path).name}: a plan is written as .csv, .xlsx or .parquet")
    if background is None:
        background = Background(Settings(), {}, overrides)
        content = plan_file(frame, layout, background, known=False)
    else:
        content = plan_file(frame, layout, background)
    Path(path).write_bytes(content)


def plan_file(
    frame: pd.DataFrame, layout: str, background: Background, *, known: bool = True
) -> bytes:
    """A plan as the bytes of a file; ``known``: the background's settings are the plan's."""
    if layout == "parquet":
        return _parquet(frame)
    safe = neutral_frame(frame)
    if layout == "csv":
        return safe.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%S").encode()
    if layout == "calabrio":
        return _calabrio(safe, background.settings).encode()
    changes = background.overrides
    shown = Background(
        background.settings,
        background.about,
        None if changes is None or changes.empty else neutral_frame(changes),
        None if background.accuracy is None else neutral_frame(background.accuracy),
    )
    return workbook(safe, shown, known=known)


def neutral_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose texts no spreadsheet takes for formulas."""
    text = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    text = [name for name in text if not pd.api.types.is_datetime64_any_dtype(frame[name])]
    return frame.assign(**{name: [neutral(value) for value in frame[name]] for name in text})


def _parquet(frame: pd.DataFrame) -> bytes:
    """Every column with its unit in the field's metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    fields = [
        field.with_metadata({"unit": UNITS[field.name]}) if field.name in UNITS else field
        for field in table.schema
    ]
    buffer = io.BytesIO()
    pq.write_table(table.cast(pa.schema(fields, metadata=table.schema.metadata)), buffer)
    return buffer.getvalue()


def _calabrio(frame: pd.DataFrame, settings: Settings) -> str:
    """Skill, start, end (the company's clock), contacts, seconds of task and of work after it.

    Handling time is not split in Presage, so all of it is task time. An hour that occurs twice
    stands twice, in order.
    """
    zone = settings.company.time_zone
    table = pd.DataFrame(
        {
            "skill": frame["channel"],
            "start": _local(frame["starts_at"], zone).dt.strftime("%Y%m%d %H:%M"),
            "end": _local(frame["ends_at"], zone).dt.strftime("%Y%m%d %H:%M"),
            "volume": frame["volume"].round(2),
            "task_s": frame["handle_seconds"].round(1),
            "after_s": 0,
        }
    )
    return table.to_csv(index=False)


def _local(times: pd.Series, zone: str) -> pd.Series:
    return pd.Series(pd.DatetimeIndex(local_times(times.to_numpy(), zone)), index=times.index)
