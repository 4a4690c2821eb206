"""What came of every logged prediction, or why that will never be known.

A score of h days says how likely a complaint is in ``[as_of + gap, as_of + gap + h)``. The night
after that window is over writes beside the log what came, once, as it was known then:

    .presage/predictions/2026-03-02/published-04f1.parquet
    .presage/predictions/2026-03-02/outcomes-7d-published-04f1.parquet

A score without an outcome has a reason: ``erased or gone`` (nobody of that pseudonym is in the
tables), ``opted out`` (of being profiled), ``treated`` (a contact reached the window, so the world
that was foretold did not happen; those whom chance left alone weigh more: ``weight``,
features/untreated.py), ``source had not arrived`` (tickets stopped before the window was over;
looked at again each night), and ``not due`` while the window lasts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from data.files import replacing
from data.pseudonyms import pseudonym
from data.settings import Settings
from data.tables import Tables
from features.asof import as_of_view
from features.labels import labels
from features.opt_out import not_profiled
from features.untreated import WEIGHT, Exposures, untreated
from serving.day_log import days
from serving.prediction_files import JOINED, LATE_JOINED
from serving.prediction_log import (
    FOLDER,
    first_kept,
    horizons_in,
    read_kept,
    told_files,
    told_in,
    write_kept,
)

NOT_DUE, LATE, OPTED_OUT, TREATED, GONE = (
    "not due", "source had not arrived", "opted out", "treated", "erased or gone",
)  # fmt: skip
COLUMNS = ["at", "source", "pseudonym", "model_version", "as_of", "horizon_days", "value",
           "outcome", "weight", "reason"]  # fmt: skip
LONGEST_CHAIN = 5
"""So many merges of one customer into the next are followed, as in data/identities.py."""


@dataclass(frozen=True)
class People:
    """Who is behind a pseudonym: ``customer_of`` each that is in the tables, and those who do not
    want to be profiled (ids)."""

    customer_of: Mapping[str, str]
    opted_out: frozenset[str]


def people_of(tables: Tables, salt: bytes, as_of: datetime) -> People:
    """Everybody who is in the tables as of a moment, under every id that they ever had."""
    customer_of: dict[str, str] = {}
    if tables.has("customers"):
        ids = as_of_view(tables, "customers", as_of, ["customer_id"])["customer_id"]
        customer_of = {str(name): str(name) for name in ids}
    if tables.has("identities"):
        rows = as_of_view(tables, "identities", as_of, ["id", "customer_id"])
        merged = dict(zip(rows["id"].astype(str), rows["customer_id"].astype(str), strict=True))
        for name in merged:
            now = name
            for _ in range(LONGEST_CHAIN):
                now = merged.get(now, now)
            if now in customer_of:
                customer_of.setdefault(name, now)
    known = {pseudonym(salt, name): now for name, now in customer_of.items()}
    return People(known, not_profiled(tables))


def join_outcomes(
    state_dir: Path,
    tables: Tables,
    settings: Settings,
    people: People,
    exposures: Exposures | None,
    *,
    as_of: datetime,
    arrived_until: datetime,
    now: datetime,
) -> int:
    """Write what came of the scores whose window was over by ``as_of``, where that is not written
    yet; how many scores that were.

    ``arrived_until``: how far the tickets have arrived. ``exposures``: who could have been
    contacted (serving/outreach/exposures.py). A file of a day that is not over by ``now`` waits: a
    service may still write to it.
    """
    joined = 0
    gap = timedelta(days=settings.risk.gap_days)
    for path, horizons in _of_all_days(state_dir, None):
        open_still = path.suffix == ".jsonl" and path.parent.name >= now.date().isoformat()
        waiting = [h for h in horizons if not _place(path, h, JOINED).exists()]
        if open_still or not waiting:
            continue
        predictions = told_in(path)
        for horizon in waiting:
            rows = _long(predictions, horizon)
            if rows.empty or rows["as_of"].max() + gap + timedelta(days=horizon) > as_of:
                continue
            outcomes = _joined(
                rows, horizon, tables, settings, people, exposures, as_of, arrived_until
            )
            late = bool((outcomes["reason"] == LATE).any())
            place, other = _place(path, horizon, JOINED), _place(path, horizon, LATE_JOINED)
            with replacing(other if late else place) as staged:
                write_kept(staged, outcomes)
            if not late:
                other.unlink(missing_ok=True)
                joined += len(outcomes)
    return joined


@dataclass(frozen=True)
class Night:
    """A night's scores in the log: by which model, as of when, in which file."""

    as_of: datetime
    model_version: str
    path: Path

    def scores(self, horizon: int) -> pd.DataFrame:
        """The scores of one horizon, whatever came of them."""
        return _long(told_in(self.path), horizon)

    @property
    def horizons(self) -> tuple[int, ...]:
        """The horizons that it has scores of, in days."""
        return horizons_in(self.path)

    def joined(self, horizon: int) -> bool:
        """Whether what came is written."""
        return _place(self.path, horizon, JOINED).exists()

    def outcomes(self, horizon: int) -> pd.DataFrame:
        """The scores that have an outcome: ``COLUMNS``; one row a pseudonym."""
        rows = read_kept(_place(self.path, horizon, JOINED))
        return rows[rows["outcome"].notna()].drop_duplicates("pseudonym", keep="last")


def nights(state_dir: Path, source: str, since: datetime) -> list[Night]:
    """The nights whose scores were published, or made in the ``shadow``, as of ``since`` or later,
    the newest first; of two of one model and moment the later."""
    by_moment: dict[tuple[datetime, str], Night] = {}
    paths = [path for day in days(state_dir / FOLDER) for path in day.glob(f"{source}-*.parquet")]
    for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns):
        first = first_kept(path, ["as_of", "model_version"])
        if first.empty:
            continue
        row = first.iloc[0]
        moment, version = row["as_of"].to_pydatetime(), str(row["model_version"])
        if moment >= since:
            by_moment[moment, version] = Night(moment, version, path)
    return sorted(by_moment.values(), key=lambda night: night.as_of, reverse=True)


def apart(every: Sequence[Night], many: int, least: timedelta = timedelta(days=7)) -> list[Night]:
    """So many of these nights, the newest and then each so long before the one before it: nights
    that follow each other say nearly the same of the same people."""
    chosen: list[Night] = []
    for night in every:
        if len(chosen) < many and (not chosen or chosen[-1].as_of - night.as_of >= least):
            chosen.append(night)
    return chosen


def outcomes(
    state_dir: Path,
    since: datetime | None = None,
    horizon_days: int | None = None,
) -> pd.DataFrame:
    """``COLUMNS``: every score that is kept (of days from ``since`` on), of one horizon or of all.

    ``outcome`` (1.0 a complaint, 0.0 none) is NaN where ``reason`` says why.
    """
    frames = []
    for path, horizons in _of_all_days(state_dir, since):
        for horizon in horizons:
            if horizon_days not in (None, horizon):
                continue
            places = [_place(path, horizon, name) for name in (JOINED, LATE_JOINED)]
            there = next((place for place in places if place.exists()), None)
            if there is not None:
                frames.append(read_kept(there))
            else:
                waits = _long(told_in(path), horizon)
                frames.append(waits.assign(outcome=np.nan, weight=1.0, reason=NOT_DUE))
    if not frames:
        return pd.DataFrame(columns=COLUMNS)
    return pd.concat(frames, ignore_index=True)[COLUMNS]


def _of_all_days(state_dir: Path, since: datetime | None) -> Iterator[tuple[Path, tuple[int, ...]]]:
    """Each file of the log with the horizons that it holds."""
    for day in days(state_dir / FOLDER):
        if since is None or day.name >= since.date().isoformat():
            yield from told_files(day)


def _place(path: Path, horizon: int, name: str) -> Path:
    return path.with_name(f"{name}-{horizon}d-{path.stem}.parquet")


def _long(predictions: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """The scores of one horizon: the columns of what is known when they are made."""
    risk = f"risk_{horizon}d"
    if risk not in predictions:
        return pd.DataFrame(columns=COLUMNS[:7])
    rows = (
        predictions[predictions[risk].notna()]
        .rename(columns={risk: "value"})
        .reset_index(drop=True)
    )
    rows["value"] = rows["value"].astype("float64")
    return rows.assign(horizon_days=horizon)[COLUMNS[:7]]


def _joined(
    rows: pd.DataFrame,
    horizon: int,
    tables: Tables,
    settings: Settings,
    people: People,
    exposures: Exposures | None,
    as_of: datetime,
    arrived_until: datetime,
) -> pd.DataFrame:
    who = rows["pseudonym"].map(people.customer_of)
    gone, refused = who.isna().to_numpy(), who.isin(people.opted_out).to_numpy()
    gap = settings.risk.gap_days
    ends = rows["as_of"] + timedelta(days=horizon + gap)
    late = (ends > pd.Timestamp(arrived_until)).to_numpy()
    has_outcome = ~gone & ~refused & ~late
    outcome, weight = np.full(len(rows), np.nan), np.ones(len(rows))
    reason = np.select([gone, refused, late], [GONE, OPTED_OUT, LATE], "").astype(object)
    if has_outcome.any():
        spine = pd.DataFrame(
            {"customer_id": who[has_outcome], "as_of": rows.loc[has_outcome, "as_of"]}
        )
        outcomes = labels(
            spine,
            tables,
            horizons=[horizon],
            gap_days=gap,
            known_as_of=as_of,
            complaint=settings.complaint,
        )
        if exposures is not None:
            outcomes = untreated(
                outcomes, exposures, horizons=[horizon], gap_days=gap, known_as_of=as_of
            )
        outcome[has_outcome] = outcomes[f"label_{horizon}d"].to_numpy(np.float64)
        if WEIGHT in outcomes:
            weight[has_outcome] = outcomes[WEIGHT].to_numpy(np.float64)
        reason[has_outcome & np.isnan(outcome)] = TREATED
    return rows.assign(outcome=outcome, weight=weight, reason=pd.Series(reason, dtype="str"))
