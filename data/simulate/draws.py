"""Random numbers by name: what chance decided for one entity on one day, in one mechanism.

A draw is a function of (seed, mechanism, day, key) and of nothing else: the key's counter goes
through the finaliser of splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
generators", OOPSLA 2014) under a 64-bit stream key hashed from the other three. So two worlds that
differ in one action share every other draw (common random numbers), a cloned world needs no
generator's state, and nothing depends on the order in which mechanisms run.

>>> import numpy as np
>>> draws = Draws(seed=1)
>>> alone = draws.uniform("order", 3, np.array([7]))
>>> among = draws.uniform("order", 3, np.arange(10))
>>> bool(alone[0] == among[7])
True
>>> bool((Draws(seed=2).uniform("order", 3, np.arange(10)) == among).any())
False
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from data.arrays import Floats, Ints
from data.errors import UsageError

_WEYL = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


class Draws:
    """Named uniform draws of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def _stream(self, mechanism: str, day: int) -> np.uint64:
        name = f"{self.seed}/{mechanism}/{day}".encode()
        return np.uint64(int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little"))

    def _bits(self, mechanism: str, day: int, keys: NDArray[Any]) -> NDArray[np.uint64]:
        z = keys.astype(np.uint64)
        z *= _WEYL
        z += self._stream(mechanism, day)
        z ^= z >> np.uint64(30)
        z *= _MIX_1
        z ^= z >> np.uint64(27)
        z *= _MIX_2
        z ^= z >> np.uint64(31)
        return z

    def uniform(self, mechanism: str, day: int, keys: NDArray[Any]) -> Floats:
        """One draw in the open interval (0, 1) a key, shape of ``keys`` (integers >= 0)."""
        z = self._bits(mechanism, day, keys)
        z >>= np.uint64(11)
        drawn: Floats = z.astype(np.float64)
        drawn += 0.5
        drawn *= 2.0**-53
        return drawn

    def normal(self, mechanism: str, day: int, keys: NDArray[Any]) -> Floats:
        """One standard normal draw a key, by inversion."""
        drawn: Floats = ndtri(self.uniform(mechanism, day, keys))
        return drawn

    def generator(self, name: str) -> np.random.Generator:
        """A numpy generator of its own for what is drawn once, at the world's making."""
        digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
        return np.random.default_rng([self.seed, int.from_bytes(digest, "little")])


class SpreadDraws(Draws):
    """The draws of run ``run`` of ``runs`` that are averaged: each one is spread over the runs.

    Every run for itself is as random as one of ``Draws``; but in each draw the runs fall into
    strata of equal width, one each at most, so that what a draw does on its own to the mean over
    runs cancels (Latin hypercube sampling: McKay, Beckman, Conover, Technometrics 21, 1979). Which
    run falls where is a permutation of its own for every draw: odd multiples, shifted exclusive ors
    and a sum, modulo the power of two that holds the runs.

    >>> import numpy as np
    >>> each = [SpreadDraws(1, run, 8).uniform("order", 3, np.array([7]))[0] for run in range(8)]
    >>> sorted(int(8 * u) for u in each)
    [0, 1, 2, 3, 4, 5, 6, 7]
    """

    def __init__(self, seed: int, run: int, runs: int) -> None:
        if not 0 <= run < runs:
            raise UsageError(f"runs are counted from 0; found run {run} of {runs}.")
        super().__init__(seed)
        self.run, self.strata = run, 1 << (runs - 1).bit_length()

    def uniform(self, mechanism: str, day: int, keys: NDArray[Any]) -> Floats:
        """One draw in the open interval (0, 1) a key, shape of ``keys`` (integers >= 0)."""
        inside = super().uniform(mechanism, day, keys)
        if self.strata == 1:
            return inside
        bits = self._bits(mechanism, day, keys)
        most, shift = np.uint64(self.strata - 1), np.uint64(self.strata.bit_length() // 2)
        place = np.full(bits.shape, self.run, dtype=np.uint64)
        place += bits
        for turn in (np.uint64(9), np.uint64(18)):
            place *= (bits >> turn) | np.uint64(1)
            place &= most
            place ^= place >> shift
        place += bits >> np.uint64(27)  # bits of its own: each run alone is uniform
        place &= most
        inside += place
        inside /= self.strata
        return inside


MANY = 38.0
"""Above this mean the chance of none is too small to begin a sum of chances with."""


def poisson(mean: Floats, u: Floats) -> Ints:
    """Counts by inversion: the smallest n with P(N <= n) >= u, so they rise with the mean.

    >>> poisson(np.array([0.1, 0.1, 2.0]), np.array([0.5, 0.95, 0.999])).tolist()
    [0, 1, 8]
    >>> poisson(np.array([60.0, 2000.0]), np.array([0.5, 0.5])).tolist()
    [60, 2000]
    """
    counts = np.zeros(len(mean), dtype=np.int64)
    term = np.exp(-mean)
    many = mean > MANY
    if many.any():
        from scipy.stats import poisson as distribution

        counts[many] = distribution.ppf(u[many], mean[many])
    reached = np.flatnonzero((u > term) & ~many)
    below, mass, mean = term[reached], term[reached], mean[reached]
    left = u[reached]
    while len(reached):
        counts[reached] += 1
        mass = mass * mean / counts[reached]
        below = below + mass
        more = (left > below) & (mass > 1e-17)
        reached, below, mass = reached[more], below[more], mass[more]
        mean, left = mean[more], left[more]
    return counts


def pick(cumulative: Floats, u: Floats) -> Ints:
    """The category of each draw: ``cumulative`` (rows of) rising shares that end at their total.

    One row for all draws (shape k), or one row a draw (shape n × k).

    >>> pick(np.array([0.2, 1.0]), np.array([0.1, 0.5])).tolist()
    [0, 1]
    """
    if cumulative.ndim == 1:
        flat = np.searchsorted(cumulative, u * cumulative[-1], side="right")
        return np.minimum(flat, len(cumulative) - 1).astype(np.int64)
    category = (cumulative <= (u * cumulative[:, -1])[:, None]).sum(axis=1)
    return np.minimum(category, cumulative.shape[1] - 1).astype(np.int64)
