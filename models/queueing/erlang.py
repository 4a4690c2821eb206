r"""Erlang B, C and A: what a queue of Poisson arrivals and exponential handling gives its callers.

With arrivals at rate l, n servers of rate m = 1 / handling time, and patience of rate t (Erlang A,
M/M/n+M), the wait V that a caller of endless patience would have is known exactly. With
y = l / t, s = n m / t, A(s, y) = 1 + y/(s+1) + y^2/((s+1)(s+2)) + ... and E = 1 / B(n - 1, l / m),

    D = E + (y / s) A(s, y)                 g(x) = (l / t)(1 - exp(-t x)) - n m x
    P(V > x)               = (y / s) exp(g(x)) A(s, y exp(-t x)) / D
    P(V > x, and answered) = exp(g(x)) (A(s, y exp(-t x)) - 1) / D

(Mandelbaum and Zeltyn, "Service engineering in action: the Palm/Erlang-A queue", 2007, section 4;
their integral J(x) is exp(g(x)) A(s, y exp(-t x)) / (n m).) Every term is positive and products are
taken as logarithms, so nothing cancels or overflows for any n or load. Without patience the same
questions are answered by Erlang C, where a load of n or more means that the queue never ends.

>>> round(erlang_b(2, 1.0).item(), 6)
0.2
>>> round(erlang_c(2, 1.0).item(), 6)
0.333333
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from data.arrays import Floats
from data.errors import DataError

TINY = 1e-250
"""Below it an incomplete gamma function is taken by its series instead."""


@dataclass(frozen=True)
class QueueMeasures:
    """What callers and agents see, each an array of the shape of the arguments broadcast together.

    ``service_level`` is answered within the target / offered; ``service_level_of_answered`` leaves
    out those who gave up within the target; ``service_level_lenient`` counts those as well served.
    ``asa_seconds`` is the mean wait of the answered (inf: the queue never ends; NaN: nobody is
    answered), ``abandonment`` the share of the offered who gave up, ``beyond`` the share of the
    offered still waiting at ``limit_seconds`` (0 without a limit), ``occupancy`` the share of the
    servers' time spent handling.
    """

    wait_probability: Floats
    service_level: Floats
    service_level_of_answered: Floats
    service_level_lenient: Floats
    asa_seconds: Floats
    abandonment: Floats
    beyond: Floats
    occupancy: Floats


def erlang_b(servers: ArrayLike, load: ArrayLike) -> Floats:
    """P(all ``servers`` busy) without a waiting room; ``load`` in Erlang; exact for thousands."""
    n, a = np.broadcast_arrays(np.asarray(servers, float), np.asarray(load, float))
    return np.asarray(np.exp(-_log_inverse_b(n, a)))


def erlang_c(servers: ArrayLike, load: ArrayLike) -> Floats:
    """P(a contact must wait), M/M/n; 1 where the load is not below the number of servers."""
    n, a = np.broadcast_arrays(np.asarray(servers, float), np.asarray(load, float))
    blocked = np.exp(-_log_inverse_b(n, a))
    with np.errstate(divide="ignore", invalid="ignore"):
        wait = n * blocked / (n - a * (1 - blocked))
    return np.where(a >= n, np.where((a == 0) & (n == 0), 0.0, 1.0), wait)


def queue_measures(
    arrival_rate: ArrayLike,
    handle_seconds: ArrayLike,
    *,
    servers: ArrayLike,
    target_seconds: float,
    patience_seconds: float | None = None,
    limit_seconds: float | None = None,
    with_asa: bool = True,
) -> QueueMeasures:
    """The queue in its steady state. ``arrival_rate`` is contacts a second.

    ``patience_seconds`` None: nobody gives up (Erlang C). No arrivals: service level 1, no wait,
    with any number of servers. ``with_asa`` False leaves ``asa_seconds`` NaN and saves its
    integral. DataError for negative, missing or infinite arguments.
    """
    rate, handle, n = np.broadcast_arrays(
        _checked(arrival_rate, "arrival_rate"),
        _checked(handle_seconds, "handle_seconds", above=True),
        _checked(servers, "servers"),
    )
    _checked(target_seconds, "target_seconds")
    if patience_seconds is None:
        return _without_patience(rate, handle, n, target_seconds, limit_seconds)
    _checked(patience_seconds, "patience_seconds", above=True)
    return _with_patience(
        rate, handle, n, target_seconds, patience_seconds, limit_seconds, with_asa
    )


def _without_patience(
    rate: Floats, handle: Floats, n: Floats, target: float, limit: float | None
) -> QueueMeasures:
    load = rate * handle
    endless = (load >= n) & (rate > 0)
    wait = erlang_c(n, load)
    with np.errstate(divide="ignore", invalid="ignore"):
        spare = np.where(endless, 0.0, (n - load) / handle)
        late = np.where(endless, 1.0, wait * np.exp(-spare * target))
        beyond = np.where(endless, 1.0, wait * np.exp(-spare * (limit or 0.0)))
        asa = np.where(endless, np.inf, np.where(wait > 0, wait / spare, 0.0))
        busy = np.where(n > 0, np.minimum(load / n, 1.0), 0.0)
    asa = np.where((n == 0) & (rate > 0), np.nan, asa)
    return QueueMeasures(
        wait_probability=np.where(rate > 0, wait, 0.0),
        service_level=1 - late,
        service_level_of_answered=1 - late,
        service_level_lenient=1 - late,
        asa_seconds=asa,
        abandonment=np.zeros_like(late),
        beyond=beyond if limit is not None else np.zeros_like(late),
        occupancy=busy,
    )


def _with_patience(
    rate: Floats,
    handle: Floats,
    n: Floats,
    target: float,
    patience: float,
    limit: float | None,
    with_asa: bool,
) -> QueueMeasures:
    live = (rate > 0) & (n >= 1)
    palm = _Palm(
        np.where(live, rate, 1.0), np.where(live, handle, 1.0), np.where(live, n, 2.0), patience
    )
    waits = palm.longer_than(0.0)
    answered_late = palm.answered_after(target)
    gave_up = np.maximum(waits - palm.answered_after(0.0), 0.0)
    gave_up_late = np.maximum(palm.still_waiting(target) - answered_late, 0.0)
    level = _unit(1 - gave_up - answered_late)
    early = np.maximum(gave_up - gave_up_late, 0.0)
    answered = np.maximum(1 - gave_up, 0.0)
    beyond = palm.still_waiting(limit) if limit is not None else np.zeros_like(level)
    asa = palm.wait_of_answered() / answered if with_asa else np.full_like(level, np.nan)
    dead, idle = (n < 1) & (rate > 0), rate <= 0
    gone_by_target, gone_by_limit = np.exp(-target / patience), np.exp(-(limit or 0.0) / patience)

    def put(value: Floats, no_server: float, no_arrivals: float) -> Floats:
        return np.where(idle, no_arrivals, np.where(dead, no_server, value))

    return QueueMeasures(
        wait_probability=put(waits, 1.0, 0.0),
        service_level=put(level, 0.0, 1.0),
        service_level_of_answered=put(level / np.maximum(1 - early, TINY), 0.0, 1.0),
        service_level_lenient=put(_unit(level + early), 1 - gone_by_target, 1.0),
        asa_seconds=put(asa, np.nan, 0.0 if with_asa else np.nan),
        abandonment=put(gave_up, 1.0, 0.0),
        beyond=put(beyond, gone_by_limit if limit is not None else 0.0, 0.0),
        occupancy=put(np.minimum(rate * handle * answered / np.maximum(n, 1.0), 1.0), 0.0, 0.0),
    )


class _Palm:
    """The law of the virtual wait V of M/M/n+M, n >= 1 and a rate above 0, in logarithms."""

    def __init__(self, rate: Floats, handle: Floats, n: Floats, patience: float) -> None:
        self.rate, self.patience = rate, patience
        self.service = n / handle
        self.y, self.s = rate * patience, self.service * patience
        self.log_ratio = np.log(self.y / self.s)
        idle = _log_inverse_b(n - 1, rate * handle)
        self.log_total = np.logaddexp(idle, self.log_ratio + _log_a(self.s, self.y))

    def longer_than(self, x: ArrayLike) -> Floats:
        """P(V > x)."""
        z, g = self._at(np.asarray(x, float))
        return np.asarray(np.exp(g + self.log_ratio + _log_a(self.s, z) - self.log_total))

    def still_waiting(self, x: ArrayLike) -> Floats:
        """P(the contact still waits at x): neither answered nor gone."""
        return np.asarray(np.exp(-np.asarray(x, float) / self.patience) * self.longer_than(x))

    def answered_after(self, x: ArrayLike) -> Floats:
        """P(the contact is answered, after more than x); A(s, z) - 1 = z / (s + 1) A(s + 1, z)."""
        z, g = self._at(np.asarray(x, float))
        more = np.log(z) - np.log(self.s + 1) + _log_a(self.s + 1, z)
        return np.asarray(np.exp(g + more - self.log_total))

    def wait_of_answered(self) -> Floats:
        """E[wait of a contact; it is answered] = the integral of ``answered_after``, by Gauss.

        Cut where an overloaded queue settles, log(y / s) x patience: the integrand falls there.
        """
        nodes, weights = np.polynomial.legendre.leggauss(48)
        settle = self.patience * np.maximum(self.log_ratio, 0.0)
        with np.errstate(divide="ignore"):
            spare = self.service - self.rate
            fade = np.where(spare > 0, 1 / np.where(spare > 0, spare, 1.0), np.inf)
        last = settle + 36 * np.minimum(fade, self.patience)
        total = np.zeros_like(self.y)
        for low, high in ((np.zeros_like(settle), settle), (settle, last)):
            for node, weight in zip(nodes, weights, strict=True):
                total += (
                    weight
                    * (high - low)
                    / 2
                    * self.answered_after(low + (high - low) * (node + 1) / 2)
                )
        return total

    def _at(self, x: Floats) -> tuple[Floats, Floats]:
        share = np.exp(-x / self.patience)
        z = np.maximum(self.y * share, TINY)
        return z, -self.y * np.expm1(-x / self.patience) - self.service * x


def _log_a(s: Floats, y: Floats) -> Floats:
    """log A(s, y): by the incomplete gamma function, or by the series where that underflows."""
    s, y = np.broadcast_arrays(s, y)
    lower = special.gammainc(s, y)
    big = (lower > TINY) & (y > 1e-3 * s)
    with np.errstate(divide="ignore", invalid="ignore"):
        direct = np.log(s) + y - s * np.log(y) + special.gammaln(s) + np.log(lower)
    return np.where(big, direct, _log_series(np.where(big, 1.0, s), np.where(big, 0.0, y), +1.0))


def _log_inverse_b(n: Floats, a: Floats) -> Floats:
    """log(1 / B(n, a)): Poisson sums, or 1 + n/a + n(n-1)/a^2 + ... where those underflow."""
    lower = special.gammaincc(n + 1, a)
    big = (lower > TINY) & (a > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        direct = np.log(lower) - (n * np.log(a) - a - special.gammaln(n + 1))
    zero = np.where(n > 0, np.inf, 0.0)
    series = _log_series(np.where(big | (a <= 0), 0.0, n), np.where(big | (a <= 0), 1.0, a), -1.0)
    return np.where(a <= 0, zero, np.where(big, direct, series))


def _log_series(s: Floats, y: Floats, sign: float) -> Floats:
    """log of 1 + y/(s+1) + y^2/((s+1)(s+2)) + ... (+), or of 1 + s/y + s(s-1)/y^2 + ... (-)."""
    total, term = np.ones_like(s), np.ones_like(s)
    step = 0
    while True:
        step += 1
        factor = y / (s + step) if sign > 0 else np.maximum(s - step + 1, 0.0) / y
        term = term * factor
        total += term
        if not np.any(term > total * 1e-17):
            return np.asarray(np.log(total))


def _unit(share: Floats) -> Floats:
    """Rounding errors of 1e-12 beyond [0, 1] taken off."""
    return np.clip(share, 0.0, 1.0)


def _checked(value: ArrayLike, name: str, above: bool = False) -> Floats:
    array = np.asarray(value, float)
    bad = ~np.isfinite(array) | ((array <= 0) if above else (array < 0))
    if bad.any():
        offender = array[bad].flat[0]
        need = "above 0" if above else "0 or more"
        raise DataError(f"{name} holds {offender:g}, but a queue needs finite numbers {need}")
    return array
