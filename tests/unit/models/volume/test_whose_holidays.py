"""Series of a site live by the holidays of its country, in days and in hours."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.volume import VolumeContext, forecast
from models.volume.special_days import HOLIDAY, kinds_of
from models.volume.whose_holidays import holidays_of

OSLO, AUSTIN = "site=oslo", "site=austin"
CONTEXT = VolumeContext(country=("US",), country_by={OSLO: ("NO",)})


def counts(freq: str, until: str, shut: dict[str, str], usual: float) -> pd.DataFrame:
    ds = pd.date_range("2023-01-02", until, freq=freq)
    rng = np.random.default_rng(3)
    frames = []
    for name, country in shut.items():
        holiday = kinds_of(ds.to_numpy().astype("datetime64[D]"), (country,))[0] == HOLIDAY
        y = rng.poisson(np.where(holiday, 0.1 * usual, usual))
        frames.append(pd.DataFrame({"unique_id": name, "ds": ds, "y": y}))
    return pd.concat(frames)


def test_each_site_shuts_on_its_own_holidays() -> None:
    history = counts("12h", "2024-05-15 12:00", {OSLO: "NO", AUSTIN: "US"}, 100)
    out = forecast(history, horizon=2 * 14, freq="12h", context=CONTEXT)
    day = out["ds"].dt.strftime("%m-%d")
    of = out.pivot_table("presage", day, "unique_id", aggfunc="sum")
    assert of.loc["05-17", OSLO] < 90 and of.loc["05-17", AUSTIN] > 160  # Norway's
    assert of.loc["05-27", OSLO] > 160 and of.loc["05-27", AUSTIN] < 90  # Memorial Day


def test_without_sites_all_series_are_one_group() -> None:
    whose = holidays_of(("a", "b/site=oslo"), VolumeContext(country=("US",)))
    assert [(rows.tolist(), country) for rows, country in whose.groups] == [([0, 1], ("US",))]
    assert whose and not holidays_of(("a",), VolumeContext())


def test_a_series_of_volumes_may_have_its_own_country() -> None:
    context = VolumeContext(country=("US",), country_by={"calls/oslo": ("NO",)})
    assert context.country_of("calls/oslo") == ("NO",)
    assert context.country_of("calls") == context.country_of("oslo") == ("US",)
