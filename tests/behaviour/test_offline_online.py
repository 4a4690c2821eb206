"""What the gate's figures say of models, the complaints that they avert say too."""

from __future__ import annotations

from benchmarks.offline_online import MODELS, agreement, trials


def test_the_better_model_offline_averts_more_complaints_online() -> None:
    of = trials(customers=1200, seed=3, months=10).set_index("model")
    assert set(of.index) == set(MODELS)
    for figure in ("log_loss", "average_precision"):
        assert agreement(of, figure) >= 0.7
        turned = of.assign(**{figure: -of[figure]})
        assert agreement(turned, figure) <= -0.7
    assert of.loc["all features", "averted"] > 1.5 * of.loc["spend", "averted"] > 0
