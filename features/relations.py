"""Words that set one feature beside another: rates, trends, differences, the customer's groups.

>>> from features.language import count
>>> from features.sources import ARTICLE_EVENTS, TICKETS, USAGE
>>> trend(count(USAGE, days=7), count(USAGE, days=28)).formula
'(count(usage, 7d) / count(usage, 28d)) * 4'
>>> count_since(ARTICLE_EVENTS, last=TICKETS, days=(1, 7)).name
'articles_count_since_tickets_7d'
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from data.errors import DefinitionError
from features.expression import Day
from features.lengths import DAY, span_text
from features.naming import feature as _feature
from features.naming import name_of, span, term
from features.notes import note_of, of_each_note, since_other
from features.predicate import Predicate
from features.sources import CUSTOMERS, Source
from features.spec import Combine, Constant, Feature, Node, Of, OfEach, Term


def trend(recent: Feature, usual: Feature) -> Feature:
    """How much faster things come in the recent window than in the long one: a ratio of rates,
    1 is as usual; null where the long window has nothing."""
    short, long = recent.node, usual.node
    if not (isinstance(short, Term) and isinstance(long, Term) and short.window and long.window):
        raise DefinitionError(f"a trend is of two windows, not {recent.name} and {usual.name}")
    if short.window >= long.window:
        raise DefinitionError(f"{recent.name} is no shorter window than {usual.name}")
    factor = Constant(long.window / short.window)
    node = Combine("times", (Combine("ratio", (short, long)), factor))
    return _feature(node, f"{recent.name}_over_{span_text(long.window)}")


def plus(one: Feature, other: Feature, name: str) -> Feature:
    """Both together; null where either is."""
    return _feature(Combine("plus", (one.node, other.node)), name)


def times(one: Feature, other: Feature, name: str) -> Feature:
    """One times the other, such as uses times errors per use; null where either is."""
    return _feature(Combine("times", (one.node, other.node)), name)


def rate(events: Feature, exposure: Feature, name: str) -> Feature:
    """Events per exposure (tickets per order, errors per use); null without exposure."""
    return _feature(Combine("ratio", (events.node, exposure.node)), name)


def shrunk_rate(
    events: Feature, exposure: Feature, usual: Feature, weight: float, name: str
) -> Feature:
    """The rate drawn towards the usual one with the weight of so many exposures: the posterior
    mean of a Poisson rate under a gamma prior; ``usual`` is a rate of all (``of_all``)."""
    parts = (events.node, exposure.node, usual.node, Constant(weight))
    return _feature(Combine("smoothed", parts), name)


def elevated(
    evidence: Sequence[tuple[Feature, Feature, Feature, float]], share: float, name: str
) -> Feature:
    """The chance that a group is one of the few, ``share`` of all, whose events come at several
    times the usual rate, or at a part of it: Bayes' rule with Poisson events, ``share`` where
    nothing has been seen.

    ``evidence``: kinds of events, each with the group's exposure, the usual rate per exposure (of
    all: ``of_all``), and how many times the usual rate the few have. Null where one is.
    """
    if not 0 < share < 1 or not evidence:
        raise DefinitionError(f"{name}: a share of {share} of all, {len(evidence)} kinds of events")
    log_odds: Node = Constant(math.log(share / (1 - share)))
    for events, exposure, usual, times in evidence:
        if not times > 0 or times == 1:
            raise DefinitionError(f"{name}: {times} times the usual rate is no other rate")
        evidence_for = Combine("times", (events.node, Constant(math.log(times))))
        usually = Combine("times", (usual.node, Constant(times - 1.0)))
        expected = Combine("times", (exposure.node, usually))
        log_odds = Combine("plus", (log_odds, Combine("minus", (evidence_for, expected))))
    events_text = " and ".join(note_of(events.node) for events, *_ in evidence)
    note = f"chance that {events_text} come at an unusual rate"
    return _feature(Combine("chance", (log_odds,)), name, note)


THERE = 0.93
"""The share of customers that are still there, before their silence is heard."""
USUAL_PACE, PACE_DAYS = 0.1, 14.0
"""Active days a day of somebody of whom nothing is known, believed like so many days of theirs."""


def still_active(source: Source, *, days: float, time_zone: str = "UTC") -> Feature:
    """The chance that a customer is still there, by how long they have been silent for somebody of
    their pace: Bayes' rule with Poisson visits (at its simplest the P(alive) of Schmittlein,
    Morrison & Colombo 1987). Their pace: active days within ``days``, or since they signed up. Null
    where they never came."""
    visits = term(source, "distinct", Day(source.time, time_zone), days=days)
    tenure = Combine("days_since", (term(CUSTOMERS, "first_time"),))
    exposure = Combine("least", (tenure, Constant(days)))
    pace = Combine("smoothed", (visits, exposure, Constant(USUAL_PACE), Constant(PACE_DAYS)))
    silent = Combine("days_since", (term(source, "last_time"),))
    odds = Constant(math.log(THERE / (1 - THERE)))
    node = Combine("chance", (Combine("minus", (odds, Combine("times", (silent, pace)))),))
    name = name_of(replace(visits, operation="count", value=None), "still_active")
    note = f"chance that they still come, by their silence and their pace in {source.label}"
    return _feature(node, name, note)


STEPS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""Where the weight of ``decayed`` falls, in half lives."""


def decayed(feature: Feature, half_life_days: float) -> Feature:
    """A count or sum in which a row weighs half as much every so many days: by steps, each at the
    mean of its span, the last after six half lives, when a row no longer counts."""
    whole = feature.node
    if not isinstance(whole, Term) or whole.operation not in ("count", "sum") or whole.window:
        raise DefinitionError(f"{feature.name}: decayed() takes a count or sum without a window")
    spans = zip((0.0, *STEPS[:-1]), STEPS, strict=True)
    weights = [(2.0**-a - 2.0**-b) / (math.log(2.0) * (b - a)) for a, b in spans]
    weighted: Node | None = None
    for step, weight, less in zip(STEPS, weights, (*weights[1:], 0.0), strict=True):
        rows = replace(whole, window=span(step * half_life_days, DAY, "days"))
        part = Combine("times", (rows, Constant(weight - less)))
        weighted = part if weighted is None else Combine("plus", (weighted, part))
    assert weighted is not None
    length = span_text(span(half_life_days, DAY, "days"))
    note = f"{note_of(whole)}, a row weighing half as much every {half_life_days:g} days"
    return _feature(weighted, f"{feature.name}_halved_{length}", note)


def shrunk_daily_rate(
    source: Source, *, where: Predicate | None = None, days: float, weight: float = 28.0
) -> Feature:
    """Events a day in a window, drawn to everybody's: the posterior mean of a Poisson rate under
    a gamma prior that is worth ``weight`` days of exposure. A customer is exposed from sign-up."""
    events = term(source, "count", where=where, days=days)
    tenure = Combine("days_since", (term(CUSTOMERS, "first_time"),))
    everybody = Of(term(source, "count", where=where, days=days, by=""))
    customers = Of(term(CUSTOMERS, "count", by=""))
    usual = Combine("ratio", (everybody, Combine("times", (customers, Constant(days)))))
    exposure = Combine("least", (tenure, Constant(days)))
    node = Combine("smoothed", (events, exposure, usual, Constant(weight)))
    return _feature(node, name_of(events, "daily_rate"))


def change(recent: Feature, usual: Feature) -> Feature:
    """By how much the recent number differs from the usual one; null where either is."""
    return _feature(
        Combine("minus", (recent.node, usual.node)), f"{recent.name}_minus_{usual.name}"
    )


def count_since(
    source: Source,
    *,
    last: Source,
    days: Sequence[float],
    where: Predicate | None = None,
) -> Feature:
    """How many rows since the latest row of ``last``, looking back as far as the longest of
    ``days``; 0 where none. The rows between two of the days count if ``last`` has none in the
    longer of them: pages read and not asked about since, to that grain."""
    if list(days) != sorted(set(days)) or not days:
        raise DefinitionError(f"days={days!r}: give them rising, each once")
    counts: Node | None = None
    nearer: Node | None = None
    for length in days:
        rows = term(source, "count", where=where, days=length)
        others = term(last, "count", days=length)
        none = Combine("minus", (Constant(1), Combine("least", (others, Constant(1)))))
        shell = rows if nearer is None else Combine("minus", (rows, nearer))
        part = Combine("times", (shell, none))
        counts = part if counts is None else Combine("plus", (counts, part))
        nearer = rows
    assert counts is not None and isinstance(nearer, Term)
    name = name_of(replace(nearer, window=None), "count")
    assert nearer.window is not None
    note = since_other(nearer, last.table, nearer.window)
    return _feature(counts, f"{name}_since_{last.label}_{span_text(nearer.window)}", note)


def of(feature: Feature, link: Feature, prefix: str = "") -> Feature:
    """The feature of the group that ``link`` (a last text, an attribute) names for the customer."""
    if not isinstance(link.node, Term):
        raise DefinitionError(f"{link.name} names no group")
    return _feature(Of(feature.node, link.node), prefix + feature.name)


def of_all(feature: Feature) -> Feature:
    """The feature over everybody."""
    return _feature(Of(feature.node), feature.name)


def of_each(feature: Feature, rows: Feature, how: str = "mean", prefix: str = "") -> Feature:
    """The mean, largest or sum of the feature over the groups that the customer's rows name."""
    if not isinstance(rows.node, Term):
        raise DefinitionError(f"{rows.name} names no groups")
    node = OfEach(feature.node, rows.node, how)
    note = of_each_note(feature.note, node) if feature.note else ""
    return _feature(node, f"{prefix}{feature.name}_{how}", note)
