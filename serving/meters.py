"""Counts and durations of the service, in Prometheus' text format."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime
from itertools import accumulate

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from data.errors import DamagedFile
from serving.desk import Desk
from serving.published import VERBS, pointer

BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, math.inf)


class Requests(Collector):
    """What was answered, counted by the event loop's thread alone: no lock, and no file of values
    that processes share, which cost more than the rest of an answer's count."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, int], int] = {}
        self.buckets: dict[str, list[int]] = {}
        self.sums: dict[str, float] = {}

    def observe(self, path: str, status: int, seconds: float) -> None:
        """Count one answer of a path."""
        self.counts[path, status] = self.counts.get((path, status), 0) + 1
        if path not in self.buckets:
            self.buckets[path], self.sums[path] = [0] * len(BUCKETS), 0.0
        self.buckets[path][bisect_left(BUCKETS, seconds)] += 1
        self.sums[path] += seconds

    def collect(self) -> Iterator[Metric]:
        """As Prometheus has them."""
        answered = CounterMetricFamily(
            "presage_requests_total", "Requests answered", labels=["path", "status"]
        )
        for (path, status), count in list(self.counts.items()):
            answered.add_metric([path, str(status)], count)
        took = HistogramMetricFamily(
            "presage_request_seconds", "Seconds from request to answer", labels=["path"]
        )
        for path, counts in list(self.buckets.items()):
            until = zip(map(floatToGoString, BUCKETS), accumulate(counts), strict=True)
            took.add_metric([path], list(until), self.sums[path])
        yield from (answered, took)


REGISTRY = CollectorRegistry()
REQUESTS = Requests()
REGISTRY.register(REQUESTS)
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
    REQUESTS.observe(path, status, seconds)


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
