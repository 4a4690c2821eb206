"""Was a column fitted on all rows? Its numbers say so: they add up over all rows, not over some.

A scaler leaves a mean of exactly 0, an encoder of means values that are the means of their own
rows, an imputer a value that is the mean of the others. Where that holds for all rows together
and not for those that train, the evaluation was in the fit. Such sums do not come about by chance,
so a match is as good as a confession.

>>> x = pd.Series([1.0, 2.0, 3.5, 10.0])
>>> training = np.array([True, True, True, False])
>>> confession(x - x.mean(), np.array([0, 1, 0, 1]), training)
'its mean is 0 over all rows, and -1.96 over those that train'
>>> confession(x - x[training].mean(), np.array([0, 1, 0, 1]), training) is None
True
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from data.arrays import Bools, Floats
from lab.leaks import FITTED_ON_EVERYTHING, Alarm

EXACT = 1e-6
"""Relative difference up to which a sum counts as met (columns may be float32)."""
APART = 1e-3
"""... and from which it counts as missed."""
MOST_GROUPS = 400
"""Encoders have a value a category; with more distinct values a column is none."""


def fitted_on_everything(
    frame: pd.DataFrame, names: Sequence[str], label: npt.ArrayLike, training: Bools,
    evaluation: Bools,
) -> Iterator[Alarm]:  # fmt: skip
    """An alarm for every column that only all rows together explain."""
    used = training | evaluation
    rows = frame[used].reset_index(drop=True)
    train = training[used]
    if train.all() or not train.any():
        return
    y = np.asarray(label, dtype=np.float64)[used]
    groups = {str(n): rows[n].astype("str").fillna("(null)") for n in rows.columns if _few(rows[n])}
    for name in names:
        values = rows[name]
        if not pd.api.types.is_numeric_dtype(values.dtype) or values.nunique() < 3:
            continue
        others = {key: texts for key, texts in groups.items() if key != name}
        evidence = confession(values, y, train, others)
        if evidence is not None:
            yield Alarm(FITTED_ON_EVERYTHING, name, evidence)


def _few(values: pd.Series) -> bool:
    return not pd.api.types.is_float_dtype(values.dtype) and 2 <= values.nunique() <= MOST_GROUPS


def confession(
    values: pd.Series, label: npt.ArrayLike, training: Bools,
    groups: Mapping[str, pd.Series] | None = None,
) -> str | None:  # fmt: skip
    """What gives a column away as fitted on all rows; None where nothing does."""
    x = values.to_numpy(dtype=np.float64, na_value=np.nan)
    y = np.asarray(label, dtype=np.float64)
    for test in (_centred, _stretched, _ranked, _filled, _binned):
        evidence = test(x, training)
        if evidence is not None:
            return evidence
    evidence = _means_of_outcome(x, y, training) or _counts(x, training)
    for name, texts in (groups or {}).items():
        evidence = evidence or _left_one_out(x, y, training, texts, name)
    return evidence


def _scale(x: Floats) -> float:
    return float(np.nanstd(x)) or 1.0


def _centred(x: Floats, training: Bools) -> str | None:
    """Standardised, or a principal component."""
    off, own = float(np.nanmean(x)), float(np.nanmean(x[training]))
    if abs(off) <= EXACT * _scale(x) and abs(own) > APART * _scale(x) and not _integers(x):
        return f"its mean is 0 over all rows, and {own:.3g} over those that train"
    return None


def _stretched(x: Floats, training: Bools) -> str | None:
    """Between 0 and 1, each reached once, and one of them by a row of the evaluation."""
    known = x[~np.isnan(x)]
    if known.min() != 0 or abs(known.max() - 1) > EXACT or len(np.unique(known)) < 30:
        return None
    low, high = float(np.nanmin(x[training])), float(np.nanmax(x[training]))
    once = min((known == 0).sum(), (known > 1 - EXACT).sum()) == 1
    even = any(_steps(known, parts) for parts in (int(training.sum()), len(x)))
    if not once or even or _shares(known) or (low == 0 and high > 1 - EXACT):
        return None
    return (
        f"it goes from 0 to 1 over all rows, and from {low:.3g} to {high:.3g} over those to train"
    )


def _shares(x: Floats) -> bool:
    """Ratios of small counts, which reach 0 and 1 by themselves."""
    small = np.zeros(len(x), dtype=bool)
    for parts in range(1, 41):
        small |= np.abs(x * parts - np.rint(x * parts)) < 1e-5
    return float(small.mean()) > 0.9


def _steps(x: Floats, parts: int) -> bool:
    """Even steps, as ranks among so many rows have, of whichever rows."""
    return bool((np.abs(x * parts - np.rint(x * parts)) < 1e-5 * parts).all())


def _integers(x: Floats) -> bool:
    known = x[~np.isnan(x)]
    return bool((known == np.rint(known)).all())


def _ranked(x: Floats, training: Bools) -> str | None:
    """Ranks over all rows, as counts or shares."""
    known = ~np.isnan(x)
    size = int(known.sum())
    if len(np.unique(x[known])) < max(20, size // 10):
        return None
    ranks = {m: rankdata(x[known], m) for m in ("average", "min", "max")}
    for rank in ranks.values():
        top = float(rank.max())
        for scaled in (rank, rank - 1, rank / top, (rank - 1) / (top - 1), (rank - 0.5) / size):
            if np.allclose(x[known], scaled, rtol=EXACT, atol=EXACT):
                return f"it is the rank among all {size} rows, those of the evaluation included"
    return None


def _filled(x: Floats, training: Bools) -> str | None:
    """One value, again and again, that is the mean (or median) of all the others."""
    known = x[~np.isnan(x)]
    distinct, counts = np.unique(known, return_counts=True)
    for value in distinct[np.argsort(counts)[::-1][:3]]:
        many = x == value
        if many.sum() < 5:
            return None
        rest = ~many & ~np.isnan(x)
        if (rest & training).sum() < 10 or len(np.unique(x[rest])) < 10:
            continue
        for word, middle in (("mean", np.mean), ("median", np.median)):
            whole, own = float(middle(x[rest])), float(middle(x[rest & training]))
            near = EXACT * max(1e-9, abs(whole))
            if abs(value - whole) <= near and abs(value - own) > APART * _scale(x[rest]):
                return (
                    f"{value:.6g}, which {int(many.sum())} rows have, is the {word} of all others; "
                    f"of those that train it is {own:.6g}"
                )
    return None


def _binned(x: Floats, training: Bools) -> str | None:
    """Bins that are equally full over all rows, and not over those that train."""
    known = ~np.isnan(x)
    if not _integers(x):
        return None
    bins, whole = np.unique(x[known], return_counts=True)
    if not 4 <= len(bins) <= 100 or whole.min() < 10 or np.ptp(bins) != len(bins) - 1:
        return None
    own = np.array([(x[training] == b).sum() for b in bins])
    if np.ptp(whole) <= 1 and np.ptp(own) > max(3, 0.02 * own.mean()):
        return (
            f"each of its {len(bins)} values has {whole.min()} to {whole.max()} of all rows, and "
            f"{own.min()} to {own.max()} of those that train"
        )
    return None


def _means_of_outcome(x: Floats, y: Floats, training: Bools) -> str | None:
    """A value per category that is the (smoothed) share of the outcome in its own rows.

    With a prior p of the weight of m rows the value v of n rows, s of them with the outcome, has
    v n - s = m p - m v: a line in v, whatever m and p are. Log odds are tried as well.
    """
    usable = ~np.isnan(x) & ~np.isnan(y)
    distinct = np.unique(x[usable])
    if not 4 <= len(distinct) <= MOST_GROUPS:
        return None
    at = np.searchsorted(distinct, x[usable])

    def tally(rows: Bools) -> tuple[Floats, Floats]:
        counted = np.bincount(at[rows], minlength=len(distinct)).astype(np.float64)
        outcomes = np.bincount(at[rows], y[usable][rows], minlength=len(distinct))
        return counted, outcomes.astype(np.float64)

    every = np.ones(len(at), dtype=bool)
    n, s = tally(every)
    if np.ptp(n) == 0 or n.max() < 4 or np.ptp(s / n) == 0:
        return None
    own_n, own_s = tally(training[usable])
    for word, matches in (("share", _on_a_line), ("log odds", _by_log_odds)):
        if matches(distinct, n, s) and not matches(distinct, own_n, own_s):
            return (
                f"its values are the {word} of the outcome in their rows, the evaluation included"
            )
    return None


def _on_a_line(v: Floats, n: Floats, s: Floats) -> bool:
    there = n > 0
    v, n, s = v[there], n[there], s[there]
    if len(v) < 4:
        return False
    line = np.column_stack([np.ones(len(v)), -v])
    left = v * n - s
    (prior, weight), *_ = np.linalg.lstsq(line, left, rcond=None)
    if weight < -EXACT * n.max() or np.ptp(v) == 0:
        return False
    error = np.abs(left - line @ np.array([prior, weight]))
    return bool((error <= 1e-4 * np.maximum(1.0, np.abs(v * n) + np.abs(s)) / 10).all())


def _by_log_odds(v: Floats, n: Floats, s: Floats) -> bool:
    there = n > 0
    v, n, s = v[there], n[there], s[there]
    for added in (0.0, 0.5, 1.0):
        inside = (s + added > 0) & (n - s + added > 0)
        if inside.sum() < 4:
            continue
        off = v[inside] - np.log((s[inside] + added) / (n[inside] - s[inside] + added))
        if np.ptp(off) <= 1e-5 * max(1.0, float(np.abs(v).max())):
            return True
    return False


def _counts(x: Floats, training: Bools) -> str | None:
    """A value per category that is the number (or share) of its own rows.

    Categories of equal size share a value v, so the rows that have it are a multiple of v.
    """
    known = x[~np.isnan(x)]
    distinct, whole = np.unique(known, return_counts=True)
    if not 4 <= len(distinct) <= MOST_GROUPS or distinct.min() <= 0:
        return None
    own = np.array([(x[training] == v).sum() for v in distinct])
    rows, rows_own = len(known), int(training.sum())
    for times, times_own, word in ((1.0, 1.0, "number"), (rows, rows_own, "share")):
        v, v_own = distinct * times, distinct * times_own
        if np.abs(v - np.rint(v)).max() > 1e-3 or v.max() < 4:
            continue
        if (v < 1.5).all() or len(np.unique(np.rint(v))) < 4:
            continue
        fits = (whole % np.rint(v) == 0).all()
        mine = (np.abs(v_own - np.rint(v_own)) < 1e-3).all() and (
            own % np.maximum(1, np.rint(v_own)) == 0
        ).all()
        if fits and not mine:
            return f"its values are the {word} of the rows that have them, the evaluation included"
    return None


def _left_one_out(x: Floats, y: Floats, training: Bools, texts: pd.Series, name: str) -> str | None:
    """The mean of the outcome in the other rows of the category: lower where the row has it."""
    usable = ~np.isnan(x) & ~np.isnan(y)
    rows = pd.DataFrame({"text": texts.to_numpy(), "x": x, "y": y})[usable]
    group = rows.groupby("text")["y"]
    n, s = group.transform("size"), group.transform("sum")
    if (n < 2).mean() > 0.2 or rows["text"].nunique() < 2:
        return None
    several = (n > 1).to_numpy()
    expected = ((s - rows["y"]) / (n - 1).clip(lower=1)).to_numpy()[several]
    if np.ptp(expected) > 0 and np.allclose(
        rows["x"].to_numpy()[several], expected, rtol=1e-5, atol=1e-6
    ):
        return f"it is the share of the outcome in the other rows of the {name}, all rows included"
    return None
