"""Every setting as a tree of frozen values; each field carries the comment that documents it.

A setting is added by adding one field: its comment, type, default and check are all here, and
``data/settings.py`` derives reading, errors, ``presage settings`` and the commented presage.toml
from them. Values check themselves when they are made, so a tree that exists is a valid one.

>>> ServiceLevel(target_seconds=-1)
Traceback (most recent call last):
...
data.errors.SettingsError: target_seconds is -1, but must be above 0
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from data.endpoint import check_endpoint
from data.errors import SettingsError, did_you_mean
from data.setting_checks import above_zero as _above_zero
from data.setting_checks import at_most as _at_most
from data.setting_checks import not_negative as _not_negative
from data.setting_checks import setting
from data.setting_checks import share as _share
from data.settings_api import Api
from data.settings_company import Company, Data
from data.settings_hours import Site, check_hours
from data.settings_import import Import
from data.settings_kpis import Kpis, KpiTarget
from data.settings_nights import Mlflow, Nights, Prefect
from data.settings_outreach import Outreach
from data.settings_retention import Retention
from data.settings_risk import Risk
from data.settings_shifts import Contract, Shifts
from data.settings_staffing import PoolSettings, Staffing

HOUR = 3600.0
MOST_THREADS = 1024
"""More would only keep the machine from its work."""


@dataclass(frozen=True)
class Complaint:
    """Which tickets are complaints where is_complaint is not given: any rule that holds."""

    topics: tuple[str, ...] = setting((), "tickets of these topics are complaints")
    priorities: tuple[str, ...] = setting((), "tickets of these priorities are complaints")
    csat_at_most: float | None = setting(
        None, "tickets rated so or worse are complaints, from csat_at on"
    )
    all: bool = setting(False, "every ticket is a complaint")
    by_text: bool = setting(
        False, "tickets whose text reads as one are complaints, if texts enough tell which do"
    )

    def __post_init__(self) -> None:
        if self.csat_at_most is not None and not 1 <= self.csat_at_most <= 5:
            raise SettingsError(f"csat_at_most is {self.csat_at_most}, but csat goes from 1 to 5")


@dataclass(frozen=True)
class ServiceLevel:
    """What a channel promises, and how its work arrives."""

    target_seconds: float | None = setting(None, "first answer within this time; needed")
    limit_seconds: float | None = setting(None, "no first answer later than this")
    share: float = setting(0.9, "share of a day's contacts answered within the target")
    confidence: float = setting(0.9, "share of scenarios in which the day reaches it")
    clock: Literal["opening", "calendar"] = setting(
        "opening", "the time that counts: opening hours only, or all"
    )
    kind: Literal["real_time", "backlog"] = setting(
        "backlog", "real_time: phone, chat, cannot wait; backlog: may wait to its deadline"
    )
    concurrency: float = setting(1.0, "contacts that one agent handles at a time")
    patience_seconds: float | None = setting(
        None, "mean time until a waiting contact gives up; none: never"
    )
    resolution_seconds: float = setting(48 * HOUR, "solved within this time")
    handle_seconds: float = setting(600.0, "mean handling time until tickets tell one")

    def __post_init__(self) -> None:
        for name in (
            "target_seconds",
            "limit_seconds",
            "patience_seconds",
            "resolution_seconds",
            "handle_seconds",
        ):
            _above_zero(getattr(self, name), name)
        _share(self.share, "share", zero=False)
        _share(self.confidence, "confidence", zero=False, one=False)
        if not self.concurrency >= 1:
            raise SettingsError(f"concurrency is {self.concurrency}, but must be at least 1")
        if (
            self.limit_seconds is not None
            and self.target_seconds is not None
            and self.limit_seconds < self.target_seconds
        ):
            raise SettingsError(
                f"limit_seconds {self.limit_seconds:g} is below target_seconds "
                f"{self.target_seconds:g}; the limit is the later of the two"
            )


DEFAULT_SERVICE_LEVELS: Mapping[str, ServiceLevel] = MappingProxyType(
    {
        "phone": ServiceLevel(
            target_seconds=20, share=0.8, kind="real_time", patience_seconds=120, handle_seconds=300
        ),
        "chat": ServiceLevel(
            target_seconds=60, kind="real_time", patience_seconds=300, concurrency=2
        ),
        "email": ServiceLevel(target_seconds=12 * HOUR, limit_seconds=24 * HOUR, clock="calendar"),
        "social": ServiceLevel(target_seconds=2 * HOUR, limit_seconds=4 * HOUR),
    }
)


@dataclass(frozen=True)
class Delivery:
    """How decisions leave: pulled from /v1/outreach, or pushed to an endpoint as signed webhooks.

    The signing key is no setting: PRESAGE_SECRET_WEBHOOK, or `webhook` in .presage/secrets.
    """

    endpoint: str = setting("", "https://... that takes webhooks; empty: decisions are pulled")
    timeout_seconds: float = setting(10.0, "one attempt, from connecting to the answer")
    max_attempts: int = setting(12, "attempts until a message is dead")
    max_age_hours: float = setting(72.0, "hours after which a decision that waits has expired")
    backoff_seconds: float = setting(5.0, "longest wait after the first failure; doubled each time")
    backoff_most_seconds: float = setting(3600.0, "longest wait between two attempts")
    at_once: int = setting(4, "messages that one sender sends at a time")
    allow_inside: bool = setting(
        False, "also send to loopback and private addresses, and by http; for tests"
    )

    def __post_init__(self) -> None:
        for name in (
            "timeout_seconds",
            "max_attempts",
            "max_age_hours",
            "backoff_seconds",
            "backoff_most_seconds",
            "at_once",
        ):
            _above_zero(getattr(self, name), name)
        _at_most(self.at_once, MOST_THREADS, "at_once")


@dataclass(frozen=True)
class Volume:
    """How contact volume is forecast."""

    freq: str = setting("h", "step of the forecast: h, D, W, MS or minutes such as 30min")
    horizon_days: float = setting(28.0, "how far ahead")
    levels: tuple[int, ...] = setting((80, 95), "intervals, in percent")
    history_days: int = setting(0, "days of history learned from, at most; 0: all there is")
    split_by: tuple[str, ...] = setting(
        (),
        "columns of tickets or customers, e.g. 'region', that contacts are split by beside channel "
        "and topic",
    )
    handed_over_channel: str = setting(
        "chat",
        "channel that bots hand over to: hand-overs without a ticket count there; empty: nowhere",
    )
    grain: Literal["contact", "issue"] = setting(
        "contact", "what is counted: every contact, or an issue's first"
    )
    issue_hours: float = setting(
        72.0, "contacts of one customer on one topic are one issue until a pause of so many hours"
    )
    drivers: bool = setting(True, "let orders overdue, errors and open tickets move the forecast")
    seed: int = setting(0, "of everything random in forecasting")

    def __post_init__(self) -> None:
        _above_zero(self.horizon_days, "horizon_days")
        _above_zero(self.issue_hours, "issue_hours")
        _not_negative(self.history_days, "history_days")
        for level in self.levels:
            if not 0 < level < 100:
                raise SettingsError(f"levels holds {level}, but an interval has 1 to 99 percent")


@dataclass(frozen=True)
class Engine:
    """What computes over tables."""

    kind: str = setting("duckdb", "duckdb; spark comes later")
    memory_limit_gb: float = setting(4.0, "memory that the engine may take")
    threads: int = setting(0, "0: as many as the machine has")

    def __post_init__(self) -> None:
        if self.kind not in ("duckdb", "spark"):
            raise SettingsError(
                f"kind {self.kind!r} is no engine; there are duckdb and spark."
                f"{did_you_mean(self.kind, ('duckdb', 'spark'))}"
            )
        _above_zero(self.memory_limit_gb, "memory_limit_gb")
        _not_negative(self.threads, "threads")
        _at_most(self.threads, MOST_THREADS, "threads")

    @property
    def memory_limit_bytes(self) -> int:
        return int(self.memory_limit_gb * 1e9)


@dataclass(frozen=True)
class StoreSettings:
    """Where posted events, decisions, keys and the rest of our own state live."""

    url: str = setting(
        "", "empty: .presage/store.db (SQLite); or postgresql://host/name, password elsewhere"
    )


@dataclass(frozen=True)
class Settings:
    """All settings of a workspace. ``sources`` tells where each value came from."""

    company: Company = field(default_factory=Company)
    data: Data = field(default_factory=Data)
    import_: Import = field(default_factory=Import)
    complaint: Complaint = field(default_factory=Complaint)
    service_levels: Mapping[str, ServiceLevel] = field(
        default_factory=lambda: DEFAULT_SERVICE_LEVELS
    )
    opening_hours: Mapping[str, Mapping[str, str]] = field(
        default_factory=lambda: MappingProxyType({}),
        metadata={
            "comment": "per channel; a day left out is closed, a channel left out always open; "
            "holidays (of [company] country) and dates go before weekdays"
        },
    )
    sites: Mapping[str, Site] = field(
        default_factory=lambda: MappingProxyType({}),
        metadata={"comment": "per site, its clock and hours; agents, tickets and volumes name it"},
    )
    pools: Mapping[str, PoolSettings] = field(
        default_factory=lambda: MappingProxyType({}),
        metadata={"comment": "per pool, the channels that the same agents serve, urgent first"},
    )
    staffing: Staffing = field(default_factory=Staffing)
    shifts: Shifts = field(default_factory=Shifts)
    contracts: Mapping[str, Contract] = field(
        default_factory=lambda: MappingProxyType({}),
        metadata={"comment": "per contract, where agents' rules are others than those of [shifts]"},
    )
    kpis: Kpis = field(default_factory=Kpis)
    kpi_targets: Mapping[str, KpiTarget] = field(default_factory=lambda: MappingProxyType({}))
    outreach: Outreach = field(default_factory=Outreach)
    delivery: Delivery = field(default_factory=Delivery)
    risk: Risk = field(default_factory=Risk)
    volume: Volume = field(default_factory=Volume)
    nights: Nights = field(default_factory=Nights)
    mlflow: Mlflow = field(default_factory=Mlflow)
    prefect: Prefect = field(default_factory=Prefect)
    engine: Engine = field(default_factory=Engine)
    store: StoreSettings = field(default_factory=StoreSettings)
    api: Api = field(default_factory=Api)
    retention: Retention = field(default_factory=Retention)
    sources: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({}), repr=False, compare=False
    )
    own_features: str = field(default="", repr=False)
    """What ``features.py`` beside presage.toml says (features/own.py)."""

    def __post_init__(self) -> None:
        for channel, level in self.service_levels.items():
            if level.target_seconds is None:
                raise SettingsError(
                    f"[service_levels.{channel}] has no target_seconds; a service level needs one"
                )
        for name, target in self.kpi_targets.items():
            try:
                target.check()
            except SettingsError as error:
                raise SettingsError(f"[kpi_targets.{name}] {error}") from None
        if self.delivery.endpoint:
            check_endpoint(self.delivery.endpoint, allow_inside=self.delivery.allow_inside)
        for channel, days in self.opening_hours.items():
            check_hours(days, f"[opening_hours.{channel}]")

    @property
    def clocks(self) -> tuple[str, ...]:
        """The company's zone, and each site's with its name before it."""
        sites = sorted(self.sites.items())
        return (self.company.time_zone, *(f"{name}={site.time_zone}" for name, site in sites))

    def zone_of(self, site: object) -> str:
        """The IANA zone of a site; the company's where there is no such site, or none is named."""
        stated = self.sites.get(site) if isinstance(site, str) else None
        return (stated.time_zone if stated else "") or self.company.time_zone
