"""What a manager sees of outreach: whom, what, why, worth how much, how sure; value against number.

The curve adds up the expected value of the best contacts, one after another, within no limit but
consent: where it bends down, further contacts cost more than they avoid. Where nothing was measured
there is no curve, and the plot says so: nothing is claimed.
"""

from __future__ import annotations

import html
import io
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from data.arrays import Floats
from data.errors import UsageError
from data.files import replacing
from pipelines.console import table
from serving.outreach.actions import action_named
from serving.outreach.protocol import states

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg", ".html")
FIRST = 10
MOST_LINES = 3
"""Lines of each other kind that a person reads; files hold all."""
HEADER = ("customer", "what", "by", "why", "worth", "how sure")


def check_plot(path: Path | None) -> None:
    """UsageError for a plot that could not be written, before any work is done."""
    if path is None:
        return
    if path.suffix not in ENDINGS:
        raise UsageError(f"--plot {path}: end the name in one of {', '.join(ENDINGS)}")
    if not path.parent.is_dir():
        raise UsageError(f"--plot {path}: the folder {path.parent} does not exist; make it first")


def first_rows(
    frame: pd.DataFrame, scores: pd.DataFrame, currency: str, most: int = FIRST
) -> list[list[str]]:
    """The contacts worth most, as cells of ``HEADER``; risks are those of the longest horizon."""
    days = [c for c in scores.columns if c.startswith("risk_")][-1][5:-1]
    treated = frame[frame["arm"] == "treat"]
    first = treated.sort_values(["value", "risk"], ascending=False, na_position="last").head(most)
    why = reasons_of(scores, first["customer_id"].astype(str).tolist())
    return [
        [
            str(row.customer_id),
            action_named(row.action).note,
            str(row.channel),
            f"{row.risk:.0%} risk in {days} days{': ' if why[str(row.customer_id)] else ''}"
            f"{why[str(row.customer_id)]}",
            worth(row.value, currency),
            certainty(row.value_low, row.value_high, currency, explored=bool(row.explored)),
        ]
        for row in first.itertuples()
    ]


def reasons_of(scores: pd.DataFrame, ids: list[str]) -> dict[str, str]:
    """The first reason of each of these customers, else their topic, else ""."""
    wanted = scores[scores["customer_id"].astype(str).isin(ids)]
    reason_by_id = dict.fromkeys(ids, "")
    for row in wanted.to_dict("records"):
        reasons = row.get("reasons")
        first: Any = reasons[0] if isinstance(reasons, list | np.ndarray) and len(reasons) else None
        text = first.get("text") if isinstance(first, dict) else first
        topic = row.get("topic")
        words = text if isinstance(text, str) else ("" if pd.isna(topic) else str(topic))
        reason_by_id[str(row["customer_id"])] = words
    return reason_by_id


def worth(value: float, currency: str) -> str:
    """An expected value as money, or that it is not known."""
    return "not measured" if pd.isna(value) else f"{value:,.2f} {currency}"


def certainty(low: float, high: float, currency: str, *, explored: bool = False) -> str:
    """A 95 % interval in words: what it says, whether it leaves out nothing at all, and whether the
    contact was drawn to learn."""
    if pd.isna(low) or pd.isna(high):
        return "not measured: drawn to learn"
    sure = "sure to pay" if low > 0 else ("sure to lose" if high < 0 else "may lose")
    return f"{low:,.2f} to {high:,.2f}: {sure}{', drawn to learn' * explored}"


def curve(values: Floats) -> Floats:
    """The sum of the best k values for k = 0, 1, ...; of those that are known.

    >>> curve(np.array([1.0, np.nan, 3.0, -2.0])).tolist()
    [0.0, 3.0, 4.0, 2.0]
    """
    known = np.sort(values[~np.isnan(values)])[::-1]
    return np.concatenate([[0.0], np.cumsum(known)])


def write_plot(
    path: Path,
    values: Floats,
    contacted: int,
    currency: str,
    rows: list[list[str]],
    lines: list[str],
) -> None:
    """The plot as .png or .svg, or a page with it and the table as .html; whole or not at all."""
    figure = _figure(values, contacted, currency)
    with replacing(path, mode=None) as staged:
        if path.suffix == ".html":
            staged.write_text(_page(figure, rows, lines), "utf-8")
        else:
            figure.savefig(staged, format=path.suffix[1:], dpi=120)


def _figure(values: Floats, contacted: int, currency: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    total = curve(values)
    axes.set_xlabel("customers contacted, best first")
    axes.set_ylabel(f"expected value, {currency}")
    if len(total) == 1:
        axes.text(0.5, 0.5, "no effect is measured yet: nothing is claimed", ha="center",
                  transform=axes.transAxes)  # fmt: skip
        return figure
    axes.plot(np.arange(len(total)), total)
    axes.axhline(0, color="grey", linewidth=0.8)
    best = int(total.argmax())
    axes.plot(best, total[best], "o", label=f"most: {total[best]:,.0f} at {best:,} contacts")
    at = min(contacted, len(total) - 1)
    axes.axvline(at, linestyle="--", label=f"this plan: {contacted:,} contacts")
    axes.legend()
    return figure


def _page(figure: Figure, rows: list[list[str]], lines: list[str]) -> str:
    drawing = io.StringIO()
    figure.savefig(drawing, format="svg")
    svg = drawing.getvalue()
    head = "".join(f"<th>{html.escape(name)}</th>" for name in HEADER)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Outreach</title>'
        "<style>body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
        "td,th{text-align:left;padding:.2em .8em .2em 0;vertical-align:top}</style>"
        f"<h1>Outreach</h1><ul>{items}</ul><h2>Value against number contacted</h2>"
        f"{svg[svg.index('<svg') :]}<h2>Whom first</h2><table><tr>{head}</tr>{body}</table></html>"
    )


def worth_lines(frame: pd.DataFrame, currency: str) -> list[str]:
    """What the contacts are expected to be worth: those chosen by value, and those drawn to learn
    as far as their effect was measured."""
    treated = frame[frame["arm"] == "treat"]
    drawn = treated["explored"].to_numpy(bool)
    lines = []
    if not drawn.all():
        total = _total(treated[~drawn], currency)
        lines.append(f"expected worth: {total}, of {(~drawn).sum()} contacts chosen by value")
    if drawn.any():
        known = treated[drawn & treated["value"].notna().to_numpy(bool)]
        measured = f"; {len(known)} of them are expected to bring {_total(known, currency)}"
        lines.append(
            f"{drawn.sum()} contacts are drawn at random to learn"
            + (measured if len(known) else ": no effect of theirs was measured, nothing is claimed")
        )
    return lines


def _total(rows: pd.DataFrame, currency: str) -> str:
    low, high = rows["value_low"].sum(min_count=1), rows["value_high"].sum(min_count=1)
    sure = "" if pd.isna(low) else f" (95 %: {low:,.0f} to {high:,.0f})"
    return f"{rows['value'].sum():,.0f} {currency}{sure}"


def article_lines(articles: pd.DataFrame, currency: str) -> list[str]:
    """The first topics in which no article works, as a table; nothing where there is none."""
    rows = [
        [
            f"{row.topic}{' in ' + row.language if row.language else ''}",
            int(row.contacts_28d),
            f"{row.without_article:.0%}",
            f"{row.at_stake:,.0f} {currency}",
            row.why,
        ]
        for row in articles.head(MOST_LINES).itertuples()
    ]
    header = ["articles to write or repair", "contacts in 28 days", "without one", "at stake", ""]
    return table(header, rows) if rows else []


def case_lines(cases: list[Any], known: dict[str, Any], as_of: datetime, days: int) -> list[str]:
    """Cases of the last ``days`` days and their late steps; ``known``: those of the log, by id."""
    many = "case" if len(cases) == 1 else "cases"
    lines = [f"{len(cases)} {many} of negative feedback in {days} days"] if cases else []
    late = [
        (case.case_id, each.step, each.owner, each.deadline)
        for case in (known.get(c.case_id, c) for c in cases)
        for each in states(case, as_of)
        if each.state == "late"
    ]
    lines += [
        f"  {case}: {step} is late, {owner} was to do it by {deadline:%Y-%m-%d %H:%M}"
        for case, step, owner, deadline in late[:MOST_LINES]
    ]
    return lines + (
        [f"  and {len(late) - MOST_LINES} more steps are late"] if len(late) > MOST_LINES else []
    )
