"""From contacts to people: the sections [staffing] and [pools].

>>> Staffing(shrinkage=30)
Traceback (most recent call last):
...
data.errors.SettingsError: shrinkage is 30, but must be a share between 0 and 1
"""

from __future__ import annotations

from dataclasses import dataclass

from data.errors import SettingsError
from data.setting_checks import not_negative, setting, share

MOST_SHRINKAGE = 0.9


@dataclass(frozen=True)
class Staffing:
    """From contacts to people."""

    shrinkage: float = setting(0.3, "share of paid time in which nobody answers")
    max_occupancy: float = setting(0.88, "share of available time that handling may fill")
    interval_minutes: int = setting(30, "length of a planning interval")
    block_minutes: int = setting(30, "the number of agents stays for so long, at least")
    largest_step: int | None = setting(
        None, "agents by which neighbouring blocks differ at most; none: any number"
    )
    blend: bool = setting(
        True,
        "where the agents table has people with several skills, they serve these channels "
        "together; [pools] says it channel by channel",
    )
    hourly_cost: float = setting(25.0, "money an agent's hour costs where agents tell none")

    def __post_init__(self) -> None:
        share(self.shrinkage, "shrinkage", one=False)
        share(self.max_occupancy, "max_occupancy", zero=False)
        not_negative(self.hourly_cost, "hourly_cost")
        if self.shrinkage > MOST_SHRINKAGE:
            raise SettingsError(
                f"shrinkage is {self.shrinkage:g}: more than {MOST_SHRINKAGE:.0%} of paid time in "
                "which nobody answers is no plan; give a share such as 0.3"
            )
        if not 0 < self.block_minutes <= 1440:
            raise SettingsError(
                f"block_minutes is {self.block_minutes}, but must be from 1 to 1440"
            )
        if self.largest_step is not None and self.largest_step < 1:
            raise SettingsError(f"largest_step is {self.largest_step}, but must be at least 1")
        if self.interval_minutes not in (5, 10, 15, 20, 30, 60):
            raise SettingsError(
                f"interval_minutes is {self.interval_minutes}, but must divide an hour: "
                "5, 10, 15, 20, 30 or 60"
            )


@dataclass(frozen=True)
class PoolSettings:
    """Channels that the same agents serve."""

    channels: tuple[str, ...] = setting((), "the channels, the most urgent first")
    at_most: int | None = setting(None, "agents there are at a time; none: any number")

    def __post_init__(self) -> None:
        if len(set(self.channels)) < len(self.channels):
            raise SettingsError(f"channels {list(self.channels)} names one twice")
        if self.at_most is not None and self.at_most < 1:
            raise SettingsError(f"at_most is {self.at_most}, but must be at least 1")
