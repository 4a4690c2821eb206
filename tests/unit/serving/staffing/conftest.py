"""Forecasts and settings in which a person can count along."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pytest

from data.settings import DAYS, Company, Settings

Forecast = Callable[..., pd.DataFrame]


@pytest.fixture
def forecast() -> Forecast:
    """``forecast({"phone": 10.0}, start, hours)``: so many contacts an hour, Poisson intervals."""

    def made(
        volumes: Mapping[str, float], start: str = "2026-03-02", hours: int = 24
    ) -> pd.DataFrame:
        ds = pd.date_range(start, periods=hours, freq="h", unit="us")
        parts = []
        for channel, volume in volumes.items():
            spread = 1.2816 * np.sqrt(volume)
            parts.append(
                pd.DataFrame(
                    {
                        "unique_id": f"channel={channel}",
                        "ds": ds,
                        "presage": volume,
                        "presage-lo-80": max(volume - spread, 0.0),
                        "presage-hi-80": volume + spread,
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)

    return made


@pytest.fixture
def office() -> Settings:
    """Oslo, Monday to Friday 08:00 to 18:00 for the four usual channels."""
    hours = dict.fromkeys(DAYS[:5], "08:00-18:00")
    return Settings(
        company=Company(time_zone="Europe/Oslo"),
        opening_hours=dict.fromkeys(("phone", "chat", "email", "social"), hours),
    )
