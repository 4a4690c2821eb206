"""From what is believed of now to what will happen: the world run on, its latents drawn.

Every run starts from a state in which all that the tables show is as they show it and all else is
drawn from its posterior; then the mechanism itself runs on. The customer's own complaints leave no
trace in a run, so given the run and n complaints under an exposure X so far, their chance of none
under a further exposure x is, the tendency being integrated out,

    (b / (b + x)) ^ (a + n),    b = a + X

and the mean over runs is what the observer says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gammaincinv, ndtr, ndtri

from data.arrays import Floats, Ints
from data.simulate.centre import (
    DAY,
    OFFICE_SIGMA,
    REOPENED_DAYS,
    SCORED_DAYS,
    SETTLED_DAYS,
    contentment,
    is_real_time,
    office_days,
    scored,
)
from data.simulate.company import Company
from data.simulate.draws import Draws, SpreadDraws
from data.simulate.expectation import complaint_topics
from data.simulate.hazard import Hazard
from data.simulate.orders import CARRIER_SHARES
from data.simulate.population import posterior
from data.simulate.rates import CARRIERS, PLATFORMS, REGIONS, TOPICS
from data.simulate.state import Catalogue, State, World
from data.simulate.timeline import NEVER, SECOND
from lab.observer.habits import Habits
from lab.observer.incidents import REPAIRED, Standing
from lab.observer.lots import Lots
from lab.observer.observations import Observations
from lab.observer.replay import Replayed


@dataclass(frozen=True)
class Beliefs:
    """All posteriors as of a moment."""

    lived: Replayed
    lots: Lots
    standing: Standing
    habits: Habits


@dataclass(frozen=True)
class Ahead:
    """What the observer says.

    ``chance``: P(complaint), horizons × customers; ``error`` its Monte Carlo standard error, were
    the runs not spread; ``topics``, topics × customers: P(there is a complaint within the longest
    horizon and the first one is about the topic).
    """

    chance: Floats
    error: Floats
    topics: Floats


class _Run(Company):
    """A company that tells each day's exposure and the topics its complaints would have."""

    exposure: Floats
    shares: Floats

    def _intensities(self) -> Hazard:
        now = super()._intensities()
        topics = complaint_topics(self.world, self.state, self.day, now.complaints)
        self.exposure = now.exposure
        self.shares = topics / np.maximum(topics.sum(axis=0), 1e-300)
        return now


def ahead(
    world: World,
    shown: Observations,
    beliefs: Beliefs,
    horizons: Sequence[int],
    runs: int,
    seed: int,
) -> Ahead:
    """Run the world on ``runs`` times and average."""
    lived, n, everyone = beliefs.lived, shown.size, world.everyone
    total, square = np.zeros((len(horizons), n)), np.zeros((len(horizons), n))
    topics = np.zeros((len(TOPICS), n))
    bills = _billing_days(world, shown)
    for run in range(runs):
        draws = SpreadDraws(seed, run, runs)
        a, b = posterior(world.rates.complaint_shape, lived.complaints, beliefs.lots.exposure[run])
        c, d = posterior(
            world.rates.inquiry_shape, lived.questions, beliefs.lots.question_exposure[run]
        )
        active, order, engagement = beliefs.habits.draw(draws.uniform("habits", 0, everyone))
        people = replace(
            world.people,
            complaint_tendency=a / b,
            inquiry_tendency=gammaincinv(c, draws.uniform("inquiry", 0, everyone)) / d,
            order_rate=order,
            active_rate=active,
            billing_day=bills[everyone, (draws.uniform("bill", 0, everyone) * 28).astype(np.int64)],
        )
        drawn = replace(world, people=people, catalogue=_catalogue(world, shown, draws))
        state = _state(drawn, shown, beliefs, run, engagement, draws)
        twin = _Run.standing(drawn, state, shown.day, draws, suppress="complaint")
        lived_on, before = np.zeros(n), np.ones(n)
        for step in range(1, max(horizons) + 1):
            twin.step()
            lived_on += twin.exposure
            none = (b / (b + lived_on)) ** a
            topics += (before - none) * twin.shares
            before = none
            for k, horizon in enumerate(horizons):
                if horizon == step:
                    total[k] += 1 - none
                    square[k] += (1 - none) ** 2
    chance = total / runs
    spread = np.maximum(square / runs - chance**2, 0.0)
    return Ahead(chance, np.sqrt(spread / max(runs - 1, 1)), topics / runs)


def _catalogue(world: World, shown: Observations, draws: Draws) -> Catalogue:
    """The carriers' shares of each region: Dirichlet, by the orders seen."""
    count = np.zeros((len(REGIONS), len(CARRIERS)))
    np.add.at(count, (shown.orders["region"], shown.orders["carrier"]), 1)
    shape = count + np.array(CARRIER_SHARES)
    u = draws.uniform("shares", 0, np.arange(count.size)).reshape(count.shape)
    shares = gammaincinv(shape, u)
    shares /= shares.sum(axis=1, keepdims=True)
    return replace(world.catalogue, carrier=np.cumsum(shares, axis=1))


def _billing_days(world: World, shown: Observations) -> Ints:
    """28 equally probable billing days a customer: one 28 times where a payment was seen.

    Who pays and has not been charged yet has none of the days that have passed.
    """
    n, line = shown.size, shown.line
    days = np.tile(np.arange(1, 29), (n, 1))
    paid = shown.payments
    who, first = np.unique(paid["customer"], return_index=True)
    of_month = np.array([line.dates[d].day for d in range(shown.day)])
    days[who] = of_month[paid["day"][first]][:, None]
    since = np.maximum(shown.customers["signed_up"], -1) + 1
    np.maximum.at(since, shown.versions["customer"], shown.versions["day"] + 1)
    waiting = np.ones(n, dtype=bool)
    waiting[who] = False
    state_plan = world.people.plan.copy()
    state_plan[shown.versions["customer"]] = shown.versions["plan"]
    for c in np.flatnonzero(waiting & (state_plan > 0)):
        left = np.setdiff1d(np.arange(1, 29), of_month[since[c] :])
        if len(left):
            days[c] = left[np.arange(28) * len(left) // 28]
    return days


def _state(
    world: World,
    shown: Observations,
    beliefs: Beliefs,
    run: int,
    engagement: Ints,
    draws: Draws,
) -> State:
    state = beliefs.lived.state.copy()
    state.signed_up = world.people.signed_up
    state.engagement = engagement.astype(np.int8)
    incidents = state.incidents
    incidents.delivering = beliefs.standing.draw_carriers(
        draws.uniform("standing", 0, np.arange(len(CARRIERS)))
    ).astype(np.int8)
    platforms = beliefs.standing.draw_platforms(
        draws.uniform("platform", 0, np.arange(len(PLATFORMS)))
    )
    incidents.broken = platforms == 1
    incidents.release = beliefs.standing.base + (platforms == REPAIRED)
    incidents.defective = beliefs.lots.draws[run].copy()
    state.orders["defective"] = beliefs.lots.defective[run][state.orders["row"]]
    _draw_tickets(world, shown, state, draws)
    _draw_lines(world, shown, state, draws)
    return state


def _draw_tickets(world: World, shown: Observations, state: State, draws: Draws) -> None:
    """When what is answered will be resolved, reopened, scored: given that it was not yet."""
    rates, tickets, log = world.rates, state.tickets, shown.tickets
    row = tickets["row"]
    channel, lost = tickets["channel"], log["lost"][row]
    answered = log["response"][row] < NEVER
    real_time = is_real_time(channel)
    usual = np.array(rates.handle_seconds)[channel] * np.array(rates.handle_topic)[tickets["topic"]]
    handle = np.where(np.isnan(log["handle"][row]), usual, log["handle"][row])
    end = log["response"][row] + np.where(real_time & answered, handle * SECOND, 0).astype(np.int64)
    resolved = tickets["resolved"].copy()
    office = answered & (resolved == NEVER)
    z = _later_office(
        rates.back_office_days,
        (shown.now - end[office]) / DAY,
        draws.uniform("office", 1, tickets["key"][office]),
    )
    due = end[office] + (office_days(rates, z) * DAY).astype(np.int64) + 60 * SECOND
    resolved[office] = np.maximum(due, shown.now)
    resolved[lost] = log["lost_at"][row][lost] + rates.abandoned_closed_days * DAY
    tickets["resolved"] = resolved

    waits = answered & (tickets["reopened"] == NEVER)
    wait = _not_yet(
        REOPENED_DAYS,
        rates.reopened,
        resolved[waits],
        shown.now,
        draws.uniform("reopened", 1, tickets["key"][waits]),
    )
    again = np.where(wait >= 0, resolved[waits] + (wait * DAY).astype(np.int64), NEVER)
    tickets["reopened"][waits] = again
    tickets["settled"][waits] = np.where(wait >= 0, again + SETTLED_DAYS * DAY, NEVER)

    waits = answered & (log["csat_at"][row] == NEVER)
    wait = _not_yet(
        SCORED_DAYS,
        rates.csat,
        resolved[waits],
        shown.now,
        draws.uniform("csat", 1, tickets["key"][waits]),
    )
    waited = (np.where(real_time, log["response"][row], end) - tickets["opened"]) / SECOND
    # a contact solved at once has no office days; rounding may leave it a few seconds
    days = np.maximum(resolved - end, 0) / DAY
    mood = contentment(tickets["complaint"], real_time, np.maximum(waited, 0), days)[waits]
    score = scored(mood, draws.normal("score", 1, tickets["key"][waits]))
    is_scored = wait >= 0
    state.scores.add(
        customer=tickets["customer"][waits][is_scored],
        at=(resolved[waits] + (wait * DAY).astype(np.int64))[is_scored],
        score=score[is_scored],
    )


def _later_office(mean: float, passed: Floats, u: Floats) -> Floats:
    """Normal draws of the back office's days given that ``passed`` days were not enough."""
    past = np.maximum(passed - 1 / 1440, 1e-9)
    low = ndtr((np.log(past / mean) + OFFICE_SIGMA**2 / 2) / OFFICE_SIGMA)
    u = low + (1 - low) * u
    z: Floats = ndtri(np.minimum(u, 1 - 1e-12))
    return z


def _not_yet(
    span: tuple[float, float], share: float, resolved: Ints, now: int, u: Floats
) -> Floats:
    """Days from resolution to what a ``share`` does, uniform in ``span``; -1 for those who do not.

    Given that it has not happened by ``now``.
    """
    first, last = span
    passed = np.clip(((now - resolved) / DAY - first) / (last - first), 0, 1)
    left = share * (1 - passed)
    chance = left / (1 - share + left)
    when = passed + (1 - passed) * u / np.maximum(chance, 1e-12)
    return np.where(u < chance, first + (last - first) * when, -1.0)


def _draw_lines(world: World, shown: Observations, state: State, draws: Draws) -> None:
    """Who waits for an answer; how long each will take is drawn."""
    rates, log = world.rates, shown.tickets
    rows = np.flatnonzero((log["response"] == NEVER) & ~log["lost"])
    rows = rows[np.lexsort((log["key"][rows], log["opened"][rows]))]
    channel = log["channel"][rows]
    mean = (
        np.array(rates.handle_seconds)[channel] * np.array(rates.handle_topic)[log["topic"][rows]]
    )
    mean = mean * np.where(log["complaint"][rows], 1.2, 0.95)
    sigma = rates.handle_sigma
    z = draws.normal("handle", 1, log["key"][rows])
    seconds = mean * np.exp(sigma * z - sigma**2 / 2)
    for row, c, handle in zip(rows, channel, seconds, strict=True):
        contact = (int(log["opened"][row]), int(handle * SECOND), NEVER, int(log["key"][row]))
        state.desks[c].waiting.append(contact)
