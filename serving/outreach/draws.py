"""Chance that can be looked up again: a number for each customer, from a key and a purpose.

Draws are keyed hashes of the customer's id and a salt that lives in the store: equal inputs give
equal draws on any machine and in any version, whatever the order of rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from data.arrays import Bools, Floats, Ints

PURPOSES = ("order", "action", "explore", "holdout")
"""What a day draws of each customer; the hold-out is the same on all days."""


@dataclass(frozen=True)
class Draws:
    """A number in [0, 1) for each of n customers and each of ``PURPOSES``: (n,) each."""

    order: Floats
    action: Floats
    explore: Floats
    holdout: Floats

    def of(self, at: Ints) -> Draws:
        """Those of the customers at some positions."""
        return Draws(*(getattr(self, name)[at] for name in PURPOSES))


def draws_of(salt: bytes, ids: Sequence[str], moment: str) -> Draws:
    """What the run as of ``moment`` (ISO 8601) draws of these customers."""
    own = {name: uniforms(salt, ids, name, moment) for name in PURPOSES[:-1]}
    return Draws(**own, holdout=uniforms(salt, ids, "holdout"))


def uniforms(salt: bytes, ids: Iterable[str], *purpose: str) -> Floats:
    """One number in [0, 1) for each id, from a keyed hash (BLAKE2b, 64 bits) of id and purpose.

    >>> uniforms(b"salt", ["a", "b"], "holdout")[0] == uniforms(b"salt", ["a"], "holdout")[0]
    np.True_
    """
    prefix = "\x1f".join(purpose).encode() + b"\x1e"
    hashes = [
        int.from_bytes(hashlib.blake2b(prefix + i.encode(), digest_size=8, key=salt).digest())
        for i in ids
    ]
    # 53 bits fill a double exactly, so 1.0 cannot come out
    return (np.array(hashes, dtype=np.uint64) >> np.uint64(11)).astype(np.float64) / 2.0**53


def held_out(salt: bytes, ids: Iterable[str], share: float) -> Bools:
    """Who is never contacted: a draw of each customer's own, the same for ever.

    >>> held_out(b"salt", ["a", "b"], 0.0).tolist()
    [False, False]
    """
    return uniforms(salt, ids, "holdout") < share
