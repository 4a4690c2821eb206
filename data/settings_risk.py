"""Settings of the risk model: how it is trained, watched and explained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from data.errors import SettingsError
from data.languages.catalogue import languages, speaks
from data.setting_checks import above_zero, not_negative, setting


@dataclass(frozen=True)
class Risk:
    """How the risk model is trained."""

    active_within_days: int | None = setting(
        None, "only customers with an event in so many days; none: all signed up, not closed"
    )
    gap_days: float = setting(0.0, "days between now and the start of the window foretold")
    as_ofs: int = setting(52, "moments of the past that training learns from, at most")
    as_of_step_days: int = setting(7, "days between two of them")
    seed: int = setting(0, "of everything random in training")
    trees: int = setting(120, "trees a model, at most; reasons cost with trees x leaves")
    leaves: int = setting(12, "leaves a tree")
    texts: Literal["auto", "yes", "no"] = setting(
        "auto", "learn from what messages say; auto: where a tenth states no is_complaint or topic"
    )
    reasons_for: int = setting(
        50_000, "so many of the riskiest get reasons each night; the service gives them to any"
    )
    reasons_language: str = setting("en", "what agents read reasons in: en, es, no (or nb)")
    learning_rate: float = setting(0.08, "step of each tree")
    answer_ms: float = setting(
        250.0, "CPU time that one answer with its reasons may take; a slower model is refused"
    )
    automatic_rollback: bool = setting(
        True, "go back a champion where live answers, latency or calibration break and it is better"
    )
    shadow: bool = setting(
        True, "score everybody by the challenger too, each night; kept in the prediction log only"
    )
    search_minutes: float = setting(
        0.0, "minutes that each training searches for better settings of its learners; 0: none"
    )

    def __post_init__(self) -> None:
        for name in (
            "as_ofs",
            "as_of_step_days",
            "trees",
            "learning_rate",
            "active_within_days",
            "answer_ms",
        ):
            above_zero(getattr(self, name), name)
        if not speaks(self.reasons_language):
            raise SettingsError(
                f"reasons_language {self.reasons_language!r}: reasons are written in "
                f"{', '.join(languages())}"
            )
        not_negative(self.gap_days, "gap_days")
        not_negative(self.search_minutes, "search_minutes")
        not_negative(self.reasons_for, "reasons_for")
        if self.leaves < 2:
            raise SettingsError(f"leaves is {self.leaves}, but a tree has at least 2")
