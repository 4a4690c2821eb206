"""A week of two channels and a dozen agents in which a person can count along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from data.settings import Company, Settings, Shifts


@pytest.fixture(scope="module")
def week() -> Callable[..., pd.DataFrame]:
    """``week({"phone": 3}, start, days, hours, zone)``: so many people in each open hour."""

    def made(
        people: dict[str, int],
        start: str = "2026-03-02",
        days: int = 7,
        hours: tuple[int, int] = (8, 18),
        zone: str = "Europe/Oslo",
    ) -> pd.DataFrame:
        edges = pd.date_range(start, periods=days + 1, freq="D", tz=zone).tz_convert("UTC")
        starts = pd.date_range(edges[0], edges[-1], freq="h", inclusive="left")
        local = starts.tz_convert(zone).hour
        opened = (local >= hours[0]) & (local < hours[1])
        parts = [
            pd.DataFrame(
                {
                    "channel": channel,
                    "starts_at": starts.tz_localize(None).as_unit("us"),
                    "ends_at": (starts + pd.Timedelta(hours=1)).tz_localize(None).as_unit("us"),
                    "agents_net": opened * count,
                    "open_seconds": opened * 3600.0,
                }
            )
            for channel, count in people.items()
        ]
        return pd.concat(parts, ignore_index=True)

    return made


@pytest.fixture(scope="module")
def agents() -> Callable[..., pd.DataFrame]:
    """``agents(6, ["phone"], hourly_cost=30.0)``: so many who are alike."""

    def made(count: int, skills: list[str], prefix: str = "a", **more: Any) -> pd.DataFrame:
        rows = [
            {"agent_id": f"{prefix}{i:02d}", "skills": skills, "hours_per_week": 37.5, **more}
            for i in range(count)
        ]
        return pd.DataFrame(rows)

    return made


@pytest.fixture(scope="module")
def oslo() -> Callable[..., Settings]:
    """``oslo(absence=0.0, ...)``: settings with these ``[shifts]``."""

    def made(**shifts: Any) -> Settings:
        told = {
            "absence": 0.0,
            "start_every_minutes": 60,
            "break_minutes": 60,
            "gap": 0.05,
            "time_limit_seconds": 3600.0,
            **shifts,
        }
        return Settings(company=Company(time_zone="Europe/Oslo"), shifts=Shifts(**told))

    return made
