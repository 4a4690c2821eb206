"""What keeps a candidate from work besides its figures: older knowledge, and tables that broke.

A champion that is judged on broken tables looks bad on them, so a model that learned from them can
win. What vanished is therefore found before, by comparing with the champion's own inputs and with
the tables' own past; a loss that is meant is let through with ``accept_changes``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from data.errors import DamagedFile
from data.tables import Tables
from models.champion import Champion, champion
from serving.monitoring.sources import source_findings
from serving.predictor import Predictor

SOME = 5
"""Features that are named where many are missing."""
LOST = 0.05
"""Share of the champion's features whose loss keeps a candidate back."""


@dataclass(frozen=True)
class Promotion:
    """``promote`` False: the candidate becomes the challenger, whatever the gate says.
    ``accept_changes``: losses of tables and columns are meant, and keep nothing back."""

    promote: bool = True
    accept_changes: bool = False


USUAL = Promotion()
"""What the gate lets pass goes to work."""


def kept_back_by(
    state_dir: Path,
    kind: str,
    as_of: datetime,
    tables: Tables,
    inputs: Sequence[str],
    promotion: Promotion,
) -> list[str]:
    """Why the candidate must not take the champion's place, as lines; none where there is nobody
    at work. ``inputs``: the features that vary in its rows, of a risk model."""
    at_work = champion(state_dir, kind)
    if at_work is None:
        return []
    lines = []
    if at_work.as_of is not None and as_of < at_work.as_of:
        lines.append(
            f"it learned from what was known at {as_of:%Y-%m-%d %H:%M}, the model at work from "
            f"{at_work.as_of:%Y-%m-%d %H:%M}: an older model does not replace a newer one"
        )
    if promotion.accept_changes:
        return lines
    broken = [f.text for f in source_findings(tables, as_of) if f.broken]
    broken += _lost(at_work, inputs)
    mend = "; mend the tables, or say --accept-changes if this is meant"
    return [*lines, *(line + mend for line in broken)]


def _lost(at_work: Champion, inputs: Sequence[str]) -> list[str]:
    """The features that the champion learned from and that say nothing any more."""
    if not inputs:
        return []
    try:
        before = Predictor.of_version(at_work).model.encoder.columns
    except DamagedFile:  # said where it is read to be answered from
        return []
    gone = sorted(set(before) - set(inputs))
    if len(gone) < max(3, LOST * len(before)):
        return []
    some = ", ".join(gone[:SOME]) + (", ..." if len(gone) > SOME else "")
    return [f"{len(gone)} of the {len(before)} features of the model at work are gone: {some}"]
