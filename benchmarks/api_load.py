"""Load on an HTTP service from a process of its own: JSON in on stdin, figures out on stdout.

    python -m benchmarks.api_load < load.json     (benchmarks/api.py starts it so)

Open-loop: requests are due at moments that were fixed beforehand (``rate`` a second), and a
latency counts from the moment at which a request was due, however late it could be sent: a service
that stands still for a second is charged for all who would have come (coordinated omission). With
``rate`` 0 each connection asks again as soon as it is answered, which measures capacity.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Figures:
    """What came back."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    accepted: list[float] = field(default_factory=list)
    versions: Counter[str] = field(default_factory=Counter)
    mixed: int = 0


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, raw: bytes
) -> tuple[int, bytes]:
    """One request on a connection that is kept."""
    writer.write(raw)
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    length = 0
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    body = await reader.readexactly(length) if length else b""
    return int(lines[0].split(b" ", 2)[1]), body


def request_bytes(host: str, one: dict[str, Any], key: str, number: int) -> bytes:
    """A request as it is sent; ``{n}`` in the body is its number."""
    body = one.get("body", "").replace("{n}", str(number)).encode()
    head = f"{one['method']} {one['path']} HTTP/1.1\r\nHost: {host}\r\n"
    head += f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def load(spec: dict[str, Any]) -> Figures:
    """Run a load: ``url, key, requests`` (in turn), ``rate, seconds, connections``, ``versions``
    (whether to count the models that answers speak of)."""
    place = urlsplit(spec["url"])
    host, port = place.hostname or "127.0.0.1", place.port or 80
    figures, rate = Figures(), float(spec["rate"])
    began = time.perf_counter()
    until = began + float(spec["seconds"])
    total = int(rate * spec["seconds"]) if rate else 2**60
    numbers = iter(range(total))
    steps = spec["requests"]

    async def worker() -> None:
        connection = None
        for number in numbers:
            due = began + number / rate if rate else time.perf_counter()
            if not rate and due >= until:
                break
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            status, body = 0, b""
            for one in steps:  # one after the other: post, then ask
                raw = request_bytes(place.netloc, one, spec["key"], number)
                try:
                    connection = connection or await asyncio.open_connection(host, port)
                    status, body = await asyncio.wait_for(exchange(*connection, raw), 60)
                except (OSError, EOFError, TimeoutError):
                    if connection:
                        connection[1].close()
                    status, connection = 0, None
                if status != 200:
                    break
            latency = time.perf_counter() - due
            figures.latencies.append(latency)
            figures.statuses[status] += 1
            if status == 200:
                figures.accepted.append(latency)
                if spec.get("versions"):
                    named = set(re.findall(rb'"model_version":"([^"]+)"', body))
                    figures.mixed += len(named) > 1
                    figures.versions.update(version.decode() for version in named)
        if connection:
            connection[1].close()

    await asyncio.gather(*(worker() for _ in range(spec["connections"])))
    figures.latencies.sort()
    figures.accepted.sort()
    return figures


def at(ordered: list[float], share: float) -> float | None:
    """A quantile of sorted values."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else None


def main() -> None:
    """Read a spec, run it, print the figures."""
    spec = json.loads(sys.stdin.read())
    began = time.perf_counter()
    figures = asyncio.run(load(spec))
    seconds = time.perf_counter() - began
    print(
        json.dumps(
            {
                "seconds": seconds,
                "requests": len(figures.latencies),
                "statuses": dict(figures.statuses),
                "per_second": len(figures.accepted) / seconds,
                "p50": at(figures.accepted, 0.5),
                "p99": at(figures.accepted, 0.99),
                "worst": at(figures.accepted, 1.0),
                "mixed": figures.mixed,
                "versions": dict(figures.versions),
            }
        )
    )


if __name__ == "__main__":
    main()
