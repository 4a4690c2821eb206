"""What must hold when things go wrong: equal requests at once, and a service that is killed."""

from __future__ import annotations

import json
import random
import threading
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.client import HTTPException

from benchmarks.api_served import Line, Served
from data.store import events_since, open_store, overrides_of
from data.workspace import Workspace


def twice(served: Served, seconds: float, tries: int = 100) -> list[Line]:
    """Two equal requests at once, again and again: how many effects, and what was answered."""
    start = served.as_of + timedelta(days=1)
    statuses: Counter[int] = Counter()
    gate = threading.Barrier(2)

    def send(number: int) -> int:
        body = {
            "unique_id": "total",
            "starts_at": start.isoformat() + "Z",
            "ends_at": (start + timedelta(hours=2)).isoformat() + "Z",
            "factor": 1.01,
            "reason": f"try {number}",
        }
        headers = {
            "Authorization": f"Bearer {served.key}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"try-{number}",
        }
        raw = json.dumps(body).encode()
        request = urllib.request.Request(f"{served.url}/v1/overrides", raw, headers)
        gate.wait(60)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    with ThreadPoolExecutor(2) as pool:
        for number in range(tries):
            statuses.update(pool.map(send, (number, number)))
    with open_store(Workspace.open(served.workspace)) as store:
        kept = Counter(one.reason for one in overrides_of(store))
    once = sum(kept[f"try {number}"] == 1 for number in range(tries))
    told = f"{once} of {tries} had one effect; answers {dict(sorted(statuses.items()))}"
    return [["two equal requests at once", told, "one effect each"]]


def killed(served: Served, seconds: float, kills: int = 3) -> list[Line]:
    """Rows are posted without pause; all processes of the service are killed at a random moment, it
    is started again, and every row that was acknowledged is looked for in the store."""
    draw, at = random.Random(1), (served.as_of + timedelta(hours=2)).isoformat() + "Z"
    acknowledged: list[str] = []
    posted = unsure = 0
    for kill in range(kills):
        ended = threading.Event()

        def post(who: int, kill: int = kill, ended: threading.Event = ended) -> tuple[int, int]:
            sent = lost = 0
            while not ended.is_set():
                name = f"k{kill}-{who}-{sent}"
                row = {"event_id": name, "used_at": at, "customer_id": served.ids[who],
                       "feature": "search"}  # fmt: skip
                sent += 1
                try:
                    served.ask("POST", "/v1/events", {"usage": [row]})
                    acknowledged.append(name)
                except (OSError, HTTPException):
                    lost += 1
            return sent, lost

        with ThreadPoolExecutor(4) as pool:
            posting = [pool.submit(post, who) for who in range(4)]
            ended.wait(draw.uniform(0.3, 1.0) * seconds)
            served.kill()
            ended.set()
            counts = [one.result(60) for one in posting]
        posted += sum(sent for sent, _ in counts)
        unsure += sum(lost for _, lost in counts)
        served.start()
    with open_store(Workspace.open(served.workspace)) as store:
        found = Counter(event.key[0] for event in events_since(store, 0) if event.key)
    missing = sum(found[name] == 0 for name in acknowledged)
    double = sum(count > 1 for name, count in found.items() if name.startswith("k"))
    told = (
        f"{len(acknowledged)} acknowledged of {posted} posted, {missing} missing, {double} twice; "
        f"{unsure} without an answer"
    )
    return [[f"kill -9, {kills} times", told, "0 and 0"]]
