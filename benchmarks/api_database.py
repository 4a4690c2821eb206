"""Two services over one PostgreSQL, which is stopped while both are asked.

    .venv/bin/python -m benchmarks.api_database DIR --seconds 60

``DIR``: a workspace with published scores. Each service has a copy of it; keys, events and
decisions are in the one database. Both are asked for predictions and given events without pause;
the database is stopped for so many seconds, and started again.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.api_served import Line, Served
from benchmarks.postgres import Postgres
from benchmarks.running import show
from data.store import events_since, open_url

PAUSE = 0.05
"""Seconds between one client's requests."""


class Asker:
    """Asks one service until it is told to end; counts what was answered, and when."""

    def __init__(self, served: Served, number: int) -> None:
        self.served, self.number = served, number
        self.ended = threading.Event()
        self.kept: list[str] = []
        self.seen: list[tuple[float, str, int, str | None]] = []
        """When, what, the status (0: no answer), and Retry-After."""

    def run(self) -> None:
        """Post a row and read a score in turn; a row that was refused is posted again."""
        at = (self.served.as_of + timedelta(hours=1)).isoformat() + "Z"
        count, ids = 0, self.served.ids
        while not self.ended.wait(PAUSE):
            name, who = f"d{self.number}-{count}", ids[count % len(ids)]
            row = {"event_id": name, "used_at": at, "customer_id": who, "feature": "search"}
            if self._ask("post", "/v1/events", {"usage": [row]}) == 200:
                self.kept.append(name)
                count += 1
            self._ask("read", "/v1/predictions", {"customer_ids": [ids[-1 - count % 50]]})

    def _ask(self, what: str, path: str, body: Any) -> int:
        headers = {
            "Authorization": f"Bearer {self.served.key}",
            "Content-Type": "application/json",
        }
        url, began = self.served.url + path, time.monotonic()
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        retry = None
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                status = int(answer.status)
        except urllib.error.HTTPError as error:
            status, retry = error.code, error.headers["Retry-After"]
        except OSError:
            status = 0
        self.seen.append((began, what, status, retry))
        return status


def stopped(workspace: Path, seconds: float) -> list[Line]:
    """The database stopped for so many seconds: what was answered, and what is kept."""
    with ExitStack() as stack:
        database = Postgres()
        stack.callback(database.end)
        url = database.create("company")
        first = Served(workspace, stack, store=url)
        second = Served(first.workspace, stack, key=first.key)
        askers = [Asker(served, n) for n, served in enumerate((first, second))]
        with ThreadPoolExecutor(len(askers)) as pool:
            running = [pool.submit(asker.run) for asker in askers]
            time.sleep(min(seconds, 5))
            database.stop()
            down = time.monotonic()
            time.sleep(seconds)
            up = time.monotonic()
            database.start()
            time.sleep(min(seconds, 10))
            for asker in askers:
                asker.ended.set()
            for one in running:
                one.result(120)
        with open_url(url) as store:
            found = Counter(event.key[0] for event in events_since(store, 0) if event.key)
    return _lines(askers, found, down, up)


def _lines(askers: Sequence[Asker], found: Counter[str], down: float, up: float) -> list[Line]:
    seen = [one for asker in askers for one in asker.seen]
    lines = []
    for what, wanted in (("read", "all 200"), ("post", "503 with Retry-After")):
        while_down = [one for one in seen if one[1] == what and down < one[0] < up]
        statuses = dict(Counter(status for _, _, status, _ in while_down))
        without = sum(status == 503 and retry is None for _, _, status, retry in while_down)
        answers = f"{statuses}, {without} without Retry-After"
        lines.append([f"{what} while it is stopped", answers, wanted])
    after = [at for at, what, status, _ in seen if what == "post" and status == 200 and at > up]
    back = f"{min(after) - up:.1f} s" if after else "never"
    lines.append(["first post kept after it is back", back, ""])
    kept = [name for asker in askers for name in asker.kept]
    missing = sum(found[name] == 0 for name in kept)
    double = sum(count > 1 for name, count in found.items() if name.startswith("d"))
    told = f"{len(kept)} acknowledged, {missing} missing, {double} twice"
    return [*lines, ["events", told, "0 and 0"]]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0, help="that the database is stopped")
    chosen = parser.parse_args()
    show(["what", "measured", "bar"], stopped(chosen.workspace, chosen.seconds))


if __name__ == "__main__":
    main()
