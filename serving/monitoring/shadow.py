"""The challenger in the shadow: what it said of everybody each night, beside the champion.

Its scores are kept in the prediction log (``source`` shadow) and nowhere else: nobody is answered,
nothing is decided, published or sent by them. Once labels are complete both are held to what came.

>>> log = pd.DataFrame({
...     "source": ["published", "shadow"] * 2, "pseudonym": ["a", "a", "b", "b"],
...     "as_of": pd.to_datetime(["2026-03-01"] * 4), "risk_7d": [0.1, 0.2, 0.5, 0.4],
...     "model_version": ["risk-1", "risk-2"] * 2})
>>> pairs = pairs_of(log, "risk-2", 7)
>>> pairs["champion"].tolist(), pairs["challenger"].tolist()
([0.1, 0.5], [0.2, 0.4])
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.errors import DataError
from models.metrics import log_loss, paired_bootstrap
from serving.monitoring.finding import Finding

SHADOW = "shadow"
CALLED = 0.05
FEWEST = 10
"""Complaints below which the two are not judged by what came."""


def pairs_of(log: pd.DataFrame, challenger: str, horizon: int) -> pd.DataFrame:
    """``pseudonym, as_of, champion, challenger``: both risks of the same person and moment, of the
    prediction log's rows (serving/prediction_log.py)."""
    risk = f"risk_{horizon}d"
    if log.empty or risk not in log:
        return pd.DataFrame(columns=["pseudonym", "as_of", "champion", "challenger"])
    keys = ["pseudonym", "as_of"]
    sides = []
    for source, name in (("published", "champion"), (SHADOW, "challenger")):
        rows = log[log["source"] == source]
        if source == SHADOW:
            rows = rows[rows["model_version"] == challenger]
        rows = rows.drop_duplicates(keys, keep="last")
        sides.append(rows[[*keys, risk]].rename(columns={risk: name}))
    return sides[0].merge(sides[1], on=keys)


def shadow_findings(
    pairs: pd.DataFrame, challenger: str, horizon: int, y: pd.Series | None = None, seed: int = 0
) -> list[Finding]:
    """What the monitor says of a challenger: how it differs, and who was right.

    ``y``: by pseudonym and as-of (the pairs' index), NaN where the label is not complete.
    """
    what = f"challenger {horizon} d"
    if pairs.empty:
        text = f"{challenger} was not scored in the shadow yet; the next night does it"
        return [Finding("predictions", what, "too early", text)]
    own, other = pairs["champion"].to_numpy(float), pairs["challenger"].to_numpy(float)
    called = max(int(np.ceil(CALLED * len(pairs))), 1)
    same = len(set(np.argsort(-own)[:called]) & set(np.argsort(-other)[:called])) / called
    text = (
        f"{challenger} in the shadow, {horizon} days: {other.sum():.0f} complaints foretold of "
        f"{len(pairs)} customers x nights, the champion {own.sum():.0f}; of the {called} it would "
        f"call first {same:.0%} are the champion's"
    )
    if y is None:
        return [Finding("predictions", what, "ok", text)]
    came = np.asarray(y, float)
    known = np.isfinite(came)
    if came[known].sum() < FEWEST:
        text += f"; {int(came[known].sum())} complaints came so far, too few to judge by"
        return [Finding("predictions", what, "ok", text)]
    try:
        gain = paired_bootstrap(
            log_loss,
            came[known],
            own[known],
            other[known],
            pairs["pseudonym"].to_numpy()[known],
            seed,
            resamples=200,
            level=0.95,
        )
    except DataError as error:
        return [Finding("predictions", what, "ok", f"{text}; not judged: {error}")]
    ahead = "ahead" if gain.low > 0 else "behind" if gain.high < 0 else "level within noise"
    text += (
        f"; log loss {log_loss(came[known], other[known]):.4f}, the champion's "
        f"{log_loss(came[known], own[known]):.4f}: {ahead}"
    )
    act = "`presage models DIR promote --version N` puts it to work." if gain.low > 0 else ""
    return [
        Finding(
            "predictions", what, "notice" if act else "ok", text, act,
            value=gain.estimate, low=gain.low, high=gain.high,
        )
    ]  # fmt: skip
