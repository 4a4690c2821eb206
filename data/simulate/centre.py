"""The contact centre's day: what waits, who is answered when, what is resolved, who is content.

A contact's handle time and patience are its own, drawn by its key, whatever the line: staffing and
the contacts of others change when it is answered and nothing else.
"""

from __future__ import annotations

import numpy as np

from data.arrays import Bools, Floats, Ints
from data.simulate.contacts import Contacts
from data.simulate.draws import Draws
from data.simulate.rates import CHANNELS, REAL_TIME, Rates
from data.simulate.record import Record
from data.simulate.staffing import learn
from data.simulate.state import State, World
from data.simulate.timeline import HOUR, NEVER, SECOND

DAY = 24 * HOUR
REOPENED_DAYS, SCORED_DAYS = (0.3, 2.8), (0.02, 0.92)
"""Between how many days after it was resolved a ticket is reopened, or scored: uniform."""
OFFICE_SIGMA = 0.8
SETTLED_DAYS = 2
"""For how many days a reopened ticket stays open."""


def handle_seconds(world: World, draws: Draws, day: int, contacts: Contacts) -> Floats:
    """The handle time each contact would take, lognormal by channel and topic, longer if upset."""
    rates = world.rates
    mean = np.array(rates.handle_seconds)[contacts.channel]
    mean = mean * np.array(rates.handle_topic)[contacts.topic]
    mean = mean * np.where(contacts.complaint, 1.2, 0.95)
    z = draws.normal("handle", day, contacts.key)
    sigma = rates.handle_sigma
    return np.round(mean * np.exp(sigma * z - sigma**2 / 2), 1)


def answer(
    world: World, state: State, draws: Draws, day: int, contacts: Contacts, agents: Floats
) -> tuple[Floats, dict[str, Ints], Floats]:
    """Run the day's lines; handle seconds, the events of the day, and the load begun by hour.

    Events: ``key, begin, end`` of answered contacts and ``lost, lost_at`` of abandoned ones.
    """
    rates = world.rates
    seconds = handle_seconds(world, draws, day, contacts)
    edges = [int(e) for e in world.timeline.hour_edges(day)]
    patience = -np.log(draws.uniform("patience", day, contacts.key))
    answered: list[tuple[int, int, int]] = []
    lost: list[tuple[int, int]] = []
    begun = np.zeros((len(CHANNELS), 24))
    for c, desk in enumerate(state.desks):
        here = np.flatnonzero((contacts.channel == c) & ~contacts.machine)
        opened = contacts.opened[here]
        mean = rates.patience_seconds[c]
        until = opened + (patience[here] * mean * SECOND).astype(np.int64) if mean else None
        arrivals = list(
            zip(
                opened.tolist(),
                (seconds[here] * SECOND).astype(np.int64).tolist(),
                until.tolist() if until is not None else [NEVER] * len(here),
                contacts.key[here].tolist(),
                strict=True,
            )
        )
        slots = (agents[c] * rates.concurrency[c]).astype(np.int64).tolist()
        desk.run(edges, slots, arrivals)
        answered += desk.answered
        lost += desk.abandoned
        begun[c] = np.array(desk.begun) / HOUR / rates.concurrency[c]
        offered = np.bincount(
            np.clip(np.searchsorted(edges, opened, side="right") - 1, 0, 23), seconds[here], 24
        )
        learn(state, c, int(world.timeline.weekday[day]), offered / 3600 / rates.concurrency[c])
    served = np.array(answered, dtype=np.int64).reshape(-1, 3)
    gone = np.array(lost, dtype=np.int64).reshape(-1, 2)
    events = {
        "key": served[:, 0],
        "begin": served[:, 1],
        "end": served[:, 2],
        "lost": gone[:, 0],
        "lost_at": gone[:, 1],
    }
    return seconds, events, begun


def open_tickets(
    world: World,
    state: State,
    day: int,
    contacts: Contacts,
    seconds: Floats,
    record: Record | None,
    ghost: Bools,
) -> None:
    """Put the day's contacts into the log, and the customers' among them into the state.

    Contacts of ``ghost`` stay out of the state: they wait in line, and nobody remembers them.
    """
    row = np.full(len(contacts), -1)
    never = np.full(len(contacts), NEVER)
    if record is not None:
        language = np.where(
            contacts.customer >= 0, world.people.language[contacts.customer], contacts.key % 3
        )
        row = record.tickets.add(
            key=contacts.key,
            customer=contacts.customer,
            channel=contacts.channel,
            topic=contacts.topic,
            cause=contacts.cause,
            complaint=contacts.complaint,
            machine=contacts.machine,
            language=language,
            order=contacts.order,
            product=contacts.product,
            issue=contacts.issue,
            handle_seconds=seconds,
            csat=0,
            opened_at=contacts.opened,
            first_response_at=never,
            resolved_at=never,
            reopened_at=never,
            csat_at=never,
            answered_at=never,
            abandoned_at=never,
        )
    keep = ~contacts.machine & ~ghost
    if record is None:
        keep &= contacts.customer >= 0
    live = contacts.where(keep)
    far = np.full(len(live), NEVER)
    state.tickets.add(
        key=live.key,
        customer=live.customer,
        opened_day=np.full(len(live), day),
        topic=live.topic,
        channel=live.channel,
        complaint=live.complaint,
        issue=live.issue,
        opened=live.opened,
        resolved=far,
        reopened=far,
        settled=far,
        row=row[keep],
    )


def is_real_time(channel: Ints) -> Bools:
    """Whether contacts of the channel wait in a line that loses patience."""
    return np.isin(channel, [CHANNELS.index(c) for c in REAL_TIME])


def office_days(rates: Rates, z: Floats) -> Floats:
    """Days of back office, lognormal, by a standard normal draw."""
    days: Floats = rates.back_office_days * np.exp(OFFICE_SIGMA * z - OFFICE_SIGMA**2 / 2)
    return days


def contentment(complaint: Bools, real_time: Bools, waited: Floats, office: Floats) -> Floats:
    """The mean of the score before it is rounded: by seconds waited and days of back office."""
    delay = np.log1p(waited / np.where(real_time, 60, 6 * 3600)) + 0.5 * np.log1p(office)
    mood: Floats = 4.5 - 1.0 * complaint - 0.8 * delay
    return mood


def scored(mood: Floats, z: Floats) -> Ints:
    """The score given, one to five, by a standard normal draw."""
    return np.clip(np.rint(mood + 0.9 * z), 1, 5).astype(np.int64)


def _between(days: tuple[float, float], u: Floats) -> Ints:
    """Microseconds of a uniform number of days."""
    first, last = days
    return ((first + (last - first) * u) * DAY).astype(np.int64)


def settle(
    world: World, state: State, draws: Draws, events: dict[str, Ints], record: Record | None
) -> None:
    """Resolve what was answered, close what was lost, draw satisfaction scores."""
    tickets = state.tickets
    at = _find(tickets["key"], events["key"])
    is_open = at >= 0
    at, key = at[is_open], events["key"][is_open]
    begin, end = events["begin"][is_open], events["end"][is_open]
    rates, channel = world.rates, tickets["channel"][at]
    topic = tickets["topic"][at]
    at_once = draws.uniform("resolved", 0, key) < np.array(rates.first_contact_resolution)[topic]
    office = office_days(rates, draws.normal("office", 0, key))
    resolved = np.where(at_once, end, end + (office * DAY).astype(np.int64) + 60 * SECOND)
    again = draws.uniform("reopened", 0, key) < rates.reopened
    wait = _between(REOPENED_DAYS, draws.uniform("reopened at", 0, key))
    reopened = np.where(again, resolved + wait, NEVER)
    settled = np.where(again, reopened + SETTLED_DAYS * DAY, NEVER)
    for name, values in (("resolved", resolved), ("reopened", reopened), ("settled", settled)):
        tickets[name][at] = values

    real_time = is_real_time(channel)
    response = np.where(real_time, begin, end)
    waited = (response - tickets["opened"][at]) / SECOND
    mood = contentment(tickets["complaint"][at], real_time, waited, (resolved - end) / DAY)
    score = scored(mood, draws.normal("score", 0, key))
    scores = draws.uniform("csat", 0, key) < rates.csat
    moment = resolved + _between(SCORED_DAYS, draws.uniform("csat at", 0, key))
    customer = tickets["customer"][at]
    is_known = scores & (customer >= 0)
    state.scores.add(customer=customer[is_known], at=moment[is_known], score=score[is_known])
    if record is not None:
        log, row = record.tickets, tickets["row"][at]
        log["answered_at"][row] = begin
        log["first_response_at"][row] = response
        log["resolved_at"][row] = resolved
        log["reopened_at"][row] = reopened
        log["csat"][row[scores]] = score[scores]
        log["csat_at"][row[scores]] = moment[scores]
    _close_lost(world, state, events, record)


def _close_lost(world: World, state: State, events: dict[str, Ints], record: Record | None) -> None:
    """Lost contacts are closed by the system days later; the need stays unmet."""
    tickets = state.tickets
    at = _find(tickets["key"], events["lost"])
    is_open = at >= 0
    at, moment = at[is_open], events["lost_at"][is_open]
    closed = moment + world.rates.abandoned_closed_days * DAY
    tickets["resolved"][at] = closed
    if record is not None:
        row = tickets["row"][at]
        record.tickets["abandoned_at"][row] = moment
        record.tickets["resolved_at"][row] = closed
        record.tickets["handle_seconds"][row] = np.nan
    known = tickets["customer"][at] >= 0
    who = tickets["customer"][at[known]]
    np.add.at(state.unmet, who, 1.0)
    state.unmet_topic[who] = tickets["topic"][at[known]]


def _find(keys: Ints, wanted: Ints) -> Ints:
    """Positions of wanted keys among live ones, -1 where absent."""
    if not len(keys):
        return np.full(len(wanted), -1)
    order = np.argsort(keys, kind="stable")
    at = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    return np.where(keys[order[at]] == wanted, order[at], -1)


def begin_day(world: World, state: State, day: int) -> None:
    """Forget what is settled, take in the scores given before the day's first moment."""
    now = world.timeline.midnight[day]
    tickets = state.tickets
    over = (tickets["resolved"] < now) & (
        (tickets["reopened"] == NEVER) | (tickets["settled"] < now)
    )
    tickets.keep(~over)
    state.unmet *= world.rates.unmet_memory
    state.dissatisfaction *= world.rates.dissatisfaction_memory
    known = state.scores["at"] < now
    low = np.maximum(3 - state.scores["score"][known], 0)
    np.add.at(state.dissatisfaction, state.scores["customer"][known], low)
    state.scores.keep(~known)
