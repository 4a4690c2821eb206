"""Counts and durations of the service, in Prometheus' text format."""

from __future__ import annotations

import math
from datetime import datetime
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from data.errors import DamagedFile
from serving.desk import Desk
from serving.published import VERBS, pointer

REGISTRY = CollectorRegistry()
REQUESTS = Counter(
    "presage_requests_total", "Requests answered", ["path", "status"], registry=REGISTRY
)
SECONDS = Histogram(
    "presage_request_seconds",
    "Seconds from request to answer",
    ["path"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
    registry=REGISTRY,
)
AGE = Gauge(
    "presage_published_age_seconds",
    "Age of the newest published result by the service's clock",
    ["kind"],
    registry=REGISTRY,
)

ALARMS = Gauge(
    "presage_monitor_alarms", "Alarms of the newest monitor, by area", ["area"], registry=REGISTRY
)
RUNS = Gauge(
    "presage_runs_at_fault", "Runs that are stuck, slow, late, failed or killed", ["what"],
    registry=REGISTRY,
)  # fmt: skip
FAULTS = ("stuck", "slow", "late", "failed", "killed")


def observe(path: str, status: int, seconds: float) -> None:
    """Count one answered request; ``path`` is the route's, so ids do not become labels."""
    requests, durations = _meters(path, status)
    requests.inc()
    durations.observe(seconds)


@cache
def _meters(path: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(path, str(status)), SECONDS.labels(path)


def exposition(desk: Desk) -> tuple[bytes, str]:
    """The text and its media type."""
    for kind in VERBS:
        try:
            current = pointer(desk.workspace.state_dir, kind)  # type: ignore[arg-type]
        except DamagedFile:  # told to whoever asks for what it names; the rest is measured
            AGE.labels(kind).set(math.nan)
            continue
        if current is not None:
            age = desk.now() - datetime.fromisoformat(current["as_of"])
            AGE.labels(kind).set(age.total_seconds())
    if pointer(desk.workspace.state_dir, "monitor") is not None:
        for area, rows in desk.published("monitor").frame.groupby("area"):
            ALARMS.labels(area).set(int((rows["status"] == "alarm").sum()))
    night_faults = [one.what.rpartition(" ")[2] for one in desk.night_findings()]
    for fault in FAULTS:
        RUNS.labels(fault).set(night_faults.count(fault))
    return generate_latest(REGISTRY), CONTENT_TYPE_PLAIN_0_0_4
