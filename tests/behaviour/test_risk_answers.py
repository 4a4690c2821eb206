"""Four answers that `presage train` owes: one class, nothing that varies, a leak, nothing to learn.

Each company is made so that the honest answer is known, and goes through all of training.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from data.errors import DataError, NotEnoughHistory
from data.workspace import Workspace, init, set_setting, write_tables
from features.spec import FeatureView
from features.views import default_view
from models.floor import Floor
from models.gate import Evaluation, GateDecision, gate
from pipelines.console import Result, silent
from pipelines.steps import risk_learning, risk_training
from pipelines.steps.inputs import resolve_as_of, take_snapshot
from serving.predictor import Predictor

START = pd.Timestamp("2026-01-01")
DAYS = 170
CUSTOMERS = 300


def company(
    folder: Path, *, complaint: bool = True, seed: int = 0, **customers: object
) -> tuple[Path, pd.DataFrame]:
    """Everybody is alike, and tickets fall on anybody at any time: there is nothing to foretell."""
    rng = np.random.default_rng(seed)
    count = CUSTOMERS * DAYS // 50
    tickets = pd.DataFrame(
        {
            "ticket_id": [f"t{at}" for at in range(count)],
            "opened_at": START + pd.to_timedelta(np.sort(rng.uniform(0.5, DAYS, count)), unit="D"),
            "channel": "email",
            "customer_id": [f"c{at}" for at in rng.integers(0, CUSTOMERS, count)],
            "is_complaint": complaint,
        }
    )
    everybody = pd.DataFrame(
        {
            "customer_id": [f"c{at}" for at in range(CUSTOMERS)],
            "signed_up_at": START,
            "region": "north",
            **customers,
        }
    )
    init(folder)
    for name, value in (("as_ofs", 14), ("trees", 30)):
        set_setting(folder, f"risk.{name}", value)
    write_tables(folder, {"customers": everybody, "tickets": tickets})
    return folder, tickets


def trained(folder: Path, search_minutes: float | None = None) -> Result:
    snapshot = take_snapshot(folder, silent)
    moment: datetime = resolve_as_of(folder, snapshot, None)
    return risk_training.train_risk_model(folder, snapshot, moment, silent, search_minutes)


def logged(folder: Path, what: str, run_id: str) -> dict[str, Any]:
    """What MLflow was told of a run (latest_metrics or params), read from its file."""
    path = Workspace.open(folder).state_dir / "mlflow.db"
    with sqlite3.connect(path) as database:
        return dict(database.execute(f"select key, value from {what} where run_uuid = ?", [run_id]))


def test_one_class_is_refused_by_learner_and_rule_alike(tmp_path: Path) -> None:
    folder, _ = company(tmp_path / "w", complaint=False)
    with pytest.raises(NotEnoughHistory, match="one class only"):
        trained(folder)
    assert not (folder / ".presage" / "models").exists()


def test_features_that_tell_nobody_apart_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = company(tmp_path / "w")

    def of_attributes(*arguments: object) -> FeatureView:
        whole = default_view(*arguments)
        return whole.select([name for name in whole.names if name.startswith("customer")])

    monkeypatch.setattr(risk_learning, "default_view", of_attributes)
    with pytest.raises(DataError, match=r"none of the \d+ features varies"):
        trained(folder)


def test_a_planted_leak_raises_the_alarm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An attribute that was filled in afterwards, but says that it was known at the time."""
    folder, tickets = company(tmp_path / "w", seed=1)
    versions = []
    for day in range(0, DAYS, 1):
        now = START + pd.Timedelta(days=day)
        coming = tickets[tickets["opened_at"].between(now, now + pd.Timedelta(days=7), "left")]
        ids = [f"c{at}" for at in range(CUSTOMERS)]
        versions.append(
            pd.DataFrame(
                {
                    "customer_id": ids,
                    "signed_up_at": START,
                    "recorded_at": now,
                    "region": "north",
                    "health": 1.0 - np.isin(ids, coming["customer_id"]),
                }
            )
        )
    write_tables(folder, {"customers": pd.concat(versions), "tickets": tickets})
    set_setting(folder, "data.attributes", ["health"])
    trained(folder)
    warned = capsys.readouterr().err
    assert "the feature customer_health alone ranks later complaints almost perfectly" in warned
    assert warned.count("almost perfectly") == 1


def test_where_there_is_nothing_to_learn_nothing_is_claimed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Labels that nothing foretells: an area within three standard errors of one half, though
    settings were searched for."""
    folder, _ = company(tmp_path / "w", seed=2)
    result = trained(folder, search_minutes=0.05)
    assert "almost perfectly" not in capsys.readouterr().err
    metrics = logged(folder, "latest_metrics", result.data["run_id"])
    for horizon in (7, 14, 30):
        low, high = (metrics[f"roc_auc_{horizon}d_{end}"] for end in ("low", "high"))
        error = (high - low) / (2 * 1.96)
        assert abs(metrics[f"roc_auc_{horizon}d"] - 0.5) < 3 * error
        rate = metrics[f"base_rate_{horizon}d"]
        assert metrics[f"average_precision_{horizon}d"] < 2 * rate
        assert abs(metrics[f"observed_over_predicted_{horizon}d"] - 1) < 0.5

    params = logged(folder, "params", result.data["run_id"])
    assert int(params["search_trials"]) >= 1
    assert float(params["search_log_loss"]) <= float(params["search_log_loss_before"])
    assert float(params["search_learning_rate"]) > 0
    assert any("trials, mean log loss on later slices" in line for line in result.lines)

    [report] = result.data["pages"]
    cells = dict(re.findall(r'data-metric="([^"]+)">([^<]*)<', Path(report).read_text()))
    assert len(cells) > 3 * 8 * 4
    for name, told in cells.items():
        ends = [metrics[end] for end in (f"{name}_low", f"{name}_high") if end in metrics]
        expected = f"{metrics[name]:.3g}" + (f" [{ends[0]:.3g}, {ends[1]:.3g}]" if ends else "")
        assert told == expected


def test_where_a_first_model_is_refused_a_simple_baseline_goes_to_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = company(tmp_path / "w", seed=3)

    def beside_an_oracle(
        candidate: npt.ArrayLike, before: npt.ArrayLike | None, rows: Evaluation, floor: Floor
    ) -> GateDecision:
        oracle = replace(floor, baselines={"an oracle": floor.y})
        return gate(candidate, before, rows, floor=oracle)

    monkeypatch.setattr(risk_training, "gate", beside_an_oracle)
    result = trained(folder)
    assert result.exit_code == 1 and not result.data["promoted"]
    assert result.data["fallback"]["promoted"]
    assert "WARNING: the model that learned was refused" in capsys.readouterr().err
    state = Workspace.open(folder).state_dir
    model = Predictor.of_champion(state).model
    assert model.rule_because is not None and "until one passes" in model.rule_because

    monkeypatch.undo()  # the same model, judged as usual: there is nothing to learn here
    again = trained(folder)
    assert any("the champion's" in line for line in again.data["reasons"])
    promoted = Predictor.of_champion(state).model
    assert (promoted.rule_because is None) == again.data["promoted"]
    # what stands in is learned anew for as long as nothing passes
    assert ("fallback" in again.data) == (not again.data["promoted"])


def judged_by_inputs(
    decision: GateDecision, horizons: object, kept_back: list[str], **_: object
) -> GateDecision:
    """The gate's verdict where figures are let through: what the inputs keep back."""
    return GateDecision(not kept_back, decision.reasons, tuple(kept_back), {})


def test_a_view_that_has_become_smaller_is_told_and_its_champion_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = company(tmp_path / "w", seed=4)
    passes = GateDecision(True, ("let through",), (), {})
    monkeypatch.setattr(risk_training, "gate", lambda *_, **__: passes)
    monkeypatch.setattr(risk_training, "joined", judged_by_inputs)
    first = trained(folder)
    assert first.data["promoted"]
    at = first.lines.index("  where the time went:")
    seconds = [
        re.fullmatch(r" +\d+ s, +\d+ s of CPU (\w+) .*|.*", x) for x in first.lines[at + 1 :]
    ]
    stages = {found[1] for found in seconds if found}
    assert {"computing", "training"} <= stages

    def smaller(*arguments: object) -> FeatureView:
        whole = default_view(*arguments)
        return whole.select([name for name in whole.names if "complaint" not in name])

    monkeypatch.setattr(risk_learning, "default_view", smaller)
    second = trained(folder)
    [line] = second.data["refusals"]
    assert re.match(r"\d+ of the \d+ features of the model at work are gone: \w*complaint", line)
    assert "--accept-changes" in line
    assert not second.data["promoted"]
    assert "fallback" not in second.data  # a model that learned is at work
    assert Predictor.of_champion(Workspace.open(folder).state_dir).model.rule_because is None
