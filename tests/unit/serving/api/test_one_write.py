"""An answer's head and body leave together, by uvicorn's own protocol, and others as they come."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from serving.api.one_write import in_one_write


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    send = in_one_write(send)
    size = [(b"content-length", b"6")] if scope["path"] == "/whole" else []
    await send({"type": "http.response.start", "status": 200, "headers": size})
    await send({"type": "http.response.body", "body": b"abc", "more_body": True})
    await send({"type": "http.response.body", "body": b"def"})


@contextmanager
def served() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(application, log_level="warning", http="httptools", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: server.run(sockets=[listener]))
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(20)


def answer(port: int, path: str, close: bool) -> bytes:
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\n" + "Connection: close\r\n" * close + "\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as link:
        for _ in range(1 if close else 3):  # a connection that is kept serves again
            link.sendall(head.encode())
            got = b""
            while not got.endswith((b"abcdef", b"0\r\n\r\n")):
                got += link.recv(65536)
        if close:
            assert link.recv(1) == b""
    return got


def test_whole_and_chunked_answers_arrive_and_connections_end_or_stay() -> None:
    with served() as port:
        for close in (False, True):
            whole = answer(port, "/whole", close)
            assert whole.startswith(b"HTTP/1.1 200 OK\r\n") and whole.endswith(b"\r\n\r\nabcdef")
            chunked = answer(port, "/chunks", close)
            assert chunked.endswith(b"\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")


class Transport:
    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)


class Cycle:
    """As uvicorn's: each message is written when it comes."""

    def __init__(self) -> None:
        self.transport: Any = Transport()

    async def send(self, message: Any) -> None:
        if message.get("fails"):
            raise RuntimeError("shorter than Content-Length")
        self.transport.write(message["type"][-4:].encode())


@pytest.mark.parametrize("fails", [False, True])
def test_the_first_two_parts_are_one_write(fails: bool) -> None:
    cycle = Cycle()
    transport, send = cycle.transport, in_one_write(cycle.send)

    async def talk() -> None:
        await send({"type": "http.response.start"})
        assert transport.written == []
        await send({"type": "http.response.body", "fails": fails})
        await send({"type": "http.response.body"})

    if fails:
        with pytest.raises(RuntimeError):
            asyncio.run(talk())
        assert transport.written == [b"tart"]
    else:
        asyncio.run(talk())
        assert transport.written == [b"tartbody", b"body"]
    assert cycle.transport is transport


def test_another_server_is_left_alone() -> None:
    async def send(message: Any) -> None: ...

    assert in_one_write(send) is send
