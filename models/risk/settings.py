"""How a risk model is trained: every choice in one value, none in the code that trains.

The defaults were chosen by time-ordered backtests on several companies (docs/benchmarks.md), never
on the period that judges.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import Protocol

from models.risk.trees import TreeSettings

STOPS = (1 / 16, 1 / 8, 1 / 4, 7 / 16, 11 / 16, 1.0)
"""Shares of the most trees allowed, at which a model is tried."""


class Growth(Protocol):
    """What of ``[risk]`` decides how trees grow; ``data.settings.Risk`` has it."""

    @property
    def trees(self) -> int: ...
    @property
    def leaves(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...


@dataclass(frozen=True)
class RiskSettings:
    """The choices of one training run; equal settings, rows and seed give equal models."""

    trees: TreeSettings = field(default_factory=TreeSettings)
    penalties: tuple[float, ...] = (1000.0, 100.0, 10.0)
    """Ridge penalties of the regression to choose from, in pseudo-rows."""
    half_life_days: float = 720.0
    """A row this much older than the newest weighs half."""
    most_weight: float = 3.0
    """Rows that one left alone by outreach stands for at most where customers are told apart: few
    rows that weigh ten tell them apart worse (Cole & Hernan 2008, truncated weights)."""
    others_per_complaint: float = 10.0
    """Rows without a complaint that are kept for each with one (they weigh more instead)."""
    most_rows: int = 150_000
    """Rows that a part is learned from, at most (drawn by content)."""
    most_rows_tried: int = 80_000
    """The same for the parts that are only tried on a later slice, and of a slice that judges."""
    least_complaints_judged: int = 2000
    """Complaints of each horizon that a later slice keeps, if it has them, however many rows."""
    most_rows_of_regression: int = 60_000
    """The same for a regression, whose cost grows with the square of its terms."""
    most_rows_of_hazards: int = 100_000
    """The same for the hazards."""
    most_rows_of_contacts: int = 60_000
    """The same for how many contacts there will be, tried and kept: they are far more than
    complaints, so fewer rows tell."""
    most_rows_of_choice: int = 80_000
    """The same for the topic, or channel, of the next complaint."""
    others_of_hazards: float = 30.0
    """Rows without a complaint for each with one, for the hazards that are kept."""
    most_rows_levelled: int = 300_000
    """Rows without a complaint, at most, that the level is told by."""
    hazards_penalty: float = 20.0
    """Complaints' worth of evidence that an amount must bring to be a cause of its own."""
    slices: int = 2
    """Later slices of time that rounds, penalty, mixture and calibration are learned on."""
    slice_share: float = 0.3
    """Share of the as-of times that the later slices hold together."""
    mixture_prior: float = 30.0
    """Complaints' worth of belief in the usual shares of the parts."""
    slope_prior: float = 100.0
    """Complaints' worth of belief that the mixture neither stretches nor flattens the scores."""
    level_half_life_days: float = 28.0
    """How fast old labels stop to say how high the level of complaints is now."""
    level_prior: float = 20.0
    """Complaints' worth of belief that the level has not moved."""
    minimum_complaints: int = 40
    """Rows with a complaint, and half as many customers, that training needs per horizon."""
    minimum_as_ofs: int = 3
    """As-of times with complete labels that training needs per horizon."""
    leak_auc: float = 0.985
    """A single feature that ranks later complaints this well raises the alarm."""
    num_threads: int = 1
    """Fits that are made at once, each on a thread of its own; changes no model."""


def rounds_up_to(trees: int) -> tuple[int, ...]:
    """The numbers of trees, ``trees`` at most, at which a model is tried.

    >>> rounds_up_to(120)
    (8, 15, 30, 53, 83, 120)
    """
    return tuple(sorted({ceil(trees * stop) for stop in STOPS}))


def risk_settings(growth: Growth, *, num_threads: int = 1) -> RiskSettings:
    """The settings that ``[risk]`` of presage.toml asks for; all else as it is by default."""
    trees = TreeSettings(
        learning_rate=growth.learning_rate,
        num_leaves=growth.leaves,
        rounds=rounds_up_to(growth.trees),
    )
    return RiskSettings(trees=trees, num_threads=num_threads)
