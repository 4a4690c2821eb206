"""Folds of whole customers, seeded by what the rows hold.

A customer's decisions are never on both sides of a fit. Which fold a customer is in, and in which
order rows are read, follows from the rows' content: rerun, reordered or on another machine, the
same rows give the same folds and so the same model.

>>> content_folds(np.array(["b", "a", "b", "c"], dtype=object), np.arange(4.0), 2)[1].tolist()
[0, 0, 0, 1]
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Floats, Ints
from data.errors import NotEnoughHistory


def content_folds(
    customers: npt.NDArray[np.object_], values: Floats, count: int
) -> tuple[Ints, Ints]:
    """An order of the rows, and each row's fold from 0 to ``count`` - 1, both in rows given.

    ``values``: n numbers (or n × k) that go into the seed with the customers' names.
    NotEnoughHistory where there are fewer customers than folds.
    """
    names = np.array([str(name) for name in customers], dtype=object)
    flat = np.ascontiguousarray(np.asarray(values, dtype=np.float64).reshape(len(names), -1))
    rows = pd.util.hash_array(names)
    for column in range(flat.shape[1]):
        # a sum would let equal columns cancel; a fixed odd factor keeps the columns apart
        rows = rows * np.uint64(0x9E3779B97F4A7C15) + pd.util.hash_array(flat[:, column])
    seed = hashlib.blake2b(np.sort(rows).tobytes(), digest_size=8).hexdigest()
    known, codes = np.unique(names, return_inverse=True)
    if len(known) < count:
        raise NotEnoughHistory(
            f"{len(known)} customers cannot be split into {count} folds; collect more decisions"
        )
    draw = pd.util.hash_array(np.array([f"{seed} {name}" for name in known], dtype=object))
    place = np.empty(len(known), dtype=np.int64)
    place[np.argsort(draw, kind="stable")] = np.arange(len(known))
    order = np.lexsort((rows, place[codes]))
    return order, place[codes] % count
