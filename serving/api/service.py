"""The BentoML service: it owns the process, its worker and its life; every path is ours.

BentoML's own pages and plain-text errors never answer, for our application takes each HTTP request
before its router does. The only file that imports BentoML. Workspace and clock come by environment
from ``presage serve``, which starts this as ``bentoml serve serving.api.service:Presage``.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import bentoml
import pyarrow
from starlette.applications import Starlette

from data.children import end_with_parent, leave_without_parent
from data.errors import PresageError, UsageError
from data.settings import environment
from serving.api.log_lines import JsonLines
from serving.api.one_write import in_one_write

if TYPE_CHECKING:
    from serving.desk import Desk

WORKSPACE = "PRESAGE_WORKSPACE"
CLOCK = "PRESAGE_CLOCK"

log = logging.getLogger("presage.api")

GRACE_SECONDS = 20.0
"""So long a worker whose master is gone may finish what it does."""
SWITCH_SECONDS = 0.0005
"""So long a thread goes on while another waits. Answers from memory are given by one thread, which
waits its turn each time that it has looked for what has come in: at the usual 5 ms one that scores
or writes holds it up again and again."""


@lru_cache(maxsize=1)
def opened() -> tuple[Any, Desk]:
    """The application and its desk, opened once in the worker.

    BentoML imports this file in its master process too, which answers nobody: what only a worker
    needs is imported here, and a start is two seconds shorter.
    """
    from serving.api.assembly import open_from

    folder = environment(WORKSPACE)
    if folder is None:
        raise UsageError(f"{WORKSPACE} is not set; start the service with `presage serve DIR`")
    return open_from(folder, environment(CLOCK))


def _log_with_request_ids() -> None:
    """Every line of the service's log says when, how bad, and of which request it is."""
    from serving.api.application import of_request

    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    handler.addFilter(of_request)
    everything = logging.getLogger("presage")
    everything.handlers, everything.propagate = [handler], False
    access = logging.getLogger("uvicorn.access")  # nobody reads it, but each answer would make it
    access.handlers, access.propagate = [], False


def _give_memory_back() -> None:
    """What reading whole tables took, and they are let go, is the system's again."""
    gc.collect()
    pyarrow.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of the C library of Linux
    if trim is not None:
        trim(0)


class OurPaths:
    """ASGI middleware that hands every HTTP request to our application, the rest to BentoML.

    BentoML puts its own middlewares (tracing, a time limit) around those of a service. Ours do the
    same for every call, so when the worker starts, this one moves itself outside of them: they
    would take a sixth of the time of an answer from memory.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await opened()[0](scope, receive, in_one_write(send))
            return
        bento = scope.get("app")
        if scope["type"] == "lifespan" and isinstance(bento, Starlette):
            bento.middleware_stack = OurPaths(bento.middleware_stack)
        await self.app(scope, receive, send)


@bentoml.service(
    name="presage",
    workers=1,
    traffic={"timeout": 300},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
    tracing={"excluded_urls": ".*"},
)
class Presage:
    """Predictions, events, forecasts, staffing and outreach of one workspace."""

    def __init__(self) -> None:
        self.desk = opened()[1]

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    def check_out(self) -> None:
        """Read what is published before the first request, then keep it out of collections."""
        _log_with_request_ids()
        end_with_parent(os.getppid())  # a worker whose master was killed would keep the port
        leave_without_parent(os.getppid(), GRACE_SECONDS)
        try:
            self.desk.live.warm()
        except PresageError as error:
            log.warning("not ready yet: %s", error)
        self.desk.jobs.wake()  # jobs that were waiting when the service ended
        # a large heap that never changes: collecting over it costs hundreds of milliseconds. What
        # comes after is small, and is collected often: LightGBM's calls leave arrays in circles
        _give_memory_back()
        gc.freeze()
        gc.set_threshold(10_000, 10, 10)
        sys.setswitchinterval(SWITCH_SECONDS)

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def close(self) -> None:
        """Write what is to be kept, and let the store go."""
        self.desk.close()


Presage.add_asgi_middleware(OurPaths)  # type: ignore[attr-defined]
