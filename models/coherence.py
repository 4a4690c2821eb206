"""One number: channel, topic and total add up.

Forecasts of the nodes are made each for itself and then moved, as little as their errors allow,
onto the plane where parts add up to totals:

    minimise  sum_j (x_j - f_j)^2 / v_j   subject to   C x = 0,  x >= 0

with ``v_j`` the variance of node j's past errors: what is known well moves little (weighted least
squares; Wickramasuriya, Athanasopoulos and Hyndman 2019, with a diagonal covariance). Nodes that
would fall below zero are held at zero and the rest solved again.

>>> ids = ("total", "channel=chat", "channel=email")
>>> constraints = sums_of(ids)
>>> made = np.array([[100.0], [30.0], [50.0]])
>>> reconcile(made, np.ones((3, 1)), constraints).round(2).ravel().tolist()
[93.33, 36.67, 56.67]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.arrays import Floats

MOST_ROUNDS = 60
RIDGE = 1e-9
REFINEMENTS = 3
MOST_SUMS_DENSE = 150
DENSE_CELLS = 500_000
"""Cells of weighted sums (steps x sums x nodes) that are solved at once."""


@dataclass(frozen=True)
class Sum:
    """One row of C: the node at place ``whole`` is the sum of those at places ``parts``."""

    whole: int
    parts: tuple[int, ...]


def _split(name: str) -> dict[str, str]:
    """``channel=a/topic=b`` as a mapping; empty for ``total``; None-like for foreign ids."""
    if name == "total":
        return {}
    return dict(part.split("=", 1) for part in name.split("/"))


def is_node(name: str) -> bool:
    """Whether an id reads as a node: ``total``, or ``name=value`` parts joined by ``/``."""
    if name == "total":
        return True
    parts = name.split("/")
    keys = [part.split("=")[0] for part in parts if part.count("=") == 1]
    return len(keys) == len(parts) and len(set(keys)) == len(keys) and all(keys)


def sums_of(ids: Sequence[str], history: Floats | None = None) -> tuple[Sum, ...]:
    """The sums that hold among nodes: each node split by one more attribute.

    With a ``history`` (nodes x steps) a sum is kept only if it held in it (relative 1e-6, gaps
    count as 0): a total over more than the listed parts binds nothing.
    """
    split = {place: _split(name) for place, name in enumerate(ids) if is_node(name)}
    groups: dict[tuple[frozenset[tuple[str, str]], str], list[int]] = {}
    places: dict[frozenset[tuple[str, str]], int] = {}
    for place, attributes in split.items():
        places[frozenset(attributes.items())] = place
        for name in attributes:
            rest = frozenset((k, v) for k, v in attributes.items() if k != name)
            groups.setdefault((rest, name), []).append(place)
    sums = [
        Sum(places[rest], tuple(parts)) for (rest, _), parts in groups.items() if rest in places
    ]
    if history is not None:
        y = np.nan_to_num(history)
        sums = [one for one in sums if _held(y[one.whole], y[list(one.parts)].sum(axis=0))]
    return tuple(sorted(sums, key=lambda one: (one.whole, one.parts)))


def _held(whole: Floats, parts: Floats) -> bool:
    return bool((np.abs(whole - parts) <= 1e-6 * np.maximum(whole, 1.0)).all())


def reconcile(forecast: Floats, variance: Floats, sums: Sequence[Sum]) -> Floats:
    """Forecasts (nodes x steps) moved until every sum holds to 1e-6 relative, none negative.

    ``variance`` (nodes x steps, > 0) says how far each may move; a forecast of exactly 0 (a closed
    step) stays 0 unless its parts say otherwise. Nodes in no sum come back unchanged.
    """
    if not sums:
        return forecast.copy()
    if len(sums) > MOST_SUMS_DENSE:
        matrix = _matrix(sums, len(forecast))
        solved = [
            _solve(forecast[:, step], variance[:, step], matrix)
            for step in range(forecast.shape[1])
        ]
        return add_up(np.stack(solved, axis=1), sums)
    matrix = _matrix(sums, len(forecast)).toarray()
    at_once = max(1, DENSE_CELLS // (len(sums) * len(forecast)))
    return add_up(
        np.concatenate(
            [
                _solve_steps(
                    forecast[:, first : first + at_once],
                    variance[:, first : first + at_once],
                    matrix,
                )
                for first in range(0, forecast.shape[1], at_once)
            ],
            axis=1,
        ),
        sums,
    )


def _solve_steps(forecast: Floats, variance: Floats, matrix: Floats) -> Floats:
    """``_solve`` for many steps at once (nodes x steps): few sums are quicker without sparse
    matrices.
    """
    f = forecast.T
    free = np.where(f > 0, np.maximum(variance.T, 1e-12), 0.0)
    x = np.where(f > 0, f, 0.0)
    open_steps = np.arange(len(f))
    for _ in range(MOST_ROUNDS):
        v = free[open_steps]
        start = np.where(v > 0, f[open_steps], 0.0)
        weighted = matrix[None] * v[:, None, :]
        gram = weighted @ matrix.T
        size = np.diagonal(gram, axis1=1, axis2=2)
        scale = np.where(size > 0, 1 / np.sqrt(np.where(size > 0, size, 1.0)), 0.0)
        even = scale[:, :, None] * gram * scale[:, None, :]
        inverse = np.linalg.inv(even + RIDGE * np.eye(len(matrix)))
        target = (scale * (start @ matrix.T))[:, :, None]
        multiplier = inverse @ target
        for _ in range(REFINEMENTS):  # takes out what the ridge has put in
            multiplier += inverse @ (target - even @ multiplier)
        x[open_steps] = (
            start - ((scale[:, None, :] * multiplier.transpose(0, 2, 1)) @ weighted)[:, 0]
        )
        below = (x < 0) & (free > 0)
        open_steps = np.flatnonzero(below.any(axis=1))
        if not len(open_steps):
            break
        free = np.where(below, 0.0, free)
    return np.maximum(x, 0.0).T


def _matrix(sums: Sequence[Sum], nodes: int) -> Any:
    """C as a sparse matrix: 1 for the whole, -1 for each part."""
    from scipy.sparse import csr_matrix

    rows = [row for row, one in enumerate(sums) for _ in range(1 + len(one.parts))]
    columns = [place for one in sums for place in (one.whole, *one.parts)]
    values = [sign for one in sums for sign in (1.0, *([-1.0] * len(one.parts)))]
    return csr_matrix((values, (rows, columns)), shape=(len(sums), nodes))


def _solve(f: Floats, variance: Floats, matrix: Any) -> Floats:
    """The nearest point of the plane with no negative entry (active set, ``MOST_ROUNDS``)."""
    v = np.maximum(variance, 1e-12)
    # nodes that only the clock closed stay closed: they carry no freedom
    free = np.where(f > 0, v, 0.0)
    x = np.where(f > 0, f, 0.0)
    for _ in range(MOST_ROUNDS):
        start = np.where(free > 0, f, 0.0)
        weighted = matrix.multiply(free[None, :]).tocsr()
        multiplier = _multiplier((weighted @ matrix.T).tocsc(), matrix @ start)
        x = start - weighted.T @ multiplier
        below = (x < 0) & (free > 0)
        if not below.any():
            break
        free = np.where(below, 0.0, free)
    return np.maximum(x, 0.0)


def _multiplier(gram: Any, gap: Floats) -> Floats:
    """Solves ``gram m = gap``, which may be short of rank: sums follow from each other."""
    from scipy.sparse import diags, identity
    from scipy.sparse.linalg import splu

    size = gram.diagonal()
    scale = np.where(size > 0, 1 / np.sqrt(np.where(size > 0, size, 1.0)), 0.0)
    even = (diags(scale) @ gram @ diags(scale)).tocsc()
    factor = splu((even + RIDGE * identity(len(gap))).tocsc())
    target = scale * gap
    solution = factor.solve(target)
    for _ in range(REFINEMENTS):  # takes out what the ridge has put in
        solution = solution + factor.solve(target - even @ solution)
    return np.asarray(scale * solution)


def add_up(x: Floats, sums: Sequence[Sum]) -> Floats:
    """The smallest parts as they are, every whole added up from them again, bottom first.

    Where an attribute's parts are wholes of others too, rounding is all that is left between
    the two ways to add up.
    """
    out = x.copy()
    wholes = {one.whole for one in sums}
    of_whole: dict[int, list[Sum]] = {}
    for one in sums:
        of_whole.setdefault(one.whole, []).append(one)
    depth: dict[int, int] = {}

    def depth_of(place: int) -> int:
        if place not in depth:
            below = [depth_of(part) for one in of_whole.get(place, ()) for part in one.parts]
            depth[place] = 1 + max(below) if below else 0
        return depth[place]

    for place in sorted(wholes, key=depth_of):
        out[place] = out[list(of_whole[place][0].parts)].sum(axis=0)
    return out
