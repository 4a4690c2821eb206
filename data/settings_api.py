"""Settings of the service's answers, and of what is kept of them."""

from __future__ import annotations

from dataclasses import dataclass

from data.errors import SettingsError
from data.setting_checks import above_zero, not_negative, setting


@dataclass(frozen=True)
class Api:
    """How the service answers, and what it keeps of its answers."""

    requests_per_second: float = setting(500.0, "requests that one key may make a second")
    burst: float = setting(1000.0, "requests that one key may make at once after a pause")
    at_once: int = setting(32, "requests worked on at a time; one more is refused with 503")
    in_turn: int = setting(
        12, "of these, views, plans and files, answered four at a time, first come, first served"
    )
    prediction_log_days: int = setting(
        400, "days that predictions are kept in .presage/predictions; 0: not at all"
    )
    audit_days: int = setting(
        400, "days that .presage/audit tells which key asked for whom; 0: not at all"
    )
    job_rows: int = setting(1_000_000, "rows that one bulk job may have")
    job_mib: int = setting(64, "MiB that the file of a bulk job may have")
    jobs_waiting: int = setting(10, "bulk jobs of one key that wait or run; one more: 429")
    jobs_kept: int = setting(100, "bulk jobs of one key that are kept; one more is refused")

    def __post_init__(self) -> None:
        jobs = ("job_rows", "job_mib", "jobs_waiting", "jobs_kept")
        for name in ("requests_per_second", "at_once", "in_turn", *jobs):
            above_zero(getattr(self, name), name)
        if self.burst < 1:
            raise SettingsError(f"burst is {self.burst:g}, but a key must get in once")
        not_negative(self.prediction_log_days, "prediction_log_days")
        not_negative(self.audit_days, "audit_days")
