"""Who asked not to be profiled: left out of a run's scores, whatever its moment, and counted."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from data.errors import NotEnoughHistory
from data.settings import Settings
from data.tables import MemoryTables
from pipelines.steps.risk import scored


def run_of(refused: list[bool | None], recorded_at: str = "2026-01-01") -> Any:
    people = pd.DataFrame(
        {
            "customer_id": ["a", "b", "c"],
            "signed_up_at": "2026-01-01",
            "do_not_profile": pd.array(refused, dtype="boolean"),
            "recorded_at": recorded_at,
        }
    )
    first = people.assign(do_not_profile=None, recorded_at="2026-01-01")
    return SimpleNamespace(
        settings=Settings(),
        snapshot=MemoryTables({"customers": pd.concat([first, people])}),
        as_of=datetime(2026, 2, 1),
        report=lambda message: None,
    )


PREDICTOR: Any = SimpleNamespace(score=lambda spine, *_, **__: spine)


@pytest.mark.parametrize("recorded_at", ["2026-01-15", "2026-02-20"])
def test_an_objection_holds_for_every_moment(recorded_at: str) -> None:
    frame, left_out = scored(run_of([True, None, False], recorded_at), PREDICTOR, 0)
    assert (frame["customer_id"].tolist(), left_out) == (["b", "c"], 1)


def test_nobody_is_left_to_be_scored() -> None:
    with pytest.raises(NotEnoughHistory, match="3 asked not to be profiled"):
        scored(run_of([True, True, True]), PREDICTOR, 0)
