"""Outreach as a line of the forecast: contacts that it averts, and those that it causes.

What one contacted customer changes was measured: their contacts within 30 days, those drawn to be
contacted against those left alone (models/uplift), pulled towards none by a prior (effects beyond
``PRIOR_SD`` of the usual rate are rare). It is spread evenly over those 30 days, and over series as
the forecast is. Outreach is taken to go on as it is planned, or else as in the last four weeks.

The counts that the forecast was learned from already hold what outreach changed then. So

    forecast = what counts alone say - what they hold of outreach + what outreach will change
    without outreach = forecast - line

>>> change = Change(-0.3, -0.5, -0.1, 0.4, 0.1, 900)
>>> ds = pd.date_range("2026-03-01", periods=2, freq="D")
>>> frame = pd.DataFrame({"unique_id": "total", "ds": ds, "presage": [100.0, 50.0]})
>>> steady = with_line(frame, Contacted((10.0,) * 90), change)
>>> steady[["presage", "outreach"]].round(6).values.tolist()
[[100.0, -3.0], [50.0, -3.0]]
>>> begun = with_line(frame, Contacted((0.0,) * 61 + (10.0,)), change)  # ten, yesterday
>>> begun[["presage", "outreach"]].round(3).values.tolist()
[[99.898, -0.104], [49.895, -0.107]]
>>> grown = with_line(frame, Contacted((10.0,) * 90, 50.0), change)  # fifty a day, from now on
>>> grown[["presage", "outreach"]].round(3).values.tolist()
[[99.6, -3.4], [49.2, -3.8]]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.arrays import Floats
from models.uplift import Trial, measure
from models.uplift.relative import MIN_ROWS, PRIOR_SD
from models.uplift.trial import ALL, has_both, pair
from models.volume.series import TOTAL

ACTS_DAYS = 30
RATE_DAYS = 28
HELD_DAYS = 56
"""So far back go the counts that a forecast leans on most."""
LINE = ("outreach", "outreach-lo-95", "outreach-hi-95", "outreach-averted", "outreach-induced")
HELD = "outreach-held"
"""What of outreach the counts already held: column beside ``LINE``."""


@dataclass(frozen=True)
class Change:
    """What one contact changes of a customer's contacts within ``ACTS_DAYS``: ``contacts`` in all
    (below 0: fewer) with its 95 % interval; ``averted`` less ``induced`` is the same, the other way
    round. ``decisions``: how many it was measured by."""

    contacts: float
    low: float
    high: float
    averted: float
    induced: float
    decisions: int


@dataclass(frozen=True)
class Contacted:
    """Customers drawn to be contacted on each of the past days, the last one last; and so many a
    day as it is ``planned``. None: no plan is known."""

    by_day: tuple[float, ...]
    planned: float | None = None

    @property
    def ahead(self) -> float:
        """So many a day from now on: as planned, or else as many as in the last ``RATE_DAYS``."""
        if self.planned is not None:
            return self.planned
        return float(np.sum(self.by_day[-RATE_DAYS:])) / RATE_DAYS

    def acting(self, days: int) -> Floats:
        """How many contacts act on each of the coming ``days``, by share of a whole effect."""
        every = np.concatenate([np.zeros(ACTS_DAYS), self.by_day, np.full(days, self.ahead)])
        return _rolling(every)[-days:] if days else np.zeros(0)

    def held(self) -> float:
        """The same of the last ``HELD_DAYS``, a day in the mean."""
        past = _rolling(np.concatenate([np.zeros(ACTS_DAYS + HELD_DAYS), self.by_day]))
        return float(past[-HELD_DAYS:].mean())


def measured_change(past: Trial | None) -> Change | None:
    """What past randomised contacts changed; None where that was not measured yet."""
    if past is None or not has_both(past, ALL):
        return None
    two = pair(past, ALL, "contacts")
    if min(two.treated.sum(), (~two.treated).sum()) < MIN_ROWS:
        return None
    risk = past.frame.get("risk")
    known = None if risk is None or risk.isna().any() else risk
    every = measure(_without(past, "risk"), "contacts", risk=known)
    extra = measure(_without(past, "risk"), "inquiries", risk=known)
    if not np.isfinite(every.always_low):  # too few contacts in an arm to tell anything
        return None
    contacts, induced = (_shrunk(m.effect, m.se, every.rate_left_alone) for m in (every, extra))
    return Change(contacts, every.low, every.high, induced - contacts, induced, len(two.y))


def with_line(frame: pd.DataFrame, contacted: Contacted, change: Change) -> pd.DataFrame:
    """A forecast (``unique_id, ds, presage``, quantiles) with ``LINE`` and ``HELD``, in contacts.

    As it is where it has no total. Every series and quantile of a day moves by one factor, so that
    parts still add up; a day of which the forecast is 0 stays 0.
    """
    total = frame[frame["unique_id"] == TOTAL].sort_values("ds")
    if total.empty or total["presage"].sum() <= 0:
        return frame
    ds = total["ds"].to_numpy("datetime64[us]")
    step = np.diff(ds).min() / np.timedelta64(1, "D") if len(ds) > 1 else 1.0
    since = (ds - ds[0]) / np.timedelta64(1, "D")
    day = np.floor(since + 1e-9).astype(np.int64)  # steps longer than a day are days of their own
    length = max(1, round(float(step)))
    acting = contacted.acting(int(day[-1]) + length)
    groups, at = np.unique(day, return_inverse=True)
    spans = np.bincount(at) * float(step)
    ahead = np.array([acting[d : d + length].mean() for d in groups]) * spans
    held = contacted.held() * spans
    volume = np.bincount(at, weights=total["presage"].to_numpy(np.float64))
    there = volume > 0
    share = np.where(there, 1.0, 0.0) / np.where(there, volume, 1.0)
    factor = np.maximum(1.0 + change.contacts * (ahead - held) * share, 0.0)
    index = pd.Series(at, index=total["ds"])
    place = frame["ds"].map(index).to_numpy(np.int64)
    out = frame.copy()
    of_volume = frame["presage"].to_numpy(np.float64) * share[place]
    for name in [str(c) for c in frame.columns if str(c).startswith("presage")]:
        out[name] = frame[name] * factor[place]
    effects = (change.contacts, change.low, change.high, -change.averted, change.induced)
    for name, effect in zip(LINE, effects, strict=True):
        out[name] = effect * ahead[place] * of_volume
    out[HELD] = change.contacts * held[place] * of_volume
    return out


def _rolling(contacts: Floats) -> Floats:
    """The share of whole effects that fall on each day: contacts of the last ``ACTS_DAYS``."""
    total = np.cumsum(contacts)
    shifted = np.concatenate([np.zeros(ACTS_DAYS), total[:-ACTS_DAYS]])
    return np.asarray((total - shifted) / ACTS_DAYS)


def _shrunk(effect: float, se: float, rate: float) -> float:
    """Pulled towards none by a normal prior of ``PRIOR_SD`` times the usual rate."""
    spread = (PRIOR_SD * rate) ** 2
    return effect * spread / (spread + se**2) if spread > 0 else 0.0


def _without(past: Trial, column: str) -> Trial:
    return Trial(past.frame.drop(columns=[column], errors="ignore"))
