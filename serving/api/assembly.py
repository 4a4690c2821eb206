"""The whole HTTP side of a workspace: calls, keys, kept answers, OpenAPI and the planners' page."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Page

from data.clock import Clock
from data.store import Store, find_response, open_store, remember_response, verify_key
from data.workspace import Workspace
from serving.api.application import Door, application
from serving.api.calls import CALLS
from serving.api.limits import RateLimit
from serving.api.openapi import document
from serving.desk import Desk
from serving.meters import observe

PLANNER = Path(__file__).parents[1] / "planner"
PAGE_FILES = {
    "/planner": ("page.html", "text/html"),
    "/planner/page.css": ("page.css", "text/css"),
    "/planner/page.js": ("page.js", "text/javascript"),
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""The page loads from here and nowhere else; the browser enforces it."""
GUARDS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class StoreKeys:
    """API keys as the store knows them; asked every time, so a revoked one ends at once."""

    store: Store

    def verify(self, secret: str) -> tuple[str, frozenset[str]] | None:
        """Name and scopes of a key in force, else None."""
        key = verify_key(self.store, secret)
        return None if key is None else (key.name, frozenset(key.scopes))


@dataclass(frozen=True)
class StoreReplies:
    """Answers kept by Idempotency-Key in the store, apart for each API key."""

    store: Store
    clock: Clock

    def find(self, actor: str, key: str, request: str) -> tuple[int, bytes] | None:
        """Status and body answered before; Conflict if the key came with another request."""
        found = find_response(self.store, _scope(actor), key, request)
        return None if found is None else (found[0], found[1].encode())

    def keep(self, actor: str, key: str, request: str, status: int, body: bytes) -> None:
        """Keep an answer; Conflict if there is one by now."""
        now = self.clock.now()
        remember_response(self.store, _scope(actor), key, request, status, body.decode(), now)


def _scope(actor: str) -> str:
    return hashlib.sha256(actor.encode()).hexdigest()


def assemble(workspace: Workspace, clock: Clock) -> tuple[Starlette, Desk]:
    """The ASGI application of a workspace, and the desk that it asks."""
    store = open_store(workspace)
    desk = Desk.of(workspace, store, clock)
    door = Door(StoreKeys(store), StoreReplies(store, clock), RateLimit(), observe)
    return application(CALLS, desk, door, pages()), desk


def open_from(folder: str, start: str | None) -> tuple[Starlette, Desk]:
    """``assemble`` from text: the workspace's folder, and the clock's start or None."""
    clock = Clock(datetime.fromisoformat(start)) if start else Clock()
    return assemble(Workspace.open(Path(folder)), clock)


def openapi() -> bytes:
    """The OpenAPI file, indented."""
    return msgspec.json.format(msgspec.json.encode(document(CALLS, version("presage"))), indent=1)


def pages() -> list[Page]:
    """The OpenAPI file and the planners' page: open to all, for they hold no data."""
    told = openapi()

    async def specification(request: Request) -> Response:
        return Response(told, media_type="application/json")

    async def front(request: Request) -> Response:
        return Response(status_code=307, headers={"Location": "/planner"})

    return [
        Page("/", front, methods=["GET"]),
        Page("/openapi.json", specification, methods=["GET"]),
        *(Page(path, _file(*named), methods=["GET"]) for path, named in PAGE_FILES.items()),
    ]


def _file(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    content = (PLANNER / name).read_bytes()

    async def page(request: Request) -> Response:
        return Response(content, headers=GUARDS, media_type=media_type)

    return page
