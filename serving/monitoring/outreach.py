"""Whom chance left alone beside whom outreach contacted: does each action still help?"""

from __future__ import annotations

from collections.abc import Sequence

from serving.monitoring.finding import Finding, Status
from serving.outreach.verdicts import LITTLE, Verdict


def outreach_findings(items: Sequence[Verdict]) -> list[Finding]:
    """A line per action that was tried: how it changed complaints, with the interval that holds on
    whichever day one looks; an alarm where it does harm. ``items`` none: nothing was tried yet."""
    if not items:
        return [Finding("outreach", "hold-out", "too early", LITTLE)]
    out = []
    for each in items:
        one = each.measured
        base = one.rate_left_alone or float("nan")
        low, high = one.always_low / base, one.always_high / base
        text = (
            f"{one.action}: {one.contacted} contacted beside {one.left_alone} left alone by "
            f"chance, complaints {one.relative:+.0%} ({low:+.0%} to {high:+.0%} on whichever day "
            f"one looks), {one.verdict}"
        )
        harms = each.stops is not None
        act = (
            f"Nobody is contacted by it from the next run on: {each.stops}. Mend what it offers, "
            "and give it another name to try it again."
            if harms
            else ""
        )
        status: Status = "alarm" if harms else "too early" if one.verdict == "not known" else "ok"
        out.append(
            Finding(
                "outreach", f"hold-out {one.action}", status, text, act,
                value=one.relative, low=low, high=high, limit=0.0,
            )
        )  # fmt: skip
    return out
