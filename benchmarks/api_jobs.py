"""Bulk jobs: what they cost a live caller, and what a kill -9 loses; a part of benchmarks.api."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.api_served import Line, Served, load, ms
from presage.client import Client

RATE = 100.0
"""Live predictions a second."""


def jobs(served: Served, seconds: float, rows: int = 200_000, kills: int = 3) -> list[Line]:
    """A job of many rows (all customers, the rest unknown) while somebody asks live; then another
    one, through so many kills of all processes at moments spread over its run."""
    live = [served.predict(served.ids[-1])]
    ids = [*served.ids[:rows], *(f"unknown {n}" for n in range(rows - len(served.ids)))]
    load(served.url, served.key, live, RATE, 2.0)
    before = load(served.url, served.key, live, RATE, seconds)
    client = Client(served.url, served.key, tries=20)
    began = time.perf_counter()
    with ThreadPoolExecutor(1) as pool:
        job = client.jobs.create(ids)
        waiting = pool.submit(client.jobs.wait, job)
        during = load(served.url, served.key, live, RATE, seconds)
        waiting.result()
    took = time.perf_counter() - began
    lines = [
        ["job, rows a second", f"{rows / took:,.0f} of {rows:,}", ""],
        ["live at 100/s, no job", f"p50 {ms(before['p50'])}, p99 {ms(before['p99'])}", ""],
        ["live at 100/s beside it", f"p50 {ms(during['p50'])}, p99 {ms(during['p99'])}", "10 ms"],
    ]
    return [*lines, _killed(served, client, ids, took, kills)]


def _killed(served: Served, client: Client, ids: list[str], took: float, kills: int) -> Line:
    job, points = client.jobs.create(ids), []
    for _ in range(kills):
        time.sleep(took / (kills + 2))
        served.kill()
        served.start()
        client = Client(served.url, served.key, tries=20)
        points.append(client.jobs.get(job).rows_done)
    client.jobs.wait(job)
    answered = [row.customer_id for row in client.jobs.rows(job)]
    lost = sum(one != other for one, other in zip(answered, ids, strict=False))
    lost += abs(len(answered) - len(ids))
    at = ", ".join(f"{point:,}" for point in points)
    figure = f"went on at {at} of {len(ids):,} rows; {lost} lost, double or moved"
    return [f"job, kill -9 {kills} times", figure, "0"]
