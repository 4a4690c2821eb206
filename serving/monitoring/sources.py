"""Does everything still arrive? How far each table reaches, how much came, what fell silent.

A table is held to its own past eight weeks, by whole local weeks, so no weekday and no night looks
like a stop. A count is compared with the mean of those weeks as a new draw would be: its variance
is the larger of theirs and the mean's own (counts are never steadier than Poisson's).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import sqrt

import numpy as np
import pandas as pd

from data.contract import TABLES, Table
from data.tables import Tables, birth_times
from features.asof import as_of_view
from serving.monitoring.columns import moved_columns
from serving.monitoring.finding import Finding
from serving.monitoring.watermarks import WATCHED, WEEKS, Watermark, facts_of, watermark

FEWEST = 5.0
"""Rows a week, on the mean, below which nothing is said of a table's level."""
FELL, ROSE = 0.6, 1.8
"""A week's count over its usual one, beyond which it is said to have fallen or risen."""
RARE = 1e-5
"""Chance of a week's count so far off, below which it is said."""
SURE = 4.0
"""Standard deviations between two shares: one false alarm in some 30,000 if they were normal."""
EMPTY = 0.2
"""Share of rows whose column fell silent, beyond which it is said so."""


KNOWN_LATER = ("handle_seconds", "csat")
"""Columns that are known some time after their row and whose values are watched."""


def source_findings(tables: Tables, as_of: datetime, time_zone: str = "UTC") -> list[Finding]:
    """A finding for each watched table's reach and level, and one per column that fell silent or
    whose values moved; ``time_zone``: in which hours of the day are looked at."""
    findings: list[Finding] = []
    everybody = None
    if tables.has("customers"):
        everybody = set(as_of_view(tables, "customers", as_of, ["customer_id"])["customer_id"])
    for name in WATCHED:
        if not tables.has(name):
            continue
        contract = TABLES[name]
        fixed = [
            c.name
            for c in contract.columns
            if c.known_at is None and not c.required and c.name not in ("recorded_at", "deleted")
        ]
        required = [c.name for c in contract.columns if c.required and c.known_at is None]
        later = [n for n in KNOWN_LATER if n in contract.names]
        wanted = [
            n
            for n in (
                contract.birth,
                *contract.key,
                "customer_id",
                *fixed,
                *required,
                *later,
                *facts_of(name),
            )
            if n in contract.names
        ]
        frame = as_of_view(tables, name, as_of, list(dict.fromkeys(wanted)))
        births = frame[contract.birth] if contract.birth else birth_times(name, frame)
        findings += _of_table(
            contract, frame, pd.Series(births), as_of, fixed, everybody, time_zone
        )
    return findings


def _of_table(
    contract: Table,
    frame: pd.DataFrame,
    births: pd.Series,
    as_of: datetime,
    columns: list[str],
    everybody: set[str] | None,
    time_zone: str,
) -> list[Finding]:
    name = contract.name
    births = births.reset_index(drop=True)
    frame = frame.reset_index(drop=True)
    known = births[births < as_of]
    mark = watermark(name, births, as_of)
    if mark is None:
        return [Finding("sources", name, "notice", f"{name}: no row by {as_of:%Y-%m-%d}")]
    back = ((pd.Timestamp(as_of) - births).dt.total_seconds() // (7 * 86400)).to_numpy()
    counts = np.array([(back == week).sum() for week in range(WEEKS + 1)], float)
    lived = int(min(((pd.Timestamp(as_of) - known.min()).days - 7) // 7, WEEKS))
    usual = counts[1 : lived + 1]
    findings = [_reach(mark)]
    if findings[0].status == "alarm" or lived < 4 or usual.mean() < FEWEST:
        return findings  # what stopped is said once
    findings.append(_level(name, counts[0], usual, as_of))
    if "is_complaint" in frame:
        of = frame["is_complaint"].fillna(False).to_numpy(bool)
        weeks = np.array([(of & (back == week)).sum() for week in range(lived + 1)], float)
        if weeks[1:].mean() >= FEWEST:
            findings.append(_level("complaints", weeks[0], weeks[1:], as_of))
    new, old = back == 0, (back >= 1) & (back <= lived)
    if findings[1].status == "ok":  # else they fell with their rows
        for fact in facts_of(name):
            findings += _of_fact(f"{name}.{fact}", frame[fact].dropna(), lived, as_of)
    for column in columns:
        silence = _silent(name, column, frame[column].notna().to_numpy(), new, old, as_of)
        if silence is not None:
            findings.append(silence)
    named = {finding.what for finding in findings[2:]}
    moved = moved_columns(
        name, frame.drop(columns=[*contract.key, *facts_of(name)]), births, lived, as_of, time_zone
    )
    findings += [one for one in moved if one.what.removesuffix(" moved") not in named]
    if everybody is not None and "customer_id" in frame:
        has_customer = frame["customer_id"].notna().to_numpy()
        meets = frame["customer_id"].isin(everybody).to_numpy()
        silence = _unmet(name, meets, has_customer & new, has_customer & old, as_of)
        if silence is not None:
            findings.append(silence)
    return findings


def _of_fact(what: str, times: pd.Series, lived: int, as_of: datetime) -> list[Finding]:
    """An alarm where something that happens to rows later (deliveries, first answers) stopped, or
    is told of surely less often than before."""
    mark = watermark(what, times, as_of)
    back = ((pd.Timestamp(as_of) - times).dt.total_seconds() // (7 * 86400)).to_numpy()
    counts = np.array([(back == week).sum() for week in range(lived + 1)], float)
    if mark is None or counts[1:].mean() < FEWEST:
        return []
    findings = [_reach(mark), _level(what, counts[0], counts[1:], as_of)]
    return [one for one in findings if one.broken][:1]


def _reach(mark: Watermark) -> Finding:
    """How far the table reaches; an alarm if it stopped."""
    text = f"{mark.source} until {mark.until:%Y-%m-%d %H:%M}"
    if not mark.stopped or mark.longest is None or mark.limit is None:
        return Finding("sources", mark.source, "ok", text, since=mark.until)
    day = timedelta(days=1)
    return Finding(
        "sources",
        mark.source,
        "alarm",
        f"{text}: nothing for {mark.silent / day:.1f} days, never more than "
        f"{mark.longest / day:.1f} in the eight weeks before",
        "Ask the source whether it still sends; predictions do not see what is missing.",
        since=mark.until,
        value=mark.silent / day,
        limit=mark.limit / day,
        broken=True,
    )


def _level(name: str, count: float, usual: np.ndarray, as_of: datetime) -> Finding:
    mean = float(usual.mean())
    ratio, chance = count / mean, _chance(count, usual)
    text = f"{name}: {count:.0f} rows in the last 7 days, {mean:.0f} usually"
    begin = as_of - timedelta(days=7)
    if ratio < FELL and chance < RARE:
        act = "See whether a part of the source stopped before anything is trained on this."
        status = "alarm"
    elif ratio > ROSE and chance < RARE:
        act = "See whether rows came twice, or from a machine (is_machine)."
        status = "alarm"
    else:
        act, status = "", "ok"
    low, high = count - 1.96 * sqrt(count + 1), count + 1.96 * sqrt(count + 1)
    return Finding(
        "sources",
        f"{name} level",
        status,  # type: ignore[arg-type]
        text,
        act,
        since=begin if act else None,
        value=ratio,
        low=low / mean,
        high=high / mean,
        limit=FELL if ratio < 1 else ROSE,
        broken=bool(act) and ratio < 1,
    )


def _chance(count: float, usual: np.ndarray) -> float:
    """Of a week's count as far from the usual ones as this: a negative binomial with their spread
    and the mean's own, for small counts have long tails."""
    from scipy import stats

    mean = float(usual.mean())
    spread = max(float(usual.var(ddof=1)), mean) * (1 + 1 / len(usual))
    size = mean**2 / (spread - mean)
    of = stats.nbinom(size, size / (size + mean))
    return float(of.sf(count - 1) if count > mean else of.cdf(count))


def _silent(
    name: str, column: str, filled: np.ndarray, new: np.ndarray, old: np.ndarray, as_of: datetime
) -> Finding | None:
    """The column where it is filled surely less often than before; None where not."""
    before, now = float(filled[old].mean()), float(filled[new].mean()) if new.any() else np.nan
    if not before - now >= EMPTY or _distance(before, now, int(old.sum()), int(new.sum())) < SURE:
        return None
    return Finding(
        "sources",
        f"{name}.{column}",
        "alarm",
        f"{name}.{column} is given in {now:.0%} of the rows of the last 7 days, before in "
        f"{before:.0%}",
        "Ask the source for the column: features that read it fall silent, and so do models "
        "trained on them.",
        since=as_of - timedelta(days=7),
        value=now,
        limit=before - EMPTY,
        broken=True,
    )


def _unmet(
    name: str, meets: np.ndarray, new: np.ndarray, old: np.ndarray, as_of: datetime
) -> Finding | None:
    """Where customers are named that the customers table surely lacks more often than before."""
    if not new.any() or not old.any():
        return None
    before, now = float(meets[old].mean()), float(meets[new].mean())
    if before - now < 0.1 or _distance(before, now, int(old.sum()), int(new.sum())) < SURE:
        return None
    return Finding(
        "sources",
        f"{name} without customers",
        "alarm",
        f"{1 - now:.0%} of the rows of {name} of the last 7 days name a customer who is not in "
        f"customers; before {1 - before:.0%}",
        "See whether the source changed how it writes ids, or customers come late.",
        since=as_of - timedelta(days=7),
        value=1 - now,
        limit=1 - before + 0.1,
        broken=True,
    )


def _distance(before: float, now: float, many: int, few: int) -> float:
    """Standard deviations between two shares, pooled."""
    pooled = (before * many + now * few) / (many + few)
    return (before - now) / sqrt(max(pooled * (1 - pooled), 1e-9) * (1 / many + 1 / few))
