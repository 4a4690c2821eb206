"""A roster as a file: CSV, Parquet, workbook, calendar."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path

import pandas as pd

from data.errors import UsageError
from features.calendar import local_times
from serving.shifts.calendar_file import calendar_file
from serving.staffing.exports import MEDIA as PLAN_MEDIA
from serving.staffing.exports import neutral_frame

MEDIA = {
    "ics": "text/calendar",
    **{name: PLAN_MEDIA[name] for name in ("csv", "xlsx", "parquet")},
}
MOMENTS = ("starts_at", "ends_at", "break_starts_at", "break_ends_at")


def roster_file(
    shifts: pd.DataFrame, people: pd.DataFrame, layout: str, zone: str, published_at: datetime
) -> bytes:
    """A roster as the bytes of a file of that ``layout`` (a key of ``MEDIA``).

    CSV and Parquet hold the shifts in UTC; a workbook also the people by interval, both in the
    clock of ``zone``; a calendar each shift in its agent's zone.
    """
    if layout == "ics":
        return calendar_file(shifts, published_at)
    if layout == "parquet":
        buffer = io.BytesIO()
        shifts.to_parquet(buffer, index=False)
        return buffer.getvalue()
    safe = neutral_frame(shifts)
    if layout == "csv":
        return safe.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%S").encode()
    return _workbook({"Shifts": safe, "People": neutral_frame(people)}, zone)


def write_roster(
    shifts: pd.DataFrame, people: pd.DataFrame, out: Path, zone: str, published_at: datetime
) -> list[Path]:
    """Write a roster beside the plan ``out``: ``plan-shifts.csv`` (or its ending) and
    ``plan-shifts.ics``; the paths. UsageError for an ending that there is not."""
    layout = out.suffix.removeprefix(".")
    if layout not in ("csv", "xlsx", "parquet"):
        raise UsageError(f"{out.name}: a roster is written as .csv, .xlsx or .parquet")
    paths = []
    for one in (layout, "ics"):
        path = out.with_name(f"{out.stem}-shifts.{one}")
        path.write_bytes(roster_file(shifts, people, one, zone, published_at))
        paths.append(path)
    return paths


def _workbook(sheets: dict[str, pd.DataFrame], zone: str) -> bytes:
    import xlsxwriter

    buffer = io.BytesIO()
    options = {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
    with xlsxwriter.Workbook(buffer, options) as book:
        head = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        for name, frame in sheets.items():
            sheet = book.add_worksheet(name)
            sheet.freeze_panes(1, 0)
            sheet.set_column(0, max(len(frame.columns) - 1, 0), 16)
            for at, column in enumerate(frame.columns):
                timed = column in MOMENTS
                sheet.write_string(0, at, f"{column} ({zone})" if timed else str(column), head)
                values = frame[column]
                if timed:
                    values = pd.Series(pd.DatetimeIndex(local_times(values.to_numpy(), zone)))
                for row, value in enumerate(values, 1):
                    if pd.isna(value):
                        continue
                    if timed:
                        sheet.write_datetime(row, at, value.to_pydatetime(), moment)
                    else:
                        sheet.write(row, at, value)
    return buffer.getvalue()
