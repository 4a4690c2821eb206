"""Prefect's server for one workspace, on loopback, closed to the pages of other sites.

    python -m pipelines.flow_server PORT

Whoever may call Prefect's API can have it run a command on this machine, and a browser calls
loopback for any page that asks. So a request needs three things: a key that only the workspace
holds (Prefect's basic auth), a ``Host`` that is this server's, and no ``Origin`` but its own.
``presage up`` starts it with an environment that holds the key (pipelines/wiring.py).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost")


def origins(port: int) -> tuple[str, ...]:
    """The origins of the server's own page.

    >>> origins(4200)
    ('http://127.0.0.1:4200', 'http://localhost:4200')
    """
    return tuple(f"http://{host}:{port}" for host in HOSTS)


class SameOrigin:
    """Refuse with 403 what a page of another origin asks, websockets included."""

    def __init__(self, app: ASGIApp, allowed: tuple[str, ...]) -> None:
        self._app, self._allowed = app, allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.datastructures import Headers
        from starlette.responses import PlainTextResponse
        from starlette.websockets import WebSocketClose

        if scope["type"] in ("http", "websocket"):
            origin = Headers(scope=scope).get("origin")
            if origin is not None and origin not in self._allowed:
                if scope["type"] == "websocket":
                    await WebSocketClose(1008)(scope, receive, send)
                    return
                refusal = PlainTextResponse(
                    f"a page of {origin!r} may not call this server", status_code=403
                )
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def closed(app: ASGIApp, port: int) -> ASGIApp:
    """The application behind the checks of Host and Origin."""
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    return TrustedHostMiddleware(SameOrigin(app, origins(port)), list(HOSTS), www_redirect=False)


def main(port: int) -> None:
    """Serve until ended; the environment must hold the key."""
    import uvicorn
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    if get_current_settings().server.api.auth_string is None:
        raise SystemExit("PREFECT_SERVER_API_AUTH_STRING is not set: the server would be open")
    app = closed(create_app(), port)
    uvicorn.run(app, host=HOSTS[0], port=port, log_level="warning", lifespan="on")


if __name__ == "__main__":
    main(int(sys.argv[1]))
