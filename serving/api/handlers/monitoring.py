"""What the nightly monitor found, and the key figures that it counted."""

from __future__ import annotations

from serving.api.problem import Problem
from serving.api.route import Answer, Call
from serving.api.tables import rows_of
from serving.desk import Desk
from serving.published import Published


def see_kpis(desk: Desk, call: Call) -> Answer:
    """The key figures of the last weeks; channel left out: of all together and of each."""
    published = desk.published("kpis")
    kpi = call.parameters.get("kpi")
    if kpi:
        frame = published.frame[published.frame["kpi"] == kpi]
        if frame.empty:
            known = ", ".join(sorted(published.frame["kpi"].unique()))
            raise Problem(404, "no-such-kpi", f"there is no kpi {kpi!r} here; there are {known}")
        published = Published(frame, published.about)
    return rows_of(published, "channel", "week", call)


def see_monitor(desk: Desk, call: Call) -> Answer:
    """The findings, alarms first."""
    return rows_of(desk.published("monitor"), "area", None, call)


def see_issues(desk: Desk, call: Call) -> Answer:
    """Topics that many ask about at once, with what those who ask have in common and what to do."""
    return rows_of(desk.published("issues"), "topic", None, call)
