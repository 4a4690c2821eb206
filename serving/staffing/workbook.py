"""The plan as a workbook that a planner can recompute: local times, live formulas, assumptions.

Every channel has a sheet. Paid people are a formula over the people answering and the shrinkage on
the sheet ``Assumptions``, hours and cost follow from them, and so do totals and full-time
equivalents: change an assumption, and the workbook answers.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data.settings import Settings
from features.calendar import local_times

FULL_TIME_HOURS = 37.5
"""Paid hours of one full-time week; a cell of the workbook, to be changed there."""
ROUNDING = 1e-8
SHRINKAGE, RATE, WEEK, DAYS = (f"Assumptions!$B${row}" for row in (2, 3, 4, 5))

FORMATS = {
    "volume": "0.0",
    "volume_lo_80": "0.0",
    "volume_hi_80": "0.0",
    "volume_forecast": "0.0",
    "planned_volume": "0.0",
    "handle_seconds": "0",
    "open_seconds": "0",
    "agents_net": "0",
    "agents_gross": "0.00",
    "service_level": "0.0%",
    "confidence": "0.0%",
    "reachable": "0.0%",
    "occupancy": "0.0%",
    "abandonment": "0.0%",
    "backlog": "0.0",
    "asa_seconds": "0",
    "gain_per_hour": "0.00",
    "hours_gross": "#,##0.00",
    "cost": "#,##0.00",
}
MOMENT, DAY = "yyyy-mm-dd hh:mm", "yyyy-mm-dd"


@dataclass(frozen=True)
class Background:
    """What a workbook says beside the plan: the settings that it stands on, where it comes from
    (``about``), the planners' overrides and the forecast's accuracy in trials.
    """

    settings: Settings
    about: Mapping[str, Any]
    overrides: pd.DataFrame | None = None
    accuracy: pd.DataFrame | None = None


def workbook(frame: pd.DataFrame, background: Background, *, known: bool) -> bytes:
    """The bytes of an .xlsx; ``known``: the settings are those of the plan, so formulas hold."""
    import xlsxwriter

    buffer = io.BytesIO()
    options = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "nan_inf_to_errors": False,
        "in_memory": True,
    }
    with xlsxwriter.Workbook(buffer, options) as book:
        writer = _Writer(book, background, known)
        writer.summary(frame)
        if known:
            writer.assumptions()
        if background.overrides is not None:
            writer.rows("Overrides", background.overrides)
        for name, part in frame.groupby("channel", sort=True):
            writer.channel(str(name), part.reset_index(drop=True))
        writer.finish()
    return buffer.getvalue()


class _Writer:
    """One workbook being written; ``spans`` remembers where each channel's rows stand."""

    def __init__(self, book: Any, background: Background, known: bool) -> None:
        self.book, self.background, self.known = book, background, known
        self.settings = background.settings
        self.zone = self.settings.company.time_zone if known else "UTC"
        self.head = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        self.bold = book.add_format({"bold": True})
        self.formats: dict[str, Any] = {}
        self.taken: set[str] = set()
        self.totals: list[tuple[str, str, int, dict[str, int], pd.DataFrame]] = []
        self.first: Any = None
        self.plan = pd.DataFrame()

    def style(self, form: str) -> Any:
        """The cell format of a number format."""
        if form not in self.formats:
            self.formats[form] = self.book.add_format({"num_format": form})
        return self.formats[form]

    def sheet(self, name: str, columns: list[str]) -> Any:
        """A new sheet with a frozen head; names that Excel refuses are changed."""
        sheet = self.book.add_worksheet(_sheet_name(name, self.taken))
        sheet.freeze_panes(1, 0)
        for at, column in enumerate(columns):
            sheet.write_string(0, at, column, self.head)
        sheet.set_column(0, max(len(columns) - 1, 0), 16)
        return sheet

    def summary(self, frame: pd.DataFrame) -> None:
        """The first sheet; it is filled by ``finish``, once every channel's rows have a place."""
        self.plan = frame
        columns = ["channel", "days", "contacts", "most people answering", "hours answering"]
        columns += ["hours paid", "full-time equivalents", "cost", "service level"]
        currency = self.settings.company.currency
        columns[7] = f"cost ({currency})" if self.known else "cost"
        self.first = self.sheet("Summary", columns)

    def assumptions(self) -> None:
        """What the formulas refer to, where the plan comes from, how accurate its forecast is."""
        sheet = self.sheet("Assumptions", ["assumption", "value", "unit"])
        staffing, about = self.settings.staffing, self.background.about
        days = max(_days(self.plan), 1e-9)
        rows: list[tuple[str, Any, str, str]] = [
            ("shrinkage", staffing.shrinkage, "share of paid time in which nobody answers", "0.0%"),
            ("hourly cost", staffing.hourly_cost, self.settings.company.currency, "0.00"),
            ("full-time week", FULL_TIME_HOURS, "paid hours", "0.0"),
            ("days in this file", days, "days", "0.00"),
            ("highest occupancy", staffing.max_occupancy, "share of available time", "0.0%"),
            ("time zone of this file", self.zone, "IANA name", "@"),
            ("knowledge as of", str(about.get("as_of", "")), "UTC", "@"),
            ("published", str(about.get("published_at", "")), "UTC", "@"),
            ("model", str(about.get("model_version") or ""), "", "@"),
            ("version", str(about.get("version") or "as published"), "", "@"),
            ("scenario", str(about.get("scenario") or "none"), "", "@"),
        ]
        levels = self.settings.service_levels
        for channel in sorted(map(str, self.plan["channel"].unique())):
            level = levels.get(channel.removeprefix("'")) or levels.get(channel)
            if level is not None:
                target = level.target_seconds or 0.0
                rows += [
                    (f"{channel}: promised share", level.share, f"in {target:g} seconds", "0.0%"),
                    (f"{channel}: confidence", level.confidence, "share of scenarios", "0.0%"),
                ]
        for row, (name, value, unit, form) in enumerate(rows, 1):
            sheet.write_string(row, 0, name)
            self.cell(sheet, row, 1, value, form)
            sheet.write_string(row, 2, unit)
        sheet.set_column(0, 2, 34)
        accuracy = self.background.accuracy
        if accuracy is not None and len(accuracy):
            at = len(rows) + 3
            sheet.write_string(at - 1, 0, "Accuracy in trials (sum of errors / sum)", self.bold)
            for column, name in enumerate(accuracy.columns):
                sheet.write_string(at, column, str(name), self.head)
                for row, value in enumerate(accuracy[name], at + 1):
                    number = isinstance(value, float) and name not in ("trials", "mean_count")
                    self.cell(sheet, row, column, value, "0.0%" if number else "General")

    def rows(self, name: str, frame: pd.DataFrame) -> None:
        """A table as it is, its times in the file's zone."""
        sheet = self.sheet(name, [self.named(column, frame[column]) for column in frame.columns])
        for at, column in enumerate(frame.columns):
            values = frame[column]
            if pd.api.types.is_datetime64_any_dtype(values):
                values = self.local(values)
            for row, value in enumerate(values, 1):
                self.cell(
                    sheet, row, at, value, MOMENT if isinstance(value, pd.Timestamp) else "General"
                )

    def named(self, column: str, values: pd.Series) -> str:
        """A column's head: times say their zone."""
        is_time = pd.api.types.is_datetime64_any_dtype(values)
        return f"{column} ({self.zone})" if is_time else str(column)

    def channel(self, name: str, part: pd.DataFrame) -> None:
        """A channel's intervals, with formulas for paid people, hours and cost, and their sums."""
        local = {at: self.local(part[at]) for at in ("starts_at", "ends_at")}
        offset = (local["starts_at"] - part["starts_at"]).dt.total_seconds() / 3600
        out = pd.DataFrame({"date": local["starts_at"].dt.normalize()})
        out = out.assign(**local, utc_offset_hours=offset)
        rest = [
            column for column in part.columns if column not in ("channel", "starts_at", "ends_at")
        ]
        out = pd.concat([out, part[rest]], axis=1)
        hours = part["agents_gross"] * part["open_seconds"] / 3600
        out["hours_gross"], out["cost"] = hours, hours * self.settings.staffing.hourly_cost
        columns = list(out.columns)
        heads = [self.named(column, out[column]) for column in columns]
        sheet = self.sheet(name, heads)
        place = {column: columns.index(column) for column in columns}
        for at, column in enumerate(columns):
            form = (
                DAY
                if column == "date"
                else MOMENT
                if column in local
                else FORMATS.get(column, "General")
            )
            formula = self.formula(column, place)
            for row, value in enumerate(out[column], 1):
                if formula is None:
                    self.cell(sheet, row, at, value, form)
                else:
                    sheet.write_formula(row, at, formula(row), self.style(form), float(value))
        last = len(out)
        sheet.write_string(last + 1, 0, "total", self.bold)
        for column in ("volume", "volume_forecast", "hours_gross", "cost"):
            at = place[column]
            letter = _letters(at)
            total = f"=SUM({letter}2:{letter}{last + 1})"
            sheet.write_formula(
                last + 1, at, total, self.style(FORMATS[column]), float(out[column].sum())
            )
        self.totals.append((name, sheet.get_name(), last, place, part))

    def formula(self, column: str, place: dict[str, int]) -> Callable[[int], str] | None:
        """The formula of a computed column at a row (0 is the head), or None."""
        if not self.known:
            return None
        net, gross = _letters(place["agents_net"]), _letters(place["agents_gross"])
        opened, hours = _letters(place["open_seconds"]), _letters(place["hours_gross"])
        formulas = {
            "agents_gross": lambda row: (
                f"=ROUNDUP({net}{row + 1}/(1-{SHRINKAGE})-{ROUNDING:.8f},2)"
            ),
            "hours_gross": lambda row: f"={gross}{row + 1}*{opened}{row + 1}/3600",
            "cost": lambda row: f"={hours}{row + 1}*{RATE}",
        }
        return formulas.get(column)

    def local(self, times: pd.Series) -> pd.Series:
        """Times of the file's zone."""
        return pd.Series(pd.DatetimeIndex(local_times(times.to_numpy(), self.zone)))

    def cell(self, sheet: Any, row: int, column: int, value: Any, form: str) -> None:
        """One value with its number format."""
        if isinstance(value, pd.Timestamp):
            sheet.write_datetime(row, column, value.to_pydatetime(), self.style(form))
        elif isinstance(value, str):
            sheet.write_string(row, column, value)
        elif pd.isna(value):
            sheet.write_blank(row, column, None)
        elif abs(float(value)) == float("inf"):
            sheet.write_string(row, column, str(float(value)))
        else:
            sheet.write_number(row, column, float(value), self.style(form))

    def finish(self) -> None:
        """The summary's rows: sums over the channels' sheets, and their total."""
        sheet, rate = self.first, self.settings.staffing.hourly_cost
        days = _days(self.plan)
        sums = np.zeros(5)
        for row, (name, title, last, place, part) in enumerate(self.totals, 1):
            quoted = "'" + title.replace("'", "''") + "'!"
            opened = part["open_seconds"] / 3600
            net = float((part["agents_net"] * opened).sum())
            gross = float((part["agents_gross"] * opened).sum())
            known = part[part["service_level"].notna()]
            offered = float(known["volume"].sum())
            level = (
                float((known["service_level"] * known["volume"]).sum()) / offered
                if offered
                else np.nan
            )
            sheet.write_string(row, 0, name)
            self.cell(sheet, row, 1, days, "0.00")
            self.sum(
                sheet,
                row,
                2,
                f"={quoted}{_letters(place['volume'])}{last + 2}",
                part["volume"].sum(),
                "#,##0.0",
            )
            self.cell(sheet, row, 3, int(part["agents_net"].max()), "0")
            agents, seconds = (
                f"{quoted}{_letters(place[column])}2:{_letters(place[column])}{last + 1}"
                for column in ("agents_net", "open_seconds")
            )
            self.sum(sheet, row, 4, f"=SUMPRODUCT({agents},{seconds})/3600", net, "#,##0.0")
            self.sum(
                sheet,
                row,
                5,
                f"={quoted}{_letters(place['hours_gross'])}{last + 2}",
                gross,
                "#,##0.0",
            )
            self.full_time(sheet, row, gross, days)
            self.sum(
                sheet,
                row,
                7,
                f"={quoted}{_letters(place['cost'])}{last + 2}",
                gross * rate,
                "#,##0",
            )
            self.cell(sheet, row, 8, level, "0.0%")
            sums += [float(part["volume"].sum()), net, gross, gross * rate, 0]
        if not self.totals:
            return
        row = len(self.totals) + 1
        sheet.write_string(row, 0, "all channels", self.bold)
        for column, value, form in (
            (2, sums[0], "#,##0.0"),
            (4, sums[1], "#,##0.0"),
            (5, sums[2], "#,##0.0"),
            (7, sums[3], "#,##0"),
        ):
            letter = _letters(column)
            sheet.write_formula(
                row, column, f"=SUM({letter}2:{letter}{row})", self.style(form), value
            )
        self.full_time(sheet, row, sums[2], days)

    def sum(self, sheet: Any, row: int, column: int, formula: str, value: float, form: str) -> None:
        """A formula with the value that it has now."""
        sheet.write_formula(row, column, formula, self.style(form), float(value))

    def full_time(self, sheet: Any, row: int, gross: float, days: float) -> None:
        """Full-time equivalents of the paid hours."""
        value = gross / max(days, 1e-9) * 7 / FULL_TIME_HOURS
        if self.known:
            self.sum(sheet, row, 6, f"=F{row + 1}/{DAYS}*7/{WEEK}", value, "0.0")
        else:
            self.cell(sheet, row, 6, value, "0.0")


def _days(frame: pd.DataFrame) -> float:
    """The length of the plan in days."""
    if frame.empty:
        return 0.0
    return float((frame["ends_at"].max() - frame["starts_at"].min()) / pd.Timedelta(days=1))


def _letters(column: int) -> str:
    """A column's letters: A, B, ..., AA."""
    from xlsxwriter.utility import xl_col_to_name

    return str(xl_col_to_name(column))


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
