"""Key figures that miss their target, each with what it missed it by and why."""

from __future__ import annotations

import pandas as pd

from data.settings import Settings
from serving.kpis.reasons import PARTS, explained
from serving.kpis.targets import missed
from serving.monitoring.finding import Finding

WORDS = {
    "volume": "more or fewer contacts",
    "handle_time": "handle time",
    "staffing": "agents at work",
    "mix": "mix of channels",
    "rest": "the rest",
}


def service_findings(
    figures: pd.DataFrame, tickets: pd.DataFrame, settings: Settings
) -> list[Finding]:
    """An alarm per target that the newest whole week surely missed, in parts that add up.

    ``figures``: ``beside_targets``; ``tickets``: ``judged_tickets``.
    """
    if figures.empty:
        return [Finding("service", "key figures", "too early", "no whole week of tickets yet")]
    week = figures["week"].max()
    local = figures.loc[figures["week"] == week, "local_week"].iloc[0]
    late = missed(figures, week)
    findings = []
    for _, row in late.iterrows():
        of = f" of {row['channel']}" if row["channel"] else ""
        text = (
            f"{row['kpi']}{of}: {_shown(row['value'], row['unit'])} "
            f"[{_shown(row['low'], row['unit'])}, {_shown(row['high'], row['unit'])}], target "
            f"{_shown(row['target'], row['unit'])} ({row['target_name']}), week of "
            f"{row['local_week']}"
        )
        if row["kpi"] == "answered_in_time":
            shift = explained(tickets, settings, pd.Timestamp(week).to_pydatetime(), row["channel"])
            if shift is not None:
                parts = ", ".join(f"{WORDS[name]} {100 * shift[name]:+.1f}" for name in PARTS)
                text += (
                    f"; against the four weeks before {100 * shift['change']:+.1f} points: {parts}"
                )
        findings.append(
            Finding(
                "service",
                f"{row['kpi']}{of}",
                "alarm",
                text,
                "See the plan of people for these hours (`presage staff`).",
                since=pd.Timestamp(week).to_pydatetime(),
                value=float(row["value"]),
                low=float(row["low"]),
                high=float(row["high"]),
                limit=float(row["target"]),
            )
        )
    held = figures[(figures["week"] == week) & (figures["verdict"] != "")]
    if not findings:
        text = f"{len(held)} targets, none surely missed in the week of {local}"
        findings.append(Finding("service", "key figures", "ok", text))
    return findings


def _shown(value: float, unit: str) -> str:
    if value != value:
        return "?"
    if unit == "share":
        return f"{value:.1%}"
    if unit == "seconds":
        return f"{value / 3600:.1f} h" if value >= 5400 else f"{value:.0f} s"
    return f"{value:.2f}" if unit.startswith("points") else f"{value:.0f}"
