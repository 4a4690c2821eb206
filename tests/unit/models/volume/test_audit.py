"""Every number can be redone by hand from what the audit shows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.errors import UsageError
from models.volume import Audit, VolumeContext, VolumeModel, audit, train_volume
from models.volume.parts import members_in
from models.volume.special_days import HOLIDAY, kinds_of

CONTEXT = VolumeContext(country=("US",))


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    """Two channels and their total, on which holidays have half the contacts."""
    ds = pd.date_range("2024-01-01", "2024-12-23")
    rng = np.random.default_rng(0)
    holiday = kinds_of(ds.to_numpy().astype("datetime64[D]"), ("US",))[0] == HOLIDAY
    rate = np.where(holiday, 40, 80)
    parts = {f"channel={name}": rng.poisson(rate).astype(float) for name in ("a", "b")}
    parts["total"] = sum(parts.values())
    frames = [pd.DataFrame({"unique_id": k, "ds": ds, "y": y}) for k, y in parts.items()]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def model(history) -> VolumeModel:
    return train_volume(history, horizon=7, freq="D", context=CONTEXT)


@pytest.mark.parametrize("day", ["2024-12-24", "2024-12-25", "2024-12-30"])
def test_parts_and_reconciliation_add_up_to_what_is_published(model, history, day):
    table = model.forecast(history, context=CONTEXT).set_index(["unique_id", "ds"])
    for name in ("total", "channel=a"):
        told = audit(model, history, name, pd.Timestamp(day), CONTEXT)
        published = table.loc[(name, pd.Timestamp(day))]
        assert told.members["part"].sum() == pytest.approx(told.combined)
        assert told.members["weight"].sum() == pytest.approx(1.0)
        assert told.combined + told.reconciled == pytest.approx(published["presage"])
        quantiles = told.quantiles.set_index("probability")["count"]
        assert quantiles[0.9] == pytest.approx(published["presage-hi-80"])
        assert quantiles[0.025] == pytest.approx(published["presage-lo-95"])


def by_hand(told: Audit, residual: float, share: float) -> float:
    """A quantile with pencil and paper, as docs/volume.md says."""
    f = told.presage
    unit = ((max(f, 0.25) + told.phi * f**2) * told.growth**2 + told.doubt**2 * f**2) ** 0.5
    middle = told.quantiles.set_index("probability").loc[0.5, "residual"]
    centre = f - f / (f + 10) * middle * unit
    assert unit == pytest.approx(told.unit)
    assert centre == pytest.approx(told.centre)
    away = told.reach[0] if share < 0.5 else told.reach[1]
    own, reach = (residual - middle) * unit, min(abs(share - 0.5) / 0.4, 1.0) * away
    far = np.sign(share - 0.5) * (np.hypot(own, reach) - abs(own))
    return max(centre + residual * unit + far, 0.0)


@pytest.mark.parametrize("day", ["2024-12-25", "2024-12-30"])
def test_an_interval_can_be_redone_by_hand(model, history, day):
    table = model.forecast(history, context=CONTEXT).set_index(["unique_id", "ds"])
    told = audit(model, history, "channel=a", pd.Timestamp(day), CONTEXT)
    published = table.loc[("channel=a", pd.Timestamp(day))]
    residual = told.quantiles.set_index("probability")["residual"]
    for column, share in (("lo-95", 0.025), ("lo-80", 0.1), ("median", 0.5), ("hi-80", 0.9)):
        made = by_hand(told, residual[share], share)
        assert made == pytest.approx(published[f"presage-{column}"]), column
    assert (told.doubt > 0) == (day == "2024-12-25")


def test_a_holidays_effect_is_shown_and_an_ordinary_days_is_one(model, history):
    christmas = audit(model, history, "total", pd.Timestamp("2024-12-25"), CONTEXT)
    assert christmas.holiday_effect == pytest.approx(0.5, abs=0.12)
    ordinary = audit(model, history, "total", pd.Timestamp("2024-12-30"), CONTEXT)
    assert ordinary.holiday_effect == 1.0


def test_a_number_that_was_not_forecast_is_refused(model, history):
    with pytest.raises(UsageError, match="channel=a"):
        audit(model, history, "chanel=a", pd.Timestamp("2024-12-25"))
    with pytest.raises(UsageError, match="2024-12-23"):
        audit(model, history, "total", pd.Timestamp("2024-12-20"))


def test_the_parts_of_all_numbers_are_those_of_each(model, history):
    frame, parts = model.forecast_with_components(history, context=CONTEXT)
    pd.testing.assert_frame_equal(frame, model.forecast(history, context=CONTEXT))
    assert (parts[["unique_id", "ds"]] == frame[["unique_id", "ds"]]).all(axis=None)
    for place in (0, 9, 20):
        row = parts.iloc[place]
        told = audit(model, history, row["unique_id"], row["ds"], CONTEXT)
        found = pd.DataFrame(members_in(row))
        assert found["member"].tolist() == told.members["member"].tolist()
        np.testing.assert_allclose(found["part"], told.members["part"], rtol=1e-5)
        assert row["combined"] + row["reconciled"] == pytest.approx(told.presage, rel=1e-5)
        assert row["holiday_effect"] == pytest.approx(told.holiday_effect)
