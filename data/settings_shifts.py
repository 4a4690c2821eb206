"""Who works when: the sections [shifts] and [contracts].

``[shifts]`` holds the rules of everybody whose contract says nothing else, ``[contracts.NAME]``
those of agents whose column ``contract`` has that name; what it leaves out is as in ``[shifts]``.

>>> Contract(min_week_hours=40, max_week_hours=30)
Traceback (most recent call last):
...
data.errors.SettingsError: max_week_hours 30 is below min_week_hours 40; nobody can work both
>>> Contract(starts=("06:00", "10:00-11:00"), start_every_minutes=30).start_minutes()
(360, 600, 630, 660)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from data.errors import SettingsError
from data.setting_checks import above_zero, minute_of_day, not_negative, setting, share

DAY = 1440
SHORTEST = 5
MOST_SHIFT_HOURS = 16.0


@dataclass(frozen=True)
class Contract:
    """The rules of a contract."""

    shift_hours: tuple[float, ...] = setting(
        (8.0, 6.0, 4.0), "lengths of a shift from its start to its end, the break included"
    )
    starts: tuple[str, ...] = setting(
        ("00:00-24:00",), "when a shift may begin, local time: times or spans of them"
    )
    start_every_minutes: int = setting(30, "from one start to the next within a span")
    min_week_hours: float | None = setting(
        None, "paid hours a week at least; none: 0.8 of the agent's hours_per_week"
    )
    max_week_hours: float | None = setting(
        None, "paid hours a week at most; none: the agent's hours_per_week, else 37.5"
    )
    max_days: int = setting(5, "days of work a week at most")
    rest_hours: float = setting(11.0, "hours between two shifts at least")
    break_minutes: int = setting(30, "length of the break; 0: none")
    break_from_hours: float = setting(6.0, "shifts of this length or longer have the break")
    break_margin_hours: float = setting(
        2.0, "hours of work before and after the break at least, where the shift is long enough"
    )
    break_paid: bool = setting(False, "the break counts as hours of work")

    def __post_init__(self) -> None:
        if not self.shift_hours:
            raise SettingsError('shift_hours is empty; give lengths such as "shift_hours = [8.0]"')
        for hours in self.shift_hours:
            if not 0.5 <= hours <= MOST_SHIFT_HOURS or (hours * 60) % SHORTEST:
                raise SettingsError(
                    f"shift_hours holds {hours:g}; a shift has from 0.5 to {MOST_SHIFT_HOURS:g} "
                    f"hours, in steps of {SHORTEST} minutes"
                )
        for name in ("start_every_minutes", "max_days"):
            above_zero(getattr(self, name), name)
        for name in ("min_week_hours", "max_week_hours", "rest_hours", "break_margin_hours"):
            not_negative(getattr(self, name), name)
        for name in ("start_every_minutes", "break_minutes"):
            if getattr(self, name) % SHORTEST or getattr(self, name) < 0:
                raise SettingsError(
                    f"{name} is {getattr(self, name)}, but must be a multiple of {SHORTEST} minutes"
                )
        if self.max_days > 7:
            raise SettingsError(f"max_days is {self.max_days}, but a week has 7")
        low, high = self.min_week_hours, self.max_week_hours
        if low is not None and high is not None and low > high:
            raise SettingsError(
                f"max_week_hours {high:g} is below min_week_hours {low:g}; nobody can work both"
            )
        if self.break_minutes:
            for hours in self.shift_hours:
                if self.break_from_hours <= hours <= self.break_minutes / 60:
                    raise SettingsError(
                        f"break_minutes is {self.break_minutes}, as long as a shift of {hours:g} "
                        "hours; raise break_from_hours"
                    )
        self.start_minutes()

    def start_minutes(self) -> tuple[int, ...]:
        """The minutes of the local day at which a shift may begin, ascending, below 1440."""
        minutes: set[int] = set()
        for text in self.starts:
            first, dash, last = text.partition("-")
            begin = minute_of_day(first, "starts")
            end = minute_of_day(last, "starts") if dash else begin
            if end < begin:
                raise SettingsError(
                    f"starts {text!r} ends before it begins; starts past midnight are spans of "
                    f'their own: "{first.strip()}-24:00", "00:00-{last.strip()}"'
                )
            minutes.update(range(begin, end + 1, self.start_every_minutes))
        within_day = tuple(sorted(minute for minute in minutes if minute < DAY))
        if not within_day:
            raise SettingsError('starts allows none; give times or spans such as "06:00-10:00"')
        return within_day

    def break_of(self, hours: float) -> int:
        """Minutes of the break in a shift of that length."""
        return self.break_minutes if hours >= self.break_from_hours else 0

    def paid_minutes(self, hours: float) -> int:
        """Minutes that a shift of that length is paid for."""
        return round(hours * 60) - (0 if self.break_paid else self.break_of(hours))


@dataclass(frozen=True)
class Shifts(Contract):
    """Who works when: the rules of a roster, and those of contracts that say nothing else."""

    weeks: int = setting(1, "weeks of a roster")
    week_start: Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "plan"] = setting(
        "mon", "first day of a week; plan: the plan's first whole day"
    )
    absence: float = setting(
        0.1, "share of rostered time in which nobody answers though no break or leave is known"
    )
    shortfall_cost: float = setting(100.0, "money that an hour with one person too few costs")
    wish_cost: float = setting(5.0, "money that an hour worked against a wish costs")
    time_limit_seconds: float = setting(60.0, "time that a week's roster may take")
    gap: float = setting(0.005, "the search ends so near to the bound, as a share of the cost")
    seed: int = setting(0, "of everything random in rostering")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("weeks", "shortfall_cost", "time_limit_seconds"):
            above_zero(getattr(self, name), name)
        not_negative(self.wish_cost, "wish_cost")
        share(self.absence, "absence", one=False)
        share(self.gap, "gap", one=False)
