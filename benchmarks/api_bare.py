"""What the API's throughput is compared with: an endpoint that decodes the same request and answers
the same bytes, by Starlette and msgspec alone, and the same one mounted in BentoML."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import bentoml
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

ANSWER = Path(os.environ.get("BARE_ANSWER", os.devnull))


class PredictBody(msgspec.Struct):
    """The request's body."""

    customer_ids: list[str]


class Answered(msgspec.Struct):
    """The answer's body."""

    items: list[msgspec.Raw]


async def predict(request: Request) -> Response:
    """Answers whoever is asked for with what the file holds."""
    body = msgspec.json.decode(await request.body(), type=PredictBody)
    answer = Answered([ITEMS[i % len(ITEMS)] for i in range(len(body.customer_ids))])
    return Response(msgspec.json.encode(answer), media_type="application/json")


ITEMS = msgspec.json.decode(ANSWER.read_bytes() or b'{"items": []}', type=Answered).items
app = Starlette(routes=[Route("/v1/predictions", predict, methods=["POST"])])


class Bare:
    """ASGI middleware that hands every HTTP request to the bare application."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await (app if scope["type"] == "http" else self.inner)(scope, receive, send)


@bentoml.service(
    name="bare",
    workers=1,
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
    tracing={"excluded_urls": ".*"},
)
class Mounted:
    """The bare endpoint in BentoML."""

    @bentoml.on_startup
    def freeze(self) -> None:
        """As Presage's service does."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 10, 10)


Mounted.add_asgi_middleware(Bare)
