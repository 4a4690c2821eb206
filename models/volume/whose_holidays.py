"""Whose holidays count for which series: a site's own, or the company's.

A series of a site lives by the site's country; each country's series learn what its holidays do
from one another, and from nobody else.

>>> context = VolumeContext(country=("US",), country_by={"site=oslo": ("NO",)})
>>> whose = holidays_of(("channel=email/site=oslo", "total"), context)
>>> days = np.array(["2024-05-17", "2024-07-04"], dtype="datetime64[D]")
>>> whose.kinds(days).tolist()
[[1, 0], [0, 1]]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from data.arrays import Bools, Floats, Ints, Times
from models.volume.context import VolumeContext
from models.volume.special_days import SpecialDays, kinds_of, learn


@dataclass(frozen=True)
class WhoseHolidays:
    """The series (places among ``n``) of each list of countries; each series in one group."""

    n: int
    groups: tuple[tuple[Ints, tuple[str, ...]], ...]

    def __bool__(self) -> bool:
        """Whether any series has a holiday at all."""
        return any(countries for _, countries in self.groups)

    def by_series(self, values: Callable[[tuple[str, ...]], Floats | Ints]) -> Floats:
        """What ``values`` says of a group's countries (an array), for each series (series first);
        one row for all where all are alike."""
        of_group = [values(countries).astype("float64") for _, countries in self.groups]
        if len(of_group) == 1:
            return of_group[0][None]
        out = np.empty((self.n, *of_group[0].shape))
        for (rows, _), value in zip(self.groups, of_group, strict=True):
            out[rows] = value
        return out

    def kinds(self, days: Times) -> Ints:
        """The kind of each day for each series (series x days; one row where all are alike)."""
        return self.by_series(lambda countries: kinds_of(days, countries)[0]).astype("int64")

    def learn(self, y: Floats, expected: Floats, days: Times, first: int) -> SpecialOfSeries:
        """What special days did, from column ``first`` on."""
        effects = tuple(
            (rows, countries, learn(y[rows], expected[rows], days, countries, first))
            for rows, countries in self.groups
        )
        return SpecialOfSeries(self.n, effects)


@dataclass(frozen=True)
class SpecialOfSeries:
    """The special days of each group of series; places, countries and effects."""

    n: int
    effects: tuple[tuple[Ints, tuple[str, ...], SpecialDays], ...]

    def multiplier(self, days: Times) -> Floats:
        """What an ordinary forecast is multiplied with (series x days)."""
        out = np.ones((self.n, len(days)))
        for rows, countries, effect in self.effects:
            out[rows] = effect.multiplier(days, countries)
        return out

    def doubt(self, days: Times) -> Floats:
        """The relative error of special days beside the usual one (series x days)."""
        out = np.zeros((self.n, len(days)))
        for rows, countries, effect in self.effects:
            special: Bools = kinds_of(days, countries)[0] > 0
            out[rows] = np.where(special[None, :], effect.doubt[:, None], 0.0)
        return out


def holidays_of(ids: Sequence[str], context: VolumeContext) -> WhoseHolidays:
    """Groups of the series ``ids`` by whose holidays they have."""
    countries = [context.country_of(name) for name in ids]
    groups = tuple(
        (np.array([place for place, one in enumerate(countries) if one == group]), group)
        for group in dict.fromkeys(countries)
    )
    return WhoseHolidays(len(countries), groups or ((np.arange(0), context.country),))
