"""Linear algebra on one thread.

Fits run side by side, one a core. Linear algebra that brings its own pool of threads then waits for
itself and burns CPU time. And no sum depends on how many threads
a machine has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from threadpoolctl import threadpool_limits

Function = TypeVar("Function", bound=Callable[..., object])


def one_thread(function: Function) -> Function:
    """``function``, whose linear algebra uses one thread while it runs.

    >>> one_thread(sum)([1, 2])
    3
    """
    return cast(Function, threadpool_limits.wrap(limits=1, user_api="blas")(function))
