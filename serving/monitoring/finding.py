"""One finding of the monitor: what, how it stands, since when, how bad, what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

import pandas as pd

Status = Literal["alarm", "notice", "ok", "too early"]
ORDER = {"alarm": 0, "notice": 1, "too early": 2, "ok": 3}


@dataclass(frozen=True)
class Finding:
    """A line of the monitor. ``area``: sources, inputs, predictions, forecasts, outreach, service.

    ``value`` with its 95 % interval ``low`` to ``high`` and the ``limit`` it is held to are NaN
    where there is none; ``since`` (naive UTC) is None where nothing began. ``act`` is empty unless
    somebody should do something. ``broken``: something is missing that was there, so nothing should
    be learned from the tables as they are.
    """

    area: str
    what: str
    status: Status
    text: str
    act: str = ""
    since: datetime | None = None
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    limit: float = float("nan")
    broken: bool = False


def frame_of(findings: list[Finding]) -> pd.DataFrame:
    """The findings, alarms first, with the fields as columns."""
    ordered = sorted(findings, key=lambda finding: ORDER[finding.status])
    frame = pd.DataFrame(
        [asdict(finding) for finding in ordered], columns=list(Finding.__dataclass_fields__)
    )
    return frame.assign(since=pd.to_datetime(frame["since"]).astype("datetime64[us]"))
