"""The rates of a make: which causes act, how strongly, and everything around them.

Most rates are the usual ones times a lognormal factor. Each cause but the general one acts or does
not; what acts has a strength of its own. Then all strengths are multiplied by one factor, such that
the share of customers who complain within a week comes near a level drawn for the make: a small
company of it is run for some months to find the factor (the pilot). So no make is silent, and in
none does everybody complain every day.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from data.arrays import Floats
from data.simulate.rates import Rates
from data.simulate.running import RunningCompany

LEVELS = (0.007, 0.035)
"""Between which shares of customers who complain within 7 days the level of a make is drawn."""
RANGE = (0.003, 0.06)
"""Between which shares the mean of any company of any make lies: strikes and seasons move it."""

STRENGTHS: dict[str, tuple[str, ...]] = {
    "delivery": ("c_overdue", "c_overdue_day", "c_delivered_late"),
    "defect": ("c_defective", "c_item"),
    "app_error": ("c_error",),
    "billing": ("c_payment",),
    "open_ticket": ("c_open_ticket",),
    "unmet_need": ("c_unmet",),
    "general": ("c_general",),
}
"""The fields of Rates that say how strongly a cause acts."""
ACTS = {
    "delivery": 0.8,
    "defect": 0.7,
    "app_error": 0.7,
    "billing": 0.7,
    "open_ticket": 0.75,
    "unmet_need": 0.6,
}
"""The chance that a cause acts in a make. The general one always does."""
FEWEST = 2
"""So many of the causes that can be seen in the tables act at least."""

SPREAD = {
    "complaint_shape": 0.4, "inquiry_shape": 0.3, "closing": 0.5, "closing_dissatisfied": 0.7,
    "orders": 0.45, "cancel_waiting": 0.5, "cancel_overdue": 0.5, "return_usual": 0.6,
    "return_defective": 0.4, "strike_start": 0.6, "strike_end": 0.3, "slow_factor": 0.3,
    "defective_lot": 0.5, "broken_release": 0.4, "release_fixed": 0.3, "outage": 0.8,
    "active": 0.5, "error_usual": 0.6, "error_broken": 0.3, "error_outage": 0.4, "fade": 0.4,
    "wake": 0.4, "payment_fails": 0.5, "payment_recovers": 0.3, "public": 0.5, "machine": 0.8,
    "back_office_days": 0.6, "reopened": 0.5, "csat": 0.4, "considered_weekly": 0.6,
}  # fmt: skip
"""Rates that are the usual one times exp(sigma z), by sigma."""
MOST = {
    "slow_factor": 0.8, "broken_release": 0.95, "error_usual": 0.06, "error_broken": 0.9,
    "error_outage": 0.9, "payment_fails": 0.15, "payment_recovers": 0.9, "csat": 0.8,
    "reopened": 0.2,
}  # fmt: skip
"""What some of them are at most."""
QUESTIONS = (
    "q_waiting", "q_due", "q_overdue", "q_item", "q_defective", "q_payment", "q_bill", "q_error",
    "q_account", "q_product", "q_outreach",
)  # fmt: skip
SHARES = {
    "region_shares": 4.0, "segment_shares": 6.0, "plan_shares": 6.0, "platform_shares": 6.0,
    "language_shares": 6.0, "channel_shares": 6.0, "general_topics": 3.0, "public_topics": 3.0,
}  # fmt: skip
"""Shares that are the usual ones times a gamma variable of mean one, by its shape."""
UNUSED = 0.2
"""The chance that there is no bot, and that there are no articles."""
MOST_COMPLAINTS = 0.35
"""Complaints a day for a tendency of one at most, all causes together. Complaints leave tickets
open and low scores, which cause complaints: without an end customers of a high tendency run away,
and past a mean of 39 ``draws.poisson`` would not count them right."""

PILOT_CUSTOMERS, PILOT_DAYS, PILOT_FIRST, WEEK = 200, 100, 30, 7
ROUNDS, NEAR = 2, 1.3


def draw_rates(number: int, rng: np.random.Generator) -> Rates:
    """The rates of the make of that number, brought near a level drawn from ``LEVELS``."""
    drawn: dict[str, Any] = {"make": number}
    usual = Rates()

    def times(sigma: float) -> float:
        return float(np.exp(sigma * rng.standard_normal()))

    for name, sigma in SPREAD.items():
        drawn[name] = min(getattr(usual, name) * times(sigma), MOST.get(name, np.inf))
    for name, shape in SHARES.items():
        weights = np.array(getattr(usual, name))
        weights = weights * rng.gamma(shape, 1 / shape, len(weights))
        drawn[name] = tuple((weights / weights.sum()).tolist())
    chatty = times(0.5)
    for name in QUESTIONS:
        drawn[name] = getattr(usual, name) * chatty * times(0.3)
    drawn |= _strengths(usual, rng)
    drawn |= _centre(usual, rng)
    drawn |= _year(usual, rng)
    drawn |= _outreach(rng)
    swift = times(0.15)
    drawn["deliver"] = tuple(min(d * swift * times(0.1), 0.95) for d in usual.deliver)
    drawn["promise_days"] = tuple(max(p + int(rng.integers(-1, 3)), 2) for p in usual.promise_days)
    drawn["release_every_days"] = int(rng.choice([7, 14, 21, 28, 42]))
    drawn["error_memory"] = rng.uniform(0.5, 0.85)
    drawn["before_start_share"] = rng.uniform(0.5, 0.9)
    drawn["segment_complaints"] = tuple(s * times(0.25) for s in usual.segment_complaints)
    drawn["most_complaints"] = MOST_COMPLAINTS
    level = float(np.exp(rng.uniform(*np.log(LEVELS))))
    return at_level(replace(usual, **{n: _short(v) for n, v in drawn.items()}), level, number)


def acting(rates: Rates) -> tuple[str, ...]:
    """The causes that act under the rates."""
    return tuple(
        cause for cause, fields in STRENGTHS.items() if any(getattr(rates, f) for f in fields)
    )


def _strengths(usual: Rates, rng: np.random.Generator) -> dict[str, float]:
    visible = [cause for cause in ACTS if cause != "unmet_need"]
    while True:
        acts = {cause: rng.random() < chance for cause, chance in ACTS.items()}
        if sum(acts[cause] for cause in visible) >= FEWEST:
            break
    drawn = {}
    for cause, names in STRENGTHS.items():
        strength = np.exp(0.7 * rng.standard_normal()) * acts.get(cause, True)
        for name in names:
            drawn[name] = getattr(usual, name) * strength * np.exp(0.3 * rng.standard_normal())
    minded = np.exp(0.5 * rng.standard_normal()) * (rng.random() < 0.7)
    drawn["c_dissatisfied"] = min(usual.c_dissatisfied * minded, 0.6)
    return {name: float(value) for name, value in drawn.items()}


def _centre(usual: Rates, rng: np.random.Generator) -> dict[str, Any]:
    """Self-service and the contact centre: what it can take, and how well it answers."""
    bot = np.exp(0.3 * rng.standard_normal()) * (rng.random() >= UNUSED)
    article = np.exp(0.3 * rng.standard_normal()) * (rng.random() >= UNUSED)
    work, skill, patience = np.exp(np.array([0.3, 0.4, 0.4]) * rng.standard_normal(3))
    return {
        "bot_share": tuple(min(s * bot, 0.5) for s in usual.bot_share),
        "article_share": tuple(min(s * article, 0.4) for s in usual.article_share),
        "handle_seconds": tuple(s * work for s in usual.handle_seconds),
        "first_contact_resolution": tuple(s**skill for s in usual.first_contact_resolution),
        "patience_seconds": tuple(s * patience for s in usual.patience_seconds),
        "preferred_share": rng.uniform(0.4, 0.85),
        "staffing_slack": rng.uniform(1.0, 1.3),
    }


def _year(usual: Rates, rng: np.random.Generator) -> dict[str, Any]:
    """Weekdays, seasons, campaigns."""
    contacts, orders = rng.uniform(0.3, 1.6, 2)
    return {
        "weekday_contacts": tuple(f**contacts for f in usual.weekday_contacts),
        "weekday_orders": tuple(f**orders for f in usual.weekday_orders),
        "season_contacts": rng.uniform(0.0, 0.35),
        "season_contacts_day": int(rng.integers(1, 366)),
        "season_orders": rng.uniform(0.0, 0.4),
        "season_orders_day": int(rng.integers(1, 366)),
        "campaign_size": rng.uniform(0.0, 1.5),
    }


def _outreach(rng: np.random.Generator) -> dict[str, float]:
    matched = rng.uniform(-1.5, -0.3)
    return {
        "effect_matched": matched,
        "effect_unmatched": matched * rng.uniform(0.0, 0.6),
        "effect_no_problem": rng.uniform(-0.1, 0.6),
    }


def _short(value: Any) -> Any:
    """Numbers of three digits, which a person can read."""
    if isinstance(value, tuple):
        return tuple(_short(each) for each in value)
    return value if isinstance(value, int) else float(f"{value:.3g}")


def at_level(rates: Rates, level: float, seed: int) -> Rates:
    """The rates with all strengths multiplied such that a share ``level`` complains in a week."""
    for _ in range(ROUNDS):
        sums = _pilot(rates, seed)
        low, high = 1e-3, 1e3
        for _ in range(40):
            middle = float(np.sqrt(low * high))
            if -np.expm1(-middle * sums).mean() < level:
                low = middle
            else:
                high = middle
        names = [name for fields in STRENGTHS.values() for name in fields]
        rates = replace(rates, **{n: _short(getattr(rates, n) * middle) for n in names})
        if 1 / NEAR < middle < NEAR:
            break
    return rates


def _pilot(rates: Rates, seed: int) -> Floats:
    """A small company's weekly sums of complaint intensities, of all customers in all weeks."""
    company = RunningCompany(PILOT_CUSTOMERS, PILOT_DAYS, seed, rates=rates, hazard_every=0)
    company.record = None
    weeks: list[Floats] = []
    week = np.zeros(company.world.size)
    for day in range(PILOT_DAYS):
        if day >= PILOT_FIRST and (day - PILOT_FIRST) % WEEK == 0:
            here, week = company.state.present(day), np.zeros(company.world.size)
        week = week + company.step().complaint_hazard
        if day >= PILOT_FIRST and (day - PILOT_FIRST) % WEEK == WEEK - 1:
            weeks.append(week[here])
    return np.concatenate(weeks)
