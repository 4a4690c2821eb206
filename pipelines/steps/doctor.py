"""What a workspace has, what it lacks, and what to do about it first: a page for a person.

Everything is asked of the tables as they are at the default as-of time; nothing is trained.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from data.check import check
from data.contract import TABLES, table
from data.errors import DataError, NotEnoughHistory
from data.snapshot import Snapshot, take
from data.tables import Tables
from data.violations import Report
from data.workspace import Workspace
from pipelines.console import Result
from pipelines.console import table as as_table

GIVES = {
    "customers": "who is at risk, and when each signed up",
    "orders": "risks from late, open and returned orders; volume that follows orders",
    "order_items": "risks from products bought together with others",
    "usage": "risks from what is used, and from errors",
    "tickets": "complaints, volume per channel and topic, handle times",
    "bot_sessions": "contacts that a bot contained, and its hand-overs",
    "feedback": "risks from surveys and reviews",
    "articles": "which help articles to write",
    "article_events": "whether help articles help",
    "calendar": "campaigns, releases, closures and your own holidays in forecasts",
    "volumes": "forecasts without a ticket log",
    "agents": "rosters, skills and costs in staffing",
    "treatments": "measured effects of outreach",
}
YEAR, TRIALS = 1.25 * 365, 21
COMPLAINTS = 50
"""Fewer complaints than these tell a model little; the rule of recency and frequency stands in."""


@dataclass(frozen=True)
class Need:
    """What one product needs, whether it has it, and what is missing."""

    product: str
    ok: bool
    has: str
    missing: str


def examine(directory: Path) -> Result:
    """The page as lines, and as data; exit 0 whatever it says, for nothing was asked for."""
    workspace = Workspace.open(directory)
    report = check(workspace)
    if not report.rows and not report.ok:
        broken = [str(one) for one in report.errors]
        lines = ["Fix first:", *(f"  {place}. {line}" for place, line in enumerate(broken, 1))]
        return Result({"tables": [], "needs": [], "first": broken}, lines)
    if not report.rows:
        lines = ["There is no table yet. Any of these is a start:"]
        lines += [
            f"  tables/{name}.csv: {GIVES[name]}" for name in ("tickets", "orders", "volumes")
        ]
        lines += ["Next: presage map EXPORT proposes how your own columns become them."]
        return Result({"tables": [], "needs": [], "first": []}, lines)
    try:
        tables = take(workspace)
        moment = workspace.default_as_of()
    except DataError as error:
        first = [str(error)]
        return Result({"tables": [], "needs": [], "first": first}, ["Fix first:", f"  {error}"])
    held = [_held(tables, report, name) for name in tables.names]
    needs = [*_risk(tables, workspace, moment), *_volume(tables, moment)]
    needs += [*_staffing(tables, workspace, moment), *_outreach(tables)]
    more = _would_add(tables, workspace)
    first, zone = _first(report, needs), workspace.settings.company.time_zone
    lines = [
        f"{directory}, as of {moment:%Y-%m-%d %H:%M} UTC, days of {zone}",
        "",
        *as_table(["table", "rows", "from", "to", "set aside"], [list(map(str, h)) for h in held]),
        "",
        "What each product has:",
        *(f"  {'ok' if n.ok else 'short'}  {n.product}: {n.has}" for n in needs),
        *(f"         {n.product} needs {n.missing}" for n in needs if not n.ok),
        "",
        "What would add most:",
        *(f"  {line}" for line in more),
        "",
        "Fix first:",
        *(f"  {place}. {line}" for place, line in enumerate(first or ["nothing"], 1)),
    ]
    data: dict[str, Any] = {
        "as_of": moment.isoformat(),
        "tables": [
            dict(zip(("table", "rows", "from", "to", "set_aside"), h, strict=True)) for h in held
        ],
        "needs": [asdict(need) for need in needs],
        "would_add": more,
        "first": first,
    }
    return Result(data, lines)


def _held(tables: Snapshot, report: Report, name: str) -> tuple[str, int, str, str, int]:
    birth = table(name).birth or ("ds" if name == "volumes" else None)
    span = ("", "")
    if birth is not None:
        times = tables.frame(name, [birth])[birth]
        span = (f"{times.min():%Y-%m-%d}", f"{times.max():%Y-%m-%d}")
    return name, tables.rows(name), *span, report.quarantined.get(name, 0)


def _days(tables: Tables, moment: datetime, names: tuple[str, ...]) -> float:
    begins = []
    for name in names:
        if tables.has(name):
            column = table(name).birth or "ds"
            begins.append(tables.frame(name, [column])[column].min())
    return (moment - min(begins)) / timedelta(days=1) if begins else 0.0


def _risk(tables: Tables, workspace: Workspace, moment: datetime) -> list[Need]:
    from features.asof import as_of_view
    from features.complaint import is_complaint
    from models.risk.population import training_times

    settings = workspace.settings
    if not tables.has("tickets"):
        has = "no tickets"
        return [Need("risk", False, has, "tickets with customer_id, and which are complaints")]
    known = as_of_view(tables, "tickets", moment)
    complaints = int(is_complaint(known, settings.complaint).sum())
    named = float(known["customer_id"].notna().mean()) if len(known) else 0.0
    days = _days(tables, moment, ("orders", "usage", "tickets"))
    has = f"{days:.0f} days, {complaints:,} complaints, {named:.0%} of tickets with a customer"
    lacks = []
    try:
        training_times(tables, moment, (7, 14, 30), settings.risk)
    except NotEnoughHistory as error:
        lacks.append(str(error))
    if not complaints:
        lacks.append(_complaint_rule(known))
    elif complaints < COMPLAINTS:
        lacks.append(f"about {COMPLAINTS} complaints for a learned model ({complaints} now)")
    if named == 0:
        lacks.append("customer_id in tickets")
    return [Need("risk", not lacks, has, "; ".join(lacks))]


def _complaint_rule(tickets: pd.DataFrame) -> str:
    """What to write for a ticket to be a complaint, with the topics that there are."""
    wanted = "complaints: is_complaint in tickets, or a rule in presage.toml"
    counts = tickets["topic"].value_counts() if "topic" in tickets else pd.Series(dtype="int64")
    topics = [str(topic) for topic in counts.index]
    if not topics:
        return f"{wanted}: [complaint] priorities = [...], csat_at_most = 2, or all = true"
    names = [
        t for t in topics if re.search("complain|reklam|beschwer|plainte|queja|klage", t, re.I)
    ]
    listed = ", ".join(topics[:8]) + (", ..." if topics[8:] else "")
    return f'{wanted}, such as [complaint] topics = ["{(names or topics)[0]}"]; topics: {listed}'


def _volume(tables: Tables, moment: datetime) -> list[Need]:
    days = _days(tables, moment, ("tickets", "volumes"))
    if not days:
        return [Need("volume", False, "no counts", "tickets, or volumes (unique_id, ds, y)")]
    has = f"{days:.0f} days"
    out = [
        Need(
            "volume",
            days >= TRIALS,
            has,
            f"{TRIALS} days for trials of its own ({TRIALS - days:.0f} more); until then a mean",
        )
    ]
    out.append(
        Need(
            "volume through the year",
            days >= YEAR,
            has,
            f"{YEAR:.0f} days to know a yearly season ({YEAR - days:.0f} more)",
        )
    )
    return out


def _staffing(tables: Tables, workspace: Workspace, moment: datetime) -> list[Need]:
    if not tables.has("tickets"):
        return []
    frame = tables.frame("tickets", ["channel", "handle_seconds"])
    channels = sorted(map(str, frame["channel"].dropna().unique()))
    levels = workspace.settings.service_levels
    without = [channel for channel in channels if channel not in levels]
    known = float(frame["handle_seconds"].notna().mean())
    lacks = []
    if without:
        listed = ", ".join(without[:5]) + (", ..." if without[5:] else "")
        lacks.append(f"a service level for {listed}: [service_levels.{without[0]}] target_seconds")
    has = f"{len(channels)} channels, handle_seconds of {known:.0%} of tickets"
    if known == 0:
        lacks.append("handle_seconds in tickets (else [service_levels.CHANNEL] handle_seconds)")
    return [Need("staffing", not lacks, has, "; ".join(lacks))]


def _outreach(tables: Tables) -> list[Need]:
    if not tables.has("customers"):
        return [Need("outreach", False, "no customers", "customers with consent per channel")]
    columns = ["email_consent", "sms_consent", "phone_consent"]
    frame = tables.frame("customers", columns)
    stated = frame.notna().any(axis=1)
    has = f"consent of {float(stated.mean()):.0%} of customers"
    has += f", {len(tables.frame('treatments', ['arm'])):,} treatments"
    missing = "email_consent, sms_consent or phone_consent: unknown counts as refused"
    return [Need("outreach", bool(stated.any()), has, missing)]


def _would_add(tables: Tables, workspace: Workspace) -> list[str]:
    from features.views import what_is_missing

    settings = workspace.settings
    missing = what_is_missing(tables, settings, time_zone=settings.company.time_zone)
    lines = []
    for name, count in missing[:8]:
        what = GIVES.get(name)
        lines.append(f"{name}: {count} features" + (f"; {what}" if what else ""))
    silent = [n for n in TABLES if not tables.has(n) and n not in dict(missing) and n in GIVES]
    lines += [f"{name}: {GIVES[name]}" for name in silent[:6]]
    return lines


def _first(report: Report, needs: list[Need]) -> list[str]:
    """Broken rows by how many they are, then what products lack."""
    shown: list[str] = []
    errors = {(v.table, v.column or "", v.rule): v for v in reversed(report.errors)}
    ranked = sorted(errors, key=lambda key: -report.counts.get(key, 1))
    for key in ranked[:3]:
        count = report.counts.get(key, 1)
        shown.append(f"{count:,} rows of {key[0]}: {errors[key]}")
    loud = (
        "number used again",
        "several currencies",
        "several spellings",
        "padded ids",
        "ids in another case",
    )
    shown += [str(v) for v in report.warnings if v.rule in loud or v.rule == "stray file"][:3]
    shown += [f"{need.product} needs {need.missing}" for need in needs if not need.ok]
    return shown
