"""The plan as a file: CSV, or a workbook with a summary, a sheet per channel and the overrides.

A text that a spreadsheet would run as a formula (it begins with =, +, -, @, a tab or a return) is
written with an apostrophe before it.

>>> neutral("=HYPERLINK(1)"), neutral("phone")
("'=HYPERLINK(1)", 'phone')
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd

from data.errors import UsageError

RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")


def neutral(value: Any) -> Any:
    """Text that no spreadsheet takes for a formula; anything else unchanged."""
    return "'" + value if isinstance(value, str) and value.startswith(RISKY) else value


def write_plan(frame: pd.DataFrame, path: Path, overrides: pd.DataFrame | None = None) -> None:
    """Write a plan to ``path``: .csv, .xlsx or .parquet by its ending; UsageError for others.

    ``overrides``, the planners' changes that the plan stands on, get a sheet of their own.
    """
    path = Path(path)
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    elif path.suffix == ".csv":
        _neutral_frame(frame).to_csv(path, index=False, date_format="%Y-%m-%dT%H:%M:%S")
    elif path.suffix == ".xlsx":
        others = None if overrides is None or overrides.empty else _neutral_frame(overrides)
        _workbook(_neutral_frame(frame), path, others)
    else:
        raise UsageError(f"{path.name}: a plan is written as .csv, .xlsx or .parquet")


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """A row per channel: contacts, most agents at a time, net and gross hours, mean service."""
    rows = []
    for channel, part in frame.groupby("channel", sort=True):
        hours = (part["ends_at"] - part["starts_at"]).dt.total_seconds() / 3600
        staffed = part["open_seconds"] / 3600
        known = part[part["service_level"].notna()]
        offered = known["volume"].sum()
        rows.append(
            {
                "channel": channel,
                "days": round(hours.sum() / 24, 2),
                "volume": part["volume"].sum(),
                "agents_net_most": int(part["agents_net"].max()),
                "hours_net": (part["agents_net"] * staffed).sum(),
                "hours_gross": (part["agents_gross"] * staffed).sum(),
                "service_level": (known["service_level"] * known["volume"]).sum() / offered
                if offered > 0
                else float("nan"),
            }
        )
    return pd.DataFrame(rows)


def _neutral_frame(frame: pd.DataFrame) -> pd.DataFrame:
    text = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    text = [name for name in text if not pd.api.types.is_datetime64_any_dtype(frame[name])]
    return frame.assign(**{name: [neutral(value) for value in frame[name]] for name in text})


def _workbook(frame: pd.DataFrame, path: Path, overrides: pd.DataFrame | None) -> None:
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        head = book.add_format({"bold": True})
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        taken: set[str] = set()
        sheets = [("Summary", summary(frame))] if len(frame) else [("Summary", frame)]
        sheets += [] if overrides is None else [("Overrides", overrides)]
        sheets += [(str(name), part) for name, part in frame.groupby("channel", sort=True)]
        for name, part in sheets:
            sheet = book.add_worksheet(_sheet_name(name, taken))
            sheet.freeze_panes(1, 0)
            for at, column in enumerate(part.columns):
                sheet.write_string(0, at, str(column), head)
                for row, value in enumerate(part[column], 1):
                    _write(sheet, row, at, value, moment)
            sheet.set_column(0, max(len(part.columns) - 1, 0), 16)


def _write(sheet: Any, row: int, column: int, value: Any, moment: Any) -> None:
    if isinstance(value, pd.Timestamp):
        sheet.write_datetime(row, column, value.to_pydatetime(), moment)
    elif isinstance(value, str):
        sheet.write_string(row, column, value)
    elif pd.isna(value):
        sheet.write_blank(row, column, None)
    elif abs(float(value)) == float("inf"):
        sheet.write_string(row, column, str(float(value)))
    else:
        sheet.write_number(row, column, float(value))


def _sheet_name(name: str, taken: set[str]) -> str:
    """A sheet name that Excel accepts: no []:*?/\\, 31 characters, not twice, not reserved."""
    clean = re.sub(r"[\[\]:*?/\\\x00-\x1f]", "_", name).strip("'")[:31] or "_"
    clean = clean + "_" if clean.lower() == "history" else clean
    unique, number = clean, 1
    while unique.lower() in taken:
        number += 1
        unique = f"{clean[: 31 - len(str(number)) - 1]}_{number}"
    taken.add(unique.lower())
    return unique
