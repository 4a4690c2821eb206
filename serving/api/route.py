"""A call of the API as a value: method, path, scope, what goes in and what comes out.

The application routes, authorises and decodes by these values; ``openapi.py`` writes the OpenAPI
file from the same ones, so the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from data.store import SCOPES

Method = Literal["GET", "POST", "PUT", "DELETE"]


@dataclass(frozen=True)
class Parameter:
    """A parameter in the path, the query or a header; ``format`` as in OpenAPI (date-time, ...)."""

    name: str
    description: str
    place: Literal["path", "query", "header"] = "query"
    kind: Literal["string", "integer", "number", "boolean"] = "string"
    format: str | None = None
    required: bool = False
    choices: tuple[str, ...] = ()
    example: str | None = None


@dataclass(frozen=True)
class Call:
    """What a handler gets: the values of the parameters, the decoded body, the key's name.

    ``raw`` and ``headers`` (names in lower case): what was sent, to a call that is signed or takes
    files; ``body`` is not decoded of the latter.
    """

    parameters: Mapping[str, str]
    body: Any
    actor: str
    accept: str = "application/json"
    scopes: frozenset[str] = frozenset()
    idempotency_key: str | None = None
    raw: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What a handler returns: a value for JSON, or bytes of another media type."""

    value: Any
    status: int = 200
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Any, Call], Answer]
Signed = Callable[[Any, Mapping[str, str], bytes], tuple[str, str]]
"""Of headers and body: who sent them, and under which id; Problem where that is not certain."""


@dataclass(frozen=True)
class Route:
    """One call. ``scope`` None: open to all. ``effect``: takes an Idempotency-Key. ``media``: what
    it answers where it succeeds; ``csv``, ``calendar``: also that, by Accept; ``files``: or a file
    of one of these media types, by Accept where ``by_accept``; ``answers`` None: nothing.
    ``takes``: besides JSON, files of these media types, which the handler decodes itself.
    ``location``: the path of what was begun, made from the answer. ``instant``: answered without
    waiting for a thread, so it must not read or write anything. ``quick``: answers in that way what
    it can, None where it cannot. ``through``: called with the service and the call's work, which
    it does; it returns when what was done is kept. ``tagged``: the answer has an ETag, and a GET
    heeds If-None-Match. ``plans``: plans anew, which may take seconds: it waits in a line apart.
    ``signed``: the body is signed by its sender, in a key's place, and done
    once by its id. ``about``: the customers that a call is about, for the audit log. ``example``: a
    body that a company with the customer ``a`` can send."""

    method: Method
    path: str
    handler: Handler
    summary: str
    scope: str | None
    answers: Any
    tag: str
    body: Any = None
    parameters: tuple[Parameter, ...] = ()
    effect: bool = False
    csv: bool = False
    calendar: bool = False
    media: str = "application/json"
    files: tuple[str, ...] = ()
    by_accept: bool = False
    takes: tuple[str, ...] = ()
    location: str = ""
    status: int = 200
    problems: tuple[int, ...] = ()
    instant: bool = False
    quick: Callable[[Any, Call], Answer | None] | None = None
    through: Callable[[Any, Callable[[], Any]], Any] | None = None
    tagged: bool = False
    plans: bool = False
    signed: Signed | None = None
    example: Any = None
    about: Callable[[Call], Sequence[str]] | None = None

    def __post_init__(self) -> None:
        if self.scope is not None and self.scope not in SCOPES:
            raise ValueError(f"{self.path}: unknown scope {self.scope!r}; scopes are {SCOPES}")
