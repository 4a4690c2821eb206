"""Two models on the same nights: what each said of everybody, and who was right.

The challenger's scores are kept in the prediction log (``source`` shadow) and nowhere else: nobody
is answered, nothing is decided, published or sent by them. Once the windows are over both are held
to what came, on the same rows and the same draws of customers.

>>> scores = {"pseudonym": ["a", "b"], "as_of": pd.to_datetime(["2026-03-01"] * 2),
...           "outcome": [0.0, 1.0], "weight": 1.0}
>>> champion = pd.DataFrame({**scores, "value": [0.1, 0.5]})
>>> challenger = pd.DataFrame({**scores, "value": [0.2, 0.4]})
>>> pairs_of(champion, challenger)[["champion", "challenger"]].values.tolist()
[[0.1, 0.2], [0.5, 0.4]]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from data.errors import DataError
from models.bootstrap import Interval, bootstrap, paired_bootstrap, with_weights
from models.metrics import average_precision, log_loss, observed_over_predicted, roc_auc
from serving.monitoring.finding import Finding
from serving.monitoring.live import FEWEST, MOMENTS
from serving.prediction_outcomes import Night, apart

SHADOW = "shadow"
CALLED = 0.05
KEYS = ["pseudonym", "as_of"]
PAIRS = [*KEYS, "champion", "challenger", "outcome", "weight"]
FIGURES = {
    "log loss": log_loss,
    "average precision": average_precision,
    "AUC": roc_auc,
    "observed over predicted": observed_over_predicted,
}


def pairs_of(champion: pd.DataFrame, challenger: pd.DataFrame) -> pd.DataFrame:
    """``PAIRS``: both scores of the same person and moment with what came (NaN: not known), of rows
    of the prediction log (serving/prediction_outcomes.py)."""
    if champion.empty or challenger.empty:
        return pd.DataFrame(columns=PAIRS)
    own = champion.drop_duplicates(KEYS, keep="last").rename(columns={"value": "champion"})
    other = challenger.drop_duplicates(KEYS, keep="last").rename(columns={"value": "challenger"})
    for name, unknown in (("outcome", np.nan), ("weight", 1.0)):
        if name not in own:
            own[name] = unknown
    return own[[*KEYS, "champion", "outcome", "weight"]].merge(
        other[[*KEYS, "challenger"]], on=KEYS
    )[PAIRS]


def night_pairs(
    champion: Sequence[Night], challenger: Sequence[Night], horizon: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """``pairs_of`` the newest night that both have, and of those with outcomes, a week apart."""
    beside = {night.as_of: night for night in reversed(champion)}
    both = [(beside[night.as_of], night) for night in challenger if night.as_of in beside]
    if not both:
        return pd.DataFrame(columns=PAIRS), pd.DataFrame(columns=PAIRS)
    newest = pairs_of(*(night.scores(horizon) for night in both[0]))
    of = {night.as_of: own for own, night in both}
    over = [night for own, night in both if own.joined(horizon) and night.joined(horizon)]
    parts = [
        pairs_of(of[night.as_of].outcomes(horizon), night.outcomes(horizon))
        for night in apart(over, MOMENTS)
    ]
    return newest, pd.concat(parts, ignore_index=True) if parts else newest.iloc[:0]


def shadow_findings(
    newest: pd.DataFrame, outcomes: pd.DataFrame, challenger: str, horizon: int, seed: int = 0
) -> list[Finding]:
    """What the monitor says of a challenger: how it differs on the newest night, and who was right
    on those with outcomes (``night_pairs``)."""
    what = f"challenger {horizon} d"
    if newest.empty:
        text = f"{challenger} was not scored in the shadow yet; the next night does it"
        return [Finding("predictions", what, "too early", text)]
    own, other = newest["champion"].to_numpy(float), newest["challenger"].to_numpy(float)
    called = max(int(np.ceil(CALLED * len(newest))), 1)
    same = len(set(np.argsort(-own)[:called]) & set(np.argsort(-other)[:called])) / called
    text = (
        f"{challenger} in the shadow, {horizon} days: {other.sum():.0f} complaints foretold of "
        f"{len(newest)} customers, the champion {own.sum():.0f}; of the {called} it would call "
        f"first {same:.0%} are the champion's"
    )
    complaints = int(outcomes["outcome"].sum())
    if complaints < FEWEST:
        text += f"; {complaints} complaints came so far, too few to judge by"
        return [Finding("predictions", what, "ok", text)]
    try:
        figures = compared(outcomes, ("log loss",), seed)["log loss"]
    except DataError as error:
        return [Finding("predictions", what, "ok", f"{text}; not judged: {error}")]
    champion, own_loss, loss = figures
    ahead = "ahead" if loss.high < 0 else "behind" if loss.low > 0 else "level within noise"
    text += f"; log loss {own_loss.estimate:.4f}, the champion's {champion.estimate:.4f}: {ahead}"
    act = "`presage models DIR promote --version N` puts it to work." if loss.high < 0 else ""
    return [
        Finding(
            "predictions", what, "notice" if act else "ok", text, act,
            value=-loss.estimate, low=-loss.high, high=-loss.low,
        )
    ]  # fmt: skip


def compared(
    pairs: pd.DataFrame, names: Sequence[str] = tuple(FIGURES), seed: int = 0
) -> dict[str, tuple[Interval, Interval, Interval]]:
    """By figure: the champion's, the challenger's, and the second less the first, each with its
    95 % interval over resampled customers. DataError where a figure is undefined on these rows."""
    y, weight = (pairs[name].to_numpy(np.float64) for name in ("outcome", "weight"))
    groups = pairs["pseudonym"].to_numpy()
    predictions = [
        (pairs[name].to_numpy(np.float64), weight) for name in ("champion", "challenger")
    ]
    figures = {}
    for name in names:
        metric = with_weights(FIGURES[name])
        one, other = (
            bootstrap(metric, y, each, groups=groups, seed=seed, resamples=200)
            for each in predictions
        )
        difference = paired_bootstrap(
            metric, y, predictions[1], predictions[0], groups, seed, resamples=200
        )
        figures[name] = one, other, difference
    return figures
