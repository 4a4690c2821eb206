"""Errors of the API: RFC 9457 ``application/problem+json``, each saying what to fix.

``type`` is a path below ``/problems/`` that names the kind for good; ``detail`` says what was
found and what to do; ``errors`` lists every wrong field by its place in the body.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

TITLES = {
    400: "Bad request",
    401: "No valid API key",
    403: "The key lacks a scope",
    404: "Not found",
    405: "Method not allowed",
    406: "Format not offered",
    408: "Body too slow",
    409: "Conflict",
    413: "Body too large",
    415: "Media type not taken",
    422: "A value cannot be used",
    429: "Too many requests",
    500: "Our fault",
    501: "Not built yet",
    503: "Not ready",
}


class Problem(Exception):
    """Raised by a handler; becomes the answer."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        errors: list[dict[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}

    def response(self, instance: str) -> Response:
        """The answer, for a request to the path ``instance``."""
        body: dict[str, Any] = {
            "type": f"/problems/{self.kind}",
            "title": TITLES.get(self.status, "Error"),
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
        }
        if self.errors:
            body["errors"] = self.errors
        return Response(
            msgspec.json.encode(body),
            self.status,
            {"Cache-Control": "no-store", **self.headers},
            media_type="application/problem+json",
        )
