"""Eight bad challengers, each refused by the gate, each by the name of its fault."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.tables import MemoryTables
from models.champion import Champion
from models.faults import Cost, Findings, broken_groups, cost, ranking, seconds_of, uneven
from models.gate import Evaluation, GateDecision, gate, joined
from pipelines.steps import promotion

AS_OF = datetime(2026, 6, 1)
QUICK = Cost(0.002, 1_000_000)
RNG = np.random.default_rng(8)
P = RNG.beta(1, 9, 6000)
Y = (RNG.random(P.size) < P).astype(float)
WHOSE = RNG.integers(0, 2000, P.size)
REGIONS = {f"region={name}": np.arange(P.size) % 4 == at for at, name in enumerate("NESW")}
CHAMPION = 1 / (1 + np.exp(-(np.log(P / (1 - P)) + RNG.normal(0, 0.05, P.size))))
RULE = np.clip(P * np.exp(RNG.normal(0, 1.0, P.size)), 0.001, 0.999)


def verdict(
    predicted: np.ndarray,
    kept_back: list[str] | None = None,
    own: Cost = QUICK,
    champion: np.ndarray | None = CHAMPION,
) -> GateDecision:
    """As training asks: the gate on all rows, the faults, what keeps back."""
    decision = gate(predicted, champion, Evaluation(Y, WHOSE, {"the rule": RULE}, resamples=60))
    found: Findings = ranking(Y, predicted, WHOSE)
    found += broken_groups(Y, predicted, REGIONS, champion, WHOSE)
    found += cost(own, QUICK, 0.25)
    return joined(decision, {}, kept_back or [], findings=found)


def older(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What keeps a model back that learned two days before the one at work."""
    standing = Champion("risk", "1", "f", "r", AS_OF, Path("nowhere"), AS_OF + timedelta(days=2))
    monkeypatch.setattr(promotion, "champion", lambda *_: standing)
    at = pd.date_range(AS_OF - timedelta(days=60), AS_OF, freq="3h", inclusive="left")
    rows = {"ticket_id": map(str, range(len(at))), "opened_at": at, "channel": "email"}
    tables = MemoryTables({"tickets": pd.DataFrame(rows)})
    return promotion.kept_back_by(Path("x"), "risk", AS_OF, tables, (), promotion.USUAL)


def one_region_shuffled() -> np.ndarray:
    """Right in three regions, and in the fourth everybody's risk is somebody else's."""
    north = REGIONS["region=N"]
    return np.where(north, np.random.default_rng(0).permutation(P), P)


def test_a_good_challenger_passes_and_says_what_was_looked_at() -> None:
    decision = verdict(P)
    assert decision.passed, str(decision)
    assert "all 4 groups hold" in decision.reasons
    assert any("one answer takes 2.0 ms" in line for line in decision.reasons)


@pytest.mark.parametrize(
    ("predicted", "name"),
    [
        (np.full(P.size, P.mean()), "everybody has the same prediction"),
        (1 - P, "upside down: whom it calls safe complains more"),
        (np.where(Y == 1, 0.97, 0.02), "leaky: it tells complaints from others with an AUC"),
        (np.clip(0.6 * Y + P, 0, 0.99), "leaky: it tells complaints from others with an AUC"),
        (np.where(np.arange(P.size) == 5, np.nan, P), "1 of 6000 predictions are not finite"),
        (P**2.2, "calibration slope"),
        (np.minimum(2.5 * P, 0.99), "observed over predicted"),
        (one_region_shuffled(), "broken group region=N: log loss"),
    ],
    ids=[
        "constant", "inverted", "leaky", "leaky in part", "NaN", "too sure", "too high",
        "one segment broken",
    ],
)  # fmt: skip
def test_a_bad_challenger_is_refused_by_name(predicted: np.ndarray, name: str) -> None:
    decision = verdict(predicted)
    assert not decision.passed
    assert any(name in line for line in decision.refusals), decision.refusals
    if not np.isnan(predicted).any():
        assert any(name in line for line in verdict(predicted, champion=None).refusals)


def test_a_stale_challenger_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    decision = verdict(P, older(monkeypatch))
    assert not decision.passed
    assert "an older model does not replace a newer one" in decision.refusals[0]


def test_a_slow_or_large_challenger_is_refused_by_name() -> None:
    slow = verdict(P, own=Cost(0.09, 1_000_000))
    assert slow.refusals == (
        "too slow: one answer takes 90.0 ms, at most 6.0 ms are allowed, the champion 2.0 ms",
    )
    (large,) = verdict(P, own=Cost(0.002, 90_000_000)).refusals
    assert large == "too large: 90 MB, the champion 1 MB"
    assert cost(Cost(0.3, 1), None, 0.25)[0][0] is False
    assert cost(Cost(0.2, 1), None, 0.25)[0][0] is True
    assert verdict(P, own=Cost(0.0049, 1)).passed  # three times as slow as next to nothing


def test_work_is_timed_by_its_own_cpu_time() -> None:
    def work(rounds: int) -> Callable[[], int]:
        return lambda: sum(range(rounds))

    assert 0 < seconds_of(work(2_000)) < seconds_of(work(200_000))


def test_a_group_of_a_few_refuses_nobody_and_a_level_that_is_off_does() -> None:
    few = {"plan=trial": np.arange(P.size) < 40}
    assert broken_groups(Y, np.full(P.size, 0.4), few) == []
    off = np.where(REGIONS["region=E"], P / 3, P)
    lines = [line for passed, line in broken_groups(Y, off, REGIONS) if not passed]
    assert any("region=E" in line and "were foretold" in line for line in lines)
    assert not any("region=N" in line for line in lines)


def test_a_group_in_which_few_happened_to_complain_is_no_broken_group() -> None:
    """15 complained where 34 were foretold, each customer seen four times: chance does that."""
    said, came = np.full(800, 34 / 800), np.zeros(800)
    came[[0, 1, 2, 4, 8, 9, 12, 16, 17, 20, 24, 28, 29, 32, 36]] = 1
    whose = np.arange(800) // 4
    everybody = {"platform=web": np.ones(800, dtype=bool)}
    assert broken_groups(came, said, everybody, groups=whose) == [(True, "all 1 groups hold")]
    came[:] = 0
    assert broken_groups(came, said * 3, everybody, groups=whose)[0][0] is False


def test_what_training_found_of_a_feature_is_a_leak() -> None:
    assert ranking(Y, P, WHOSE, ["refund_id alone ranks later complaints"]) == [
        (False, "leaky: refund_id alone ranks later complaints")
    ]


def test_a_group_that_no_model_sees_is_served_no_worse_than_by_the_champion() -> None:
    """The vulnerable: no model is shown who they are, and each is judged on them."""
    vulnerable = REGIONS["region=S"]
    unseen = {"vulnerable": vulnerable}
    passed, line = uneven(Y, P, unseen, CHAMPION, WHOSE)[0]
    assert passed and "of the tenth of highest risk, of the others'" in line
    harmful = np.where(vulnerable, P / 3, P)
    (refused, line), (told, found) = uneven(Y, harmful, unseen, CHAMPION, WHOSE)
    assert not refused and told and line.startswith("uneven, the champion is not: broken group")
    assert found == (
        "vulnerable: 0% of their complaints are of the tenth of highest risk, of the others' 37%"
    )
    for champion in (harmful, None):  # as bad, or none: it is told, and keeps nobody back
        lines = uneven(Y, harmful, unseen, champion, WHOSE)
        assert all(held for held, _ in lines) and "no model at work is better" in lines[0][1]
    assert uneven(Y, harmful, {"vulnerable": np.arange(P.size) < 40}, CHAMPION, WHOSE) == []
