"""The whole HTTP side of a workspace: calls, keys, kept answers, OpenAPI and the planners' page."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Page

from data.clock import SYSTEM, Clock
from data.errors import StorageFailure
from data.languages.catalogue import languages, page_words
from data.store import OtherRequest, Store, answer_once, open_store, read_secret, verify_key
from data.store.keys import SECRET
from data.workspace import Workspace
from serving.api.application import Door, WholeSegments, application
from serving.api.calls import CALLS
from serving.api.catalogue import list_page, page_of
from serving.api.limits import Crowd, RateLimit
from serving.api.openapi import document
from serving.api.problem import Problem
from serving.desk import Desk
from serving.meters import observe

PLANNER = Path(__file__).parents[1] / "planner"
DOCS = Path(__file__).parent / "pages"
MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
DOCS_FILES = {
    "/docs": DOCS / "docs.html",
    "/docs/page.css": DOCS / "page.css",
    "/docs/page.js": DOCS / "docs.js",
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


STANDING = 3
"""So many requests that are answered in turn may be inside for long: under a load that stays, each
waits little more than it takes, instead of all of them a second."""


Known = tuple[str, frozenset[str]]


@dataclass
class StoreKeys:
    """API keys as the store knows them; what is remembered of them ends with any change of one, so
    a revoked key ends at once."""

    store: Store
    clock: Clock = SYSTEM
    _known: dict[bytes, tuple[Known, datetime | None]] = field(default_factory=dict)
    """By the key's digest: whose it is, and when it expires."""
    _changes: int | None = None
    _stamp: tuple[Any, ...] = ()

    def verify(self, secret: str) -> Known | None:
        """Name and scopes of a key in force, else None; as last seen, while a database cannot be
        reached (StorageFailure where it was never)."""
        changes = self.store.changes()
        stamp = () if changes is None else self.store.keys_stamp()
        try:
            key = verify_key(self.store, secret, self.clock.now())
        except StorageFailure:
            if (known := self._in_force(secret)) is None:
                raise
            return known
        if key is None:
            self._known.pop(_digest(secret), None)
            return None
        if stamp != self._stamp:
            self._known = {}
        known = key.name, frozenset(key.scopes)
        self._known[_digest(secret)] = known, key.expires_at
        self._changes, self._stamp = changes, stamp
        return known

    def remembered(self, secret: str) -> Known | None:
        """The same without asking the store, while no key has changed in it."""
        changes = self.store.changes_this_turn()
        if changes is None:
            return None
        if changes != self._changes:
            if self.store.keys_stamp() != self._stamp:
                return None
            self._changes = changes
        return self._in_force(secret)

    def _in_force(self, secret: str) -> Known | None:
        known, expires_at = self._known.get(_digest(secret), (None, None))
        return None if expires_at is not None and expires_at <= self.clock.now() else known


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


@dataclass(frozen=True)
class StoreReplies:
    """Answers kept by Idempotency-Key in the store, apart for each API key."""

    store: Store
    clock: Clock
    running: set[tuple[str, str]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def once(
        self, actor: str, key: str, request: str, act: Callable[[], tuple[int, bytes]]
    ) -> tuple[int, bytes, bool]:
        """Status and body of ``act`` or as answered before, and whether they were.

        Problem 409 while the key's request runs, 422 if the key came with another request.
        """
        with self.lock:
            if (actor, key) in self.running:
                detail = "the request of this Idempotency-Key is running; ask again for it"
                raise Problem(409, "running", detail, headers={"Retry-After": "1"})
            self.running.add((actor, key))

        def act_as_text() -> tuple[int, str]:
            status, body = act()
            return status, body.decode()

        try:
            now, scope = self.clock.now(), hashlib.sha256(actor.encode()).hexdigest()
            (status, text), before = answer_once(self.store, scope, key, request, now, act_as_text)
        except OtherRequest as error:
            raise Problem(422, "idempotency-key", str(error)) from None
        finally:
            self.running.discard((actor, key))
        return status, text.encode(), before


def assemble(workspace: Workspace, clock: Clock) -> tuple[WholeSegments, Desk]:
    """The ASGI application of a workspace, and the desk that it asks. DamagedFile where its secrets
    are not what was written: no key would open anything."""
    read_secret(workspace, SECRET)
    store = open_store(workspace)
    desk = Desk.of(workspace, store, clock)
    api = workspace.settings.api
    limit, crowd = RateLimit(api.requests_per_second, api.burst), Crowd(api.at_once)

    door = Door(
        StoreKeys(store, clock),
        StoreReplies(store, clock),
        limit,
        crowd,
        Crowd(api.in_turn, standing=STANDING),
        upload_bytes=api.job_mib << 20,
        observe=observe,
        log_about=lambda *request: desk.audit.add([request], clock.now()),
    )
    desk.jobs.busy = lambda: crowd.inside > 0
    return application(CALLS, desk, door, pages()), desk


def open_from(folder: str, start: str | None) -> tuple[WholeSegments, Desk]:
    """``assemble`` from text: the workspace's folder, and the clock's start or None."""
    clock = Clock(datetime.fromisoformat(start)) if start else Clock()
    return assemble(Workspace.open(Path(folder)), clock)


def openapi() -> bytes:
    """The OpenAPI file, indented."""
    return msgspec.json.format(msgspec.json.encode(document(CALLS, version("presage"))), indent=1)


def pages() -> list[Page]:
    """The OpenAPI file, the pages of planners and developers: open to all, they hold no data."""
    document = openapi()

    async def specification(request: Request) -> Response:
        return Response(document, media_type="application/json")

    async def front(request: Request) -> Response:
        return Response(status_code=307, headers={"Location": "/planner"})

    async def problems(request: Request) -> Response:
        return Response(list_page(), headers=GUARDS, media_type="text/html")

    async def problem(request: Request) -> Response:
        page = page_of(request.path_params["kind"])
        if page is None:
            detail = "there is no such kind of problem; /problems lists them"
            raise Problem(404, "no-such-path", detail)
        return Response(page, headers=GUARDS, media_type="text/html")

    return [
        Page("/", front, methods=["GET"]),
        Page("/openapi.json", specification, methods=["GET"]),
        Page("/problems", problems, methods=["GET"]),
        Page("/problems/{kind}", problem, methods=["GET"]),
        *(Page(path, _file(*named), methods=["GET"]) for path, named in page_files().items()),
    ]


def page_files() -> dict[str, tuple[bytes, str]]:
    """What the planners' page and the documentation are made of, by path: content and media type;
    the page's words too."""
    files = {at: (path.read_bytes(), MEDIA_TYPES[path.suffix]) for at, path in DOCS_FILES.items()}
    for path in sorted(PLANNER.iterdir()):
        if path.suffix in MEDIA_TYPES:
            at = "/planner" if path.name == "page.html" else f"/planner/{path.name}"
            files[at] = (path.read_bytes(), MEDIA_TYPES[path.suffix])
    for language in languages():
        words = msgspec.json.encode(page_words(language))
        files[f"/planner/words/{language}.json"] = (words, "application/json")
    return files


def _file(content: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    async def page(request: Request) -> Response:
        return Response(content, headers=GUARDS, media_type=media_type)

    return page
