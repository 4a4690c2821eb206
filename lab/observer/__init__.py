"""The ideal observer: knows the mechanism, sees only the tables.

``observer`` gives, for every customer and as-of time, the probability of a complaint within each
horizon and of each topic of the next one, by the posterior of all that the tables do not show. No
forecast from the same tables can be better on the mean, so it is what forecasts are measured
against; docs/simulation.md says how each latent is integrated out, and how exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np

from data.simulate.channels import channel_mix
from data.simulate.hazard import ticket_share
from data.simulate.orders import popularity
from data.simulate.population import Population, known_receptivity
from data.simulate.rates import CATEGORIES, TOPICS, Rates
from data.simulate.running import START
from data.simulate.state import Catalogue, World
from lab.observer.ahead import Ahead, Beliefs, ahead
from lab.observer.habits import habits
from lab.observer.incidents import standing
from lab.observer.lots import lots
from lab.observer.observations import Observations, observations_of
from lab.observer.refusal import refuse_makes
from lab.observer.replay import replay

if TYPE_CHECKING:
    import pandas as pd


def observer(
    tables: Mapping[str, pd.DataFrame],
    as_ofs: Sequence[datetime],
    horizons: Sequence[int] = (7, 14, 30),
    *,
    runs: int = 64,
    seed: int = 0,
    rates: Rates | None = None,
    start: date = START,
) -> pd.DataFrame:
    """P(complaint) within h days of each as-of time, a row a customer signed up and not closed.

    Columns ``customer_id, as_of, complaint_7d, ..., error_7d, ...`` (the Monte Carlo standard
    error), ``topic_delivery, ...`` (P(the first complaint within the longest horizon has the
    topic)) and ``topic``, the likeliest. ``tables``: the contract's tables of a simulated company;
    they may reach past the as-of times, which are local midnights. ``rates`` and ``start``: the
    mechanism, as the company was made. Deterministic given ``seed`` and ``runs``. Companies of a
    make are refused by name (``refusal.py``).
    """
    import pandas as pd

    refuse_makes(tables, rates)
    frames = []
    for as_of in as_ofs:
        shown = observations_of(tables, as_of, start)
        posterior = observe(shown, horizons, runs=runs, seed=seed, rates=rates or Rates())
        known = shown.customers
        here = np.flatnonzero((known["signed_up"] < shown.day) & (known["closed"] >= shown.day))
        columns: dict[str, object] = {
            "customer_id": known["id"][here],
            "as_of": np.full(len(here), np.datetime64(as_of, "us")),
        }
        for k, horizon in enumerate(horizons):
            columns[f"complaint_{horizon}d"] = posterior.chance[k, here]
            columns[f"error_{horizon}d"] = posterior.error[k, here]
        for k, topic in enumerate(TOPICS):
            columns[f"topic_{topic}"] = posterior.topics[k, here]
        columns["topic"] = np.array(TOPICS, dtype=object)[posterior.topics[:, here].argmax(axis=0)]
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def observe(
    shown: Observations, horizons: Sequence[int], *, runs: int, seed: int, rates: Rates
) -> Ahead:
    """The observer's answer as of the moment of what is shown."""
    rng = np.random.default_rng([seed, shown.day])
    world = known_world(shown, rates)
    lived = replay(world, shown)
    beliefs = Beliefs(
        lived,
        lots(world, shown, lived, runs, rng),
        standing(world, shown),
        habits(world, shown),
    )
    return ahead(world, shown, beliefs, horizons, runs, int(rng.integers(2**62)))


def known_world(shown: Observations, rates: Rates) -> World:
    """The world as far as it is known: every tendency one, everybody without a bill."""
    n, known = shown.size, shown.customers
    one, none = np.ones(n), np.zeros(n, dtype=np.int64)
    anonymous = int((shown.tickets["customer"] < 0).sum())
    usual = rates.public * float(shown.line.contact_factor[: shown.day].sum())
    people = Population(
        size=n,
        written=max(round(anonymous / usual), 1),
        signed_up=known["signed_up"],
        region=known["region"],
        segment=known["segment"],
        plan=known["plan"],
        platform=known["platform"],
        language=known["language"],
        channel=known["channel"],
        email_consent=known["may_email"].astype(np.int64),
        sms_consent=none,
        phone_consent=none,
        do_not_contact=(~known["may_email"]).astype(np.int64),
        vulnerable=none,
        billing_day=none,
        value=one,
        complaint_tendency=one,
        inquiry_tendency=one,
        order_rate=one,
        active_rate=one,
        receptivity=known_receptivity(rates, known["segment"], known["channel"]),
    )
    products = max(12, int(shown.orders["product"].max(initial=0)) + 1)
    number = np.arange(products)
    return World(
        rates=rates,
        timeline=shown.line,
        people=people,
        catalogue=Catalogue(
            category=number % len(CATEGORIES),
            price=np.ones(products),
            popularity=popularity(products),
            carrier=np.ones((1, 1)),
        ),
        everyone=np.arange(n),
        segment_complaints=np.array(rates.segment_complaints)[known["segment"]],
        ticket_share=ticket_share(rates),
        channel_mix=channel_mix(rates),
    )


__all__ = ["known_world", "observe", "observer"]
