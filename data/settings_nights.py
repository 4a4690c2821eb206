"""When a run counts as stuck, late or slow."""

from __future__ import annotations

from dataclasses import dataclass, fields

from data.setting_checks import above_zero, setting


@dataclass(frozen=True)
class Nights:
    """What is said of runs: by `presage up`, `presage monitor`, /readyz and /metrics."""

    longest_hours: float = setting(6.0, "a run that takes longer is stuck")
    late_minutes: float = setting(60.0, "a night that has not begun so long after its time is late")
    slow_times: float = setting(4.0, "a step is slow when it takes so many times its usual time")
    slow_minutes: float = setting(5.0, "and so long at least")

    def __post_init__(self) -> None:
        for each in fields(self):
            above_zero(getattr(self, each.name), each.name)
