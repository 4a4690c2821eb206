"""What a planner asks about: contacts, handling, promises and hours that are other than they stand.

``Changes`` is a value: empty, it changes nothing. Factors multiply, everything else replaces.
A channel's name stands for that channel, ``EVERY`` for all that are not named.

>>> Changes(volume={EVERY: 1.1, "chat": 0.9}).factor("volume", "phone")
1.1
>>> Changes(share={"phone": 0.9}).names()
['share.phone']
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from data.arrays import Floats, Times
from data.errors import DataError, SettingsError, did_you_mean
from data.settings import Settings

EVERY = "*"
FACTORS = ("volume", "handle")
PROMISES = ("share", "confidence", "target_seconds", "patience_seconds", "concurrency")
MOST_FACTOR = 100.0


@dataclass(frozen=True)
class Span:
    """Hours [starts_at, ends_at), naive UTC, of one channel (None: all). ``factor`` multiplies
    their contacts: a campaign of 1.5, say.
    """

    starts_at: datetime
    ends_at: datetime
    channel: str | None = None
    factor: float = 1.0

    def __post_init__(self) -> None:
        if self.ends_at <= self.starts_at:
            raise DataError(
                f"a change from {self.starts_at} to {self.ends_at} ends before it begins"
            )
        if self.starts_at.tzinfo or self.ends_at.tzinfo:
            raise DataError("the times of a change are naive UTC; convert them first")
        _check_factor("factor", self.factor)


@dataclass(frozen=True)
class Changes:
    """One question. ``volume``, ``handle``: factors by channel. ``share``, ``confidence``,
    ``target_seconds``, ``patience_seconds``, ``concurrency``: new values by channel. ``shrinkage``,
    ``max_occupancy``: new values. ``closed``: hours in which channels are shut. ``campaigns``:
    hours whose contacts are multiplied. ``outreach_hours``: agent hours a day for outreach.
    ``at_most``: agents there are, by channel.
    """

    volume: Mapping[str, float] = field(default_factory=dict)
    handle: Mapping[str, float] = field(default_factory=dict)
    share: Mapping[str, float] = field(default_factory=dict)
    confidence: Mapping[str, float] = field(default_factory=dict)
    target_seconds: Mapping[str, float] = field(default_factory=dict)
    patience_seconds: Mapping[str, float] = field(default_factory=dict)
    concurrency: Mapping[str, float] = field(default_factory=dict)
    shrinkage: float | None = None
    max_occupancy: float | None = None
    closed: tuple[Span, ...] = ()
    campaigns: tuple[Span, ...] = ()
    outreach_hours: float | None = None
    at_most: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in FACTORS:
            for channel, value in getattr(self, name).items():
                _check_factor(f"{name} of {channel}", value)
        if self.outreach_hours is not None and not 0 <= self.outreach_hours < 1e6:
            raise DataError(f"outreach_hours is {self.outreach_hours}; hours a day are 0 or more")
        for channel, count in self.at_most.items():
            if count < 1:
                raise DataError(f"at_most of {channel} is {count}; at least 1 agent is needed")

    def factor(self, name: str, channel: str) -> float:
        """The factor ``name`` (volume, handle) of a channel: 1 where nothing was said."""
        factors: Mapping[str, float] = getattr(self, name)
        return float(factors.get(channel, factors.get(EVERY, 1.0)))

    def names(self) -> list[str]:
        """What is changed, by name."""
        named: list[str] = []
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, Mapping):
                named += [f"{one.name}.{channel}" for channel in value]
            elif value not in (None, ()):
                named.append(one.name)
        return named

    def check(self, channels: list[str]) -> None:
        """DataError for a channel that the plan does not have."""
        for one in fields(self):
            value = getattr(self, one.name)
            channels_named = list(value) if isinstance(value, Mapping) else []
            if one.name in ("closed", "campaigns"):
                channels_named = [span.channel for span in value if span.channel is not None]
            for name in channels_named:
                if name != EVERY and name not in channels:
                    raise DataError(
                        f"{one.name}: there is no channel {name!r}; the plan has "
                        f"{', '.join(channels)}.{did_you_mean(name, channels)}"
                    )

    def settings(self, settings: Settings) -> Settings:
        """``settings`` with the promises, shrinkage and occupancy of this question; SettingsError
        says which value cannot be."""
        levels = dict(settings.service_levels)
        for channel, level in levels.items():
            new = {}
            for name in PROMISES:
                promises: Mapping[str, float] = getattr(self, name)
                if channel in promises or EVERY in promises:
                    new[name] = float(promises.get(channel, promises.get(EVERY, 0.0)))
            if new:
                try:
                    levels[channel] = replace(level, **new)  # type: ignore[arg-type]
                except SettingsError as error:
                    raise SettingsError(f"channel {channel!r}: {error}") from None
        staffing: dict[str, Any] = {
            name: value
            for name in ("shrinkage", "max_occupancy")
            if (value := getattr(self, name)) is not None
        }
        return replace(
            settings,
            service_levels=levels,
            staffing=replace(settings.staffing, **staffing) if staffing else settings.staffing,
        )

    def contacts(self, channel: str, starts: Times) -> Floats:
        """What each interval's contacts are multiplied by."""
        factor = np.full(len(starts), self.factor("volume", channel))
        for span in self.campaigns:
            if span.channel in (None, channel):
                begin, end = np.datetime64(span.starts_at, "us"), np.datetime64(span.ends_at, "us")
                factor[(starts >= begin) & (starts < end)] *= span.factor
        return factor

    def closures(self, closures: pd.DataFrame | None) -> pd.DataFrame | None:
        """Announced closures and the closed hours of this question."""
        if not self.closed:
            return closures
        rows = pd.DataFrame(
            {
                "starts_at": [pd.Timestamp(span.starts_at) for span in self.closed],
                "ends_at": [pd.Timestamp(span.ends_at) for span in self.closed],
                "channel": [span.channel for span in self.closed],
            }
        )
        if closures is None or closures.empty:
            return rows
        known = closures if "channel" in closures else closures.assign(channel=None)
        return pd.concat([known[list(rows.columns)], rows], ignore_index=True)


def _check_factor(name: str, value: float) -> None:
    if not (np.isfinite(value) and 0 <= value <= MOST_FACTOR):
        raise DataError(
            f"{name} is {value}, but a factor is from 0 to {MOST_FACTOR:g}: 1.2 is 20 % more"
        )
