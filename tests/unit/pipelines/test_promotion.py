"""What keeps a candidate back: an older moment, a source that broke, features that are gone."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from data.tables import MemoryTables
from models.champion import Champion
from pipelines.steps import promotion
from pipelines.steps.promotion import Promotion, kept_back_by

AS_OF = datetime(2026, 6, 1)
FEATURES = tuple(f"feature_{at}" for at in range(60))


def tables(until: datetime = AS_OF) -> MemoryTables:
    at = pd.date_range(AS_OF - timedelta(days=100), until, freq="3h", inclusive="left")
    ids = [f"t{n}" for n in range(len(at))]
    return MemoryTables(
        {"tickets": pd.DataFrame({"ticket_id": ids, "opened_at": at, "channel": "email"})}
    )


@pytest.fixture(autouse=True)
def at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A champion of yesterday with sixty features."""
    standing = Champion("risk", "1", "f", "r", AS_OF, Path("nowhere"), AS_OF - timedelta(days=1))
    model = SimpleNamespace(encoder=SimpleNamespace(columns=FEATURES))
    monkeypatch.setattr(promotion, "champion", lambda *_: standing)
    monkeypatch.setattr(promotion.Predictor, "of_version", lambda *_: SimpleNamespace(model=model))


def lines(
    as_of: datetime = AS_OF,
    found: MemoryTables | None = None,
    features: tuple[str, ...] = FEATURES,
    how: Promotion = promotion.USUAL,
) -> list[str]:
    return kept_back_by(Path("x"), "risk", as_of, found or tables(), features, how)


def test_whole_tables_keep_nothing_back() -> None:
    assert lines() == []


def test_an_older_model_does_not_replace_a_newer_one() -> None:
    (line,) = lines(as_of=AS_OF - timedelta(days=2), found=tables(AS_OF - timedelta(days=2)))
    assert "older model does not replace a newer one" in line


def test_a_source_that_stopped_keeps_back_and_a_loss_that_is_meant_does_not() -> None:
    (line,) = lines(found=tables(AS_OF - timedelta(days=4)))
    assert "nothing for 4.1 days" in line
    assert "--accept-changes" in line
    assert lines(found=tables(AS_OF - timedelta(days=4)), how=Promotion(accept_changes=True)) == []


def test_features_that_are_gone_keep_back_and_few_do_not() -> None:
    (line,) = lines(features=FEATURES[10:])
    assert line.startswith("10 of the 60 features of the model at work are gone: feature_0, ")
    assert lines(features=FEATURES[2:]) == []
    assert lines(features=(*FEATURES, "new")) == []


def test_nobody_at_work_is_nobody_to_protect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotion, "champion", lambda *_: None)
    assert lines(found=tables(AS_OF - timedelta(days=9))) == []
