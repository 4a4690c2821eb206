"""Training with too little history: a rule that is registered, served, and says what it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.errors import NotEnoughHistory
from data.workspace import Workspace, init, write_tables
from pipelines.console import Result, silent
from pipelines.run import Run, open_run
from pipelines.steps.risk import score_customers
from pipelines.steps.risk_training import train_risk_model
from serving.predictor import Predictor


def company(folder: Path, customers: int, days: int, complaints: bool = True) -> Path:
    """Customers who write every ninth day, of which every third time the third of them complain."""
    init(folder)
    start = pd.Timestamp("2026-01-01")
    rows = [
        {
            "ticket_id": f"t{i}-{day}",
            "opened_at": start + pd.Timedelta(days=day, hours=9),
            "channel": "email",
            "customer_id": f"c{i}",
            "topic": "billing",
            "is_complaint": complaints and (i + day) % 3 == 0,
        }
        for i in range(customers)
        for day in range(i % 9, days, 9)
    ]
    ids = [f"c{i}" for i in range(customers)]
    everybody = pd.DataFrame({"customer_id": ids, "signed_up_at": start})
    write_tables(folder, {"customers": everybody, "tickets": pd.DataFrame(rows)})
    return folder


def trained(folder: Path) -> tuple[Result, Run]:
    run = open_run(folder, None, silent)
    return train_risk_model(folder, run.snapshot.path, run.as_of, silent), run


@pytest.mark.parametrize(("customers", "days"), [(40, 20), (3, 60)])
def test_the_rule_is_served_and_says_what_is_missing(
    customers: int, days: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from models.registry import history

    folder = company(tmp_path / "w", customers, days)
    result, run = trained(folder)
    warned = capsys.readouterr().err
    assert "WARNING: too little history" in warned and "rule of recency and frequency" in warned
    assert ("enough by about 2026-" if customers == 40 else "waiting alone will not do") in warned
    assert result.exit_code == 0 and result.data["promoted"]
    state = Workspace.open(folder).state_dir
    [version] = history(state, "risk")
    assert version.is_champion
    assert "a rule, served until there is enough" in version.gate_reasons
    assert Predictor.of_champion(state).model.rule_because in "\n".join(result.lines)

    out = tmp_path / "scores.csv"
    score_customers(run, None, out)
    scores = pd.read_csv(out)
    assert len(scores) == customers and (scores["topic"] == "billing").all()
    risk = scores[["risk_7d", "risk_14d", "risk_30d"]].to_numpy()
    assert ((risk > 0) & (risk < 1)).all() and (np.diff(risk, axis=1) >= 0).all()


@pytest.mark.parametrize(("tag", "word"), [("en", "complaint"), ("es", "queja"), ("nb", "klage")])
def test_reasons_are_told_in_the_agents_language(tag: str, word: str, tmp_path: Path) -> None:
    folder = company(tmp_path / "w", 40, 20)
    (folder / "presage.toml").write_text(f'[risk]\nreasons_language = "{tag}"\n')
    _, run = trained(folder)
    out = tmp_path / "scores.csv"
    score_customers(run, None, out)
    told = pd.read_csv(out)["reasons"]
    assert (told != "[]").any()
    assert told[told != "[]"].str.contains(word, case=False).all()


def test_without_one_complaint_there_is_no_rate_to_serve(tmp_path: Path) -> None:
    folder = company(tmp_path / "w", 3, 60, complaints=False)
    with pytest.raises(NotEnoughHistory, match="one class only"):
        trained(folder)
    assert not (folder / ".presage" / "models").exists()
