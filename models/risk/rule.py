"""Too little history to learn from: the shrunk rule of recency and frequency, as a real model.

The rule of models/risk/baselines.py knows two numbers of a customer: days since their last
complaint, and how many there were. Here it is made safe for a handful of rows and given the
interface of every risk model: a ``RiskModel`` whose parts are tables in place of trees.

- The base rate is ``(complaints + 1/2) / (rows + 1)`` (Jeffreys), so never 0 and never 1.
- A recency's rate is shrunk to the base rate, a cell's to its recency's, by ``STRENGTH`` rows.
- A longer window is shrunk to what a shorter one says if chances stay as they are from day to day,
  ``1 - (1 - p) ** (h / shorter)``: a horizon whose labels are not complete yet has a rate all the
  same, and no window has less than a shorter one.
- Expected contacts come from the same cells, counts in place of rates.
- Topic and channel: shares of past complaints, shrunk to the shares of all contacts.

In log odds a cell is ``base + (recency - base) + (cell - recency)``: those are the reasons.

>>> import numpy as np
>>> few = shrunk(np.array([np.nan, 2.0]), np.array([0.0, 1.0]), np.array([0.0, 1.0]))
>>> round(few.base, 2), bool(few.cells[0, 1] > few.cells[-1, 0])
(0.5, True)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logit

from data.arrays import Floats
from data.errors import DataError, NotEnoughHistory
from data.tables import Tables
from features.complaint import ComplaintRule, complaint_predicate, is_complaint
from features.language import count, last, now, since_last
from features.sources import TICKETS
from features.spec import FeatureView
from models.risk.baselines import FREQUENCY_EDGES, RECENCY_EDGES, STRENGTH, cells
from models.risk.choice import MOST, Choice
from models.risk.encode import Encoder
from models.risk.enough import check_rows
from models.risk.mixture import Mixture
from models.risk.model import Part, RiskModel, Tickets, cards_of
from models.risk.tables import RuleTable

RECENCY, FREQUENCY = "tickets_complaint_since_last_days", "tickets_complaint_count"
DISPERSIONS = np.geomspace(0.05, 50.0, 61)
"""Tried for the number of contacts, see ``Tickets``."""


def rule_view(complaint: ComplaintRule, tables: Tables) -> FeatureView:
    """The two features of the rule, and where tickets are ever resolved those that tell whom
    models/risk/repeat.py concerns."""
    where = complaint_predicate(complaint)
    features = [since_last(TICKETS, where=where), count(TICKETS, where=where)]
    if tables.frame("tickets", ["resolved_at"])["resolved_at"].notna().any():
        features += [
            now(TICKETS, until="resolved_at", label="open"),
            since_last(TICKETS, since="resolved_at"),
            last(TICKETS, "topic"),
            last(TICKETS, "channel"),
        ]
    return FeatureView(features)


@dataclass(frozen=True)
class Shrunk:
    """Rates (or counts) of everybody, of each recency, and of each recency and frequency."""

    base: float
    of_recency: Floats
    cells: Floats

    def through(self, change: Callable[[Any], Any]) -> Shrunk:
        return Shrunk(float(change(self.base)), change(self.of_recency), change(self.cells))


def shrunk(recency: Floats, frequency: Floats, y: Floats, prior: Shrunk | None = None) -> Shrunk:
    """Means of ``y`` by cell, each shrunk to the one above it, or to ``prior`` where it is given.

    ``recency``: days, NaN for never. ``y``: 0 or 1, or counts; no rows need a prior.
    """
    at = cells(recency, frequency)
    shape = (len(RECENCY_EDGES) + 2, len(FREQUENCY_EDGES) + 1)
    hits, rows = np.zeros(shape), np.zeros(shape)
    np.add.at(hits, at, y)
    np.add.at(rows, at, 1.0)
    if prior is None:
        base = float((y.sum() + 0.5) / (len(y) + 1))
        of_recency = (hits.sum(axis=1) + STRENGTH * base) / (rows.sum(axis=1) + STRENGTH)
        return Shrunk(base, of_recency, _drawn(hits, rows, of_recency[:, None]))
    base = float((y.sum() + STRENGTH * prior.base) / (len(y) + STRENGTH))
    of_recency = _drawn(hits.sum(axis=1), rows.sum(axis=1), prior.of_recency)
    return Shrunk(base, of_recency, _drawn(hits, rows, prior.cells))


def _drawn(hits: Floats, rows: Floats, above: Floats) -> Floats:
    return (hits + STRENGTH * above) / (rows + STRENGTH)


def train_rule(
    features: pd.DataFrame,
    labels: pd.DataFrame,
    tickets: pd.DataFrame,
    *,
    complaint: ComplaintRule,
    horizons: Sequence[int] = (7, 14, 30),
    gap_days: float = 0.0,
    cards: Sequence[Mapping[str, Any]] = (),
    why: str,
) -> RiskModel:
    """The rule as a risk model, from whatever rows there are.

    ``features`` need the columns of ``rule_view``; ``labels`` may have other lengths than
    ``horizons`` too, shorter ones (a day, say) stand in where those are not complete anywhere.
    ``tickets``: contacts as known now (``as_of_view``), for topics and channels. ``why``: what is
    missing for a model that learns; the model's notes carry it.

    Raises NotEnoughHistory without one complete label, and for labels of one class: where nobody
    or everybody complained there is no rate to tell, and none is made up.
    """
    lengths = sorted({int(h) for h in horizons} | set(_lengths(labels)))
    check_rows(features, labels, lengths)
    _both_classes(labels, lengths)
    recency, frequency = (
        features[name].to_numpy(np.float64, na_value=np.nan) for name in (RECENCY, FREQUENCY)
    )

    def chained(name: str, longer: Callable[..., Any]) -> dict[int, Shrunk]:
        by_length: dict[int, Shrunk] = {}
        prior, before = None, 0
        for h in lengths:
            y = labels[f"{name}_{h}d"].to_numpy(np.float64, na_value=np.nan)
            known = ~np.isnan(y)
            if prior is not None:
                prior = prior.through(partial(longer, h / before))
            elif not known.any():
                continue
            by_length[h] = shrunk(recency[known], frequency[known], y[known], prior)
            prior, before = by_length[h], h
        return by_length

    risks = chained("label", _any_in)
    counts = chained("tickets", np.multiply)
    wanted = tuple(sorted(set(horizons)))
    longest = max(counts)
    expected = counts[longest]
    parts = [Part("rule", h, RuleTable.of(*_parts(risks[h].through(logit)))) for h in wanted]
    matrix = np.column_stack([recency, frequency]).astype(np.float32)
    return RiskModel(
        horizons=wanted,
        encoder=Encoder((RECENCY, FREQUENCY), {}),
        parts=tuple(parts),
        mixtures={h: Mixture(0.0, np.eye(len(wanted))[at]) for at, h in enumerate(wanted)},
        tickets=Tickets(
            RuleTable.of(*_parts(expected.through(np.log))),
            1.0,
            longest,
            _dispersion(labels, counts, recency, frequency),
        ),
        topic=_choice(tickets, complaint, "topic"),
        channel=_choice(tickets, complaint, "channel"),
        cards=cards_of(cards, (RECENCY, FREQUENCY)),
        golden=np.zeros_like(matrix[:1]),
        notes={
            "rule": why,
            "rows": len(features),
            "as_of_times": int(features["as_of"].nunique()),
            "base_rates": {str(h): risks[h].base for h in wanted},
            "gap_days": gap_days,
            "alarms": [],
        },
    )


def _any_in(times: float, p: Any) -> Any:
    """P(any) in a window so many times as long as one with P(any) = ``p``."""
    return -np.expm1(times * np.log1p(-p))


def _lengths(labels: pd.DataFrame) -> list[int]:
    return [int(str(c)[6:-1]) for c in labels.columns if str(c).startswith("label_")]


def _parts(of: Shrunk) -> tuple[float, Floats, Floats]:
    return of.base, of.of_recency, of.cells


def _both_classes(labels: pd.DataFrame, lengths: Sequence[int]) -> None:
    values = np.concatenate([labels[f"label_{h}d"].to_numpy(np.float64) for h in lengths])
    values = values[~np.isnan(values)]
    if not values.size:
        raise NotEnoughHistory(
            f"not one label of {lengths[0]} days is complete, so there is no rate to tell; bring "
            f"at least {lengths[0]} more days of history"
        )
    if not values.any():
        raise NotEnoughHistory(
            f"not one of {len(labels)} rows is followed by a complaint (one class only), so there "
            "is nothing to learn and no rate to fall back on. Tickets must name their customer in "
            "customer_id; check that column and the [complaint] rule, or bring more history "
            "(`presage doctor` counts all three)"
        )
    if values.all():
        raise DataError(
            f"every one of the {values.size} labels is 1, so there is nobody to tell complainers "
            "from; check the [complaint] rule"
        )


def _dispersion(
    labels: pd.DataFrame, counts: Mapping[int, Shrunk], recency: Floats, frequency: Floats
) -> float:
    """The k with which as many have any contact within the longest known window as had."""
    lengths = [h for h in counts if labels[f"contact_{h}d"].notna().any()]
    h = lengths[-1]
    any_seen = float(labels[f"contact_{h}d"].mean())
    expected = counts[h].cells[cells(recency, frequency)]
    shares = np.array([-np.expm1(-k * np.log1p(expected / k)).mean() for k in DISPERSIONS])
    return float(DISPERSIONS[np.abs(shares - any_seen).argmin()])


def _choice(tickets: pd.DataFrame, complaint: ComplaintRule, column: str) -> Choice | None:
    """Shares of past complaints, shrunk to those of all contacts; None without any."""
    human = tickets[~tickets["is_machine"].fillna(False).astype(bool)]
    of_all = human[column].value_counts()
    if of_all.empty:
        return None
    of_complaints = human.loc[is_complaint(human, complaint), column].value_counts()
    counted = of_complaints.reindex(of_all.index, fill_value=0).to_numpy(np.float64)
    above = of_all.to_numpy(np.float64) / of_all.sum()
    share = (counted + STRENGTH * above) / (counted.sum() + STRENGTH)
    order = sorted(range(len(share)), key=lambda at: (-share[at], str(of_all.index[at])))[:MOST]
    top_shares = share[order] / share[order].sum()
    return Choice(tuple(str(of_all.index[at]) for at in order), tuple(top_shares.tolist()), None)
