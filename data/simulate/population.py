"""Who the customers are: attributes that tables show, tendencies that only truth shows.

The tendency to complain and the tendency to ask are gamma variables of mean one, independent of
each other and of all that is observed; counts are Poisson given them. So what can be known of them
is exact: after ``n`` complaints under a total exposure ``x`` (``hazard.py``), the tendency of shape
``a`` is Gamma(a + n, rate a + x), whatever the history (``posterior``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from data.arrays import Floats, Ints
from data.simulate.draws import Draws
from data.simulate.rates import Rates
from data.simulate.timeline import RUN_ON_DAYS

TENURE_DAYS = 1100
SEGMENT_ORDERS = (1.0, 1.7, 0.7)
"""The factor of the segment on the order rate. Positions as SEGMENTS."""
ORDER_SHAPE, ACTIVE_SHAPE = 1.2, 1.0
"""Shapes of the gamma order and active rates."""


@dataclass(frozen=True)
class Population:
    """Arrays over all customers who ever sign up, those after the last day included.

    ``signed_up`` is the day of signing up, negative before the start; the order is that of time.
    Attribute arrays hold positions in the tuples of ``rates.py``.
    """

    size: int
    written: int
    signed_up: Ints
    region: Ints
    segment: Ints
    plan: Ints
    platform: Ints
    language: Ints
    channel: Ints
    email_consent: Ints
    sms_consent: Ints
    phone_consent: Ints
    do_not_contact: Ints
    vulnerable: Ints
    billing_day: Ints
    value: Floats
    complaint_tendency: Floats
    inquiry_tendency: Floats
    order_rate: Floats
    active_rate: Floats
    receptivity: Floats


def _choose(rng: np.random.Generator, size: int, *shares: float) -> Ints:
    return rng.choice(len(shares), size=size, p=np.array(shares) / sum(shares)).astype(np.int64)


def make_population(customers: int, days: int, draws: Draws, rates: Rates) -> Population:
    """``customers`` who sign up before the last day ends, and those who would come after it."""
    rng = draws.generator("population")
    before = round(customers * rates.before_start_share)
    during = customers - before
    after = int(np.ceil(during / days * RUN_ON_DAYS))
    signed_up = np.concatenate(
        [
            np.sort(rng.integers(-TENURE_DAYS, 0, before)),
            np.sort(rng.integers(0, days, during)),
            np.sort(rng.integers(days, days + RUN_ON_DAYS, after)),
        ]
    )
    n = len(signed_up)
    segment = _choose(rng, n, *rates.segment_shares)
    plan = _choose(rng, n, *rates.plan_shares)
    channel = _choose(rng, n, *rates.channel_shares)
    per_segment = np.array(SEGMENT_ORDERS)[segment]
    return Population(
        size=n,
        written=customers,
        signed_up=signed_up,
        region=_choose(rng, n, *rates.region_shares),
        segment=segment,
        plan=plan,
        platform=_choose(rng, n, *rates.platform_shares),
        language=_choose(rng, n, *rates.language_shares),
        channel=channel,
        email_consent=_choose(rng, n, 0.12, 0.80, 0.08),
        sms_consent=_choose(rng, n, 0.40, 0.50, 0.10),
        phone_consent=_choose(rng, n, 0.45, 0.45, 0.10),
        do_not_contact=_choose(rng, n, 0.98, 0.02),
        vulnerable=_choose(rng, n, 0.97, 0.03),
        billing_day=rng.integers(1, 29, n),
        value=np.round(rng.lognormal(4.6, 0.6, n) * per_segment * (1 + 0.6 * plan), 2),
        complaint_tendency=rng.gamma(rates.complaint_shape, 1 / rates.complaint_shape, n),
        inquiry_tendency=rng.gamma(rates.inquiry_shape, 1 / rates.inquiry_shape, n),
        order_rate=rates.orders * per_segment * rng.gamma(ORDER_SHAPE, 1 / ORDER_SHAPE, n),
        active_rate=rates.active * rng.gamma(ACTIVE_SHAPE, 1 / ACTIVE_SHAPE, n),
        receptivity=rng.normal(0.0, 1.0, n) * rates.effect_sigma
        + known_receptivity(rates, segment, channel),
    )


def known_receptivity(rates: Rates, segment: Ints, channel: Ints) -> Floats:
    """The part of a customer's answer to outreach that their attributes tell."""
    shift: Floats = (
        np.array(rates.effect_segment)[segment]
        + np.array(rates.effect_channel)[channel]
        + rates.effect_business_phone * ((segment == 1) & (channel == 0))
    )
    return shift


def posterior(shape: float, count: Any, exposure: Any) -> tuple[Any, Any]:
    """Shape and rate of the gamma posterior of a tendency after ``count`` under ``exposure``.

    The prior is Gamma(shape, rate=shape); the count is Poisson of tendency × exposure.

    >>> a, b = posterior(0.8, np.array([2]), np.array([1.2]))
    >>> float(a[0] / b[0])
    1.4
    """
    return shape + count, shape + exposure


CONSENT = (False, True, None)
"""What positions of the consent arrays mean: refused, given, unknown."""

__all__ = ["CONSENT", "Population", "make_population", "posterior"]
