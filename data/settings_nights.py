"""When a run counts as stuck, late or slow, and which servers of one's own are told of runs."""

from __future__ import annotations

from dataclasses import dataclass, fields

from data.errors import SettingsError
from data.setting_checks import above_zero, setting
from data.urls import without_password


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


@dataclass(frozen=True)
class Mlflow:
    """A tracking server of one's own. Who signs in there: MLFLOW_TRACKING_USERNAME and
    MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the environment."""

    url: str = setting(
        "", "https://... of a tracking server that gets copies of runs, versions and aliases"
    )

    def __post_init__(self) -> None:
        _address(self.url)


@dataclass(frozen=True)
class Prefect:
    """A Prefect server of one's own. Its key: PREFECT_API_AUTH_STRING, or PREFECT_API_KEY, in the
    environment; PREFECT_API_URL goes before the setting."""

    url: str = setting("", "https://.../api of a server that flows run in; empty: that of `up`")

    def __post_init__(self) -> None:
        _address(self.url)


def _address(url: str) -> None:
    shown = without_password(url)
    if shown != url:
        raise SettingsError(f"url is {shown}; a password belongs into the environment")
    if url and not url.startswith(("http://", "https://")):
        raise SettingsError(f"url is {url!r}, but must begin with http:// or https://")
