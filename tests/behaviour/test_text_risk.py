"""Where only what customers write tells how they feel, reading it finds who will complain."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.errors import DamagedFile, DataError
from data.settings import Settings
from data.tables import MemoryTables
from features.messages import Texts, WithTexts, reading
from features.spine import customers_at
from features.views import default_view
from models.metrics import average_precision
from models.risk.backtest import backtest_risk
from models.risk.population import training_set, training_times
from models.risk.settings import RiskSettings
from models.risk.train import train_risk
from models.risk.trees import TreeSettings
from serving.predictor import TEXT, Predictor, now_spine, with_view

QUICK = RiskSettings(
    trees=TreeSettings(learning_rate=0.1, num_leaves=7, rounds=(30, 60)),
    penalties=(300.0,),
    slices=1,
)
START = datetime(2026, 1, 5)
DAYS = 182
CUTOFF = START + timedelta(days=DAYS - 14)
GRUMPY = ("I am really disappointed with this", "estoy muy decepcionado con esto",
          "jeg er veldig skuffet over dette", "this is not acceptable at all")  # fmt: skip
KIND = ("thank you, that works nicely", "muchas gracias, funciona bien",
        "tusen takk, dette fungerer fint", "all is well, thanks for the help")  # fmt: skip
PLAIN = ("about my order", "sobre mi pedido", "om ordren min", "regarding the invoice")


def company(customers: int = 400, seed: int = 3) -> MemoryTables:
    """Who is in a bad mood writes grumpily, complains more, and leaves no other trace of it: one
    in ten questions is rated, and complaints are worded as neutrally as they can be."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for who in range(customers):
        bad = bool(rng.random() < 0.3)
        for week in range(DAYS // 7):
            bad = bad if rng.random() < 0.9 else not bad
            when = START + timedelta(days=7 * week + 6 * rng.random())
            if rng.random() < 0.4:
                said = (GRUMPY if bad else KIND)[rng.integers(4)]
                row = {"is_complaint": False, "text": f"{said} {rng.integers(999)}"}
                if rng.random() < 0.1:
                    row |= {"csat": 1.0 if bad else 5.0, "csat_at": when + timedelta(hours=9)}
                rows.append({"opened_at": when, "customer_id": f"c{who}", **row})
            if rng.random() < (0.15 if bad else 0.01):
                rows.append({"opened_at": when + timedelta(hours=20), "customer_id": f"c{who}",
                             "is_complaint": True, "text": PLAIN[rng.integers(4)]})  # fmt: skip
    tickets = pd.DataFrame(rows).assign(channel="email")
    tickets["ticket_id"] = [f"t{at}" for at in range(len(tickets))]
    people = pd.DataFrame({"customer_id": [f"c{at}" for at in range(customers)]})
    return MemoryTables({"customers": people.assign(signed_up_at=START), "tickets": tickets})


@pytest.fixture(scope="module")
def tables() -> MemoryTables:
    return company()


def judged(tables: MemoryTables, texts: Texts) -> pd.DataFrame:
    end = START + timedelta(days=DAYS)
    return backtest_risk(
        tables, [CUTOFF], (7,), Settings(), known_as_of=end, settings=QUICK, baselines=(),
        texts=texts,
    )  # fmt: skip


def test_what_they_write_tells_who_will_complain(tables: MemoryTables) -> None:
    without, read = (judged(tables, texts) for texts in ("no", "yes"))
    y = read["label_7d"].to_numpy()
    assert y.sum() > 10
    assert average_precision(y, read["risk_7d"]) > 1.2 * average_precision(y, without["risk_7d"])


@pytest.fixture(scope="module")
def saved(tables: MemoryTables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = Settings()
    read = reading(tables, training_times(tables, CUTOFF, (7,), settings.risk), settings.complaint)
    assert read.model is not None
    view = default_view(read.features, settings, CUTOFF)
    rows = training_set(read.features, view, CUTOFF, (7,), settings)
    model = train_risk(rows.features, rows.labels, horizons=(7,), settings=QUICK)
    folder = tmp_path_factory.mktemp("model") / "risk"
    with_view(model, view, read.model).save(folder)
    return folder


def test_the_reader_travels_with_the_model(tables: MemoryTables, saved: Path) -> None:
    """One at a time, as a service asks, or all at once: to the last bit; from tables or history."""
    predictor = Predictor.of_bundle(saved, "v")
    assert predictor.text is not None
    assert any("text_" in name for name in predictor.view.names)
    spine = customers_at(tables, [CUTOFF])
    batch = predictor.score(spine, tables, reasons_for=0)
    history = predictor.history(tables)
    for who in ("c1", "c17"):
        one = predictor.score(now_spine([who], CUTOFF), history, reasons_for=0)
        row = batch[batch["customer_id"] == who].reset_index(drop=True)
        pd.testing.assert_frame_equal(one, row, check_exact=True)


def test_without_its_reader_it_says_so(tables: MemoryTables, saved: Path) -> None:
    predictor = Predictor.of_bundle(saved, "v")
    blind = Predictor(predictor.model, predictor.view, "v")
    with pytest.raises(DataError, match="text_"):
        blind.score(now_spine(["c1"], CUTOFF), tables)
    text = predictor.model.notes[TEXT]
    with pytest.raises(DamagedFile, match="fingerprint"):
        WithTexts(tables, type(predictor.text).from_json(text.replace("good", "gold")))  # type: ignore[union-attr]
