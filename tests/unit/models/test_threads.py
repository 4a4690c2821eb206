"""Linear algebra uses one thread where it was asked to, and as many as before afterwards."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info

from models.threads import one_thread


def pools() -> list[int]:
    np.ones((2, 2)) @ np.ones((2, 2))
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_linear_algebra_uses_one_thread_within_and_as_many_as_before_after() -> None:
    before = pools()
    assert before and set(one_thread(pools)()) == {1}
    assert pools() == before
