"""What numbers tell of a finished set: columns that know too much, ids that know anything.

Nothing here proves a leak; it says what no honest column of such data does. So the yardstick is
the set itself: what all *other* columns together can say of the outcome, learned on the rows that
train and asked on those that judge.

>>> auc(np.array([0, 0, 1, 1]), np.array([1.0, 2.0, 2.0, 3.0]))
0.875
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from data.arrays import Bools, Floats
from lab.leaks import KNOWS_THE_OUTCOME, Alarm

ALONE = 0.96
"""A column that ranks the outcome so well (AUC) is too good whatever the others do."""
BEYOND = 0.2
"""... or so far beyond all others together, from ``NOTED`` on."""
NOTED = 0.85
PURE = 0.5
"""A slice of rows nearly all with the outcome is too good where the others expect so much less."""
SURE = 4.5
"""Standard errors at which an order of ids is no accident."""
EFFECT = 0.2
"""... and the correlation that it must have, so that a drift that features miss is not blamed."""
FEWEST = 15
"""Rows of a slice, positives and negatives of a fold: with fewer nothing is said."""


def auc(y: npt.ArrayLike, score: Floats) -> float:
    """The area under the ROC curve, ties counting half; 0.5 where one class is missing."""
    positive = np.asarray(y) > 0
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if not ones or not zeros:
        return 0.5
    ranks = rankdata(score)
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def design(frame: pd.DataFrame, limit: int = 12) -> tuple[Floats, list[str]]:
    """Columns as numbers for a linear model, and the column that each is of: ranks, their squares,
    where they are null; the commonest texts as flags."""
    parts: list[Floats] = []
    owners: list[str] = []
    for name in frame.columns:
        values = frame[name]
        columns: list[Floats] = []
        if _numeric(values):
            numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
            null = np.isnan(numbers)
            place = (rankdata(np.where(null, 0.0, numbers)) - 0.5) / max(1, len(numbers)) - 0.5
            place = np.where(null, 0.0, place)
            columns = [place, place**2, null.astype(np.float64)]
        elif not pd.api.types.is_datetime64_any_dtype(values.dtype):
            texts = values.astype("str")
            common = texts.value_counts().index[:limit]
            columns = [(texts == text).to_numpy(dtype=np.float64, na_value=0.0) for text in common]
        columns = [column for column in columns if np.ptp(column) > 0]
        parts += columns
        owners += [str(name)] * len(columns)
    matrix = np.column_stack(parts) if parts else np.zeros((len(frame), 0))
    return matrix, owners


def _numeric(values: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(values.dtype))


def ridge(matrix: Floats, y: Floats, rows: Bools, strength: float = 3.0) -> Floats:
    """Least squares with a penalty, fitted on ``rows``; its prediction for every row."""
    mean = matrix[rows].mean(axis=0) if matrix.shape[1] else np.zeros(0)
    scale = matrix[rows].std(axis=0) + 1e-9
    scaled = (matrix - mean) / scale
    base = float(y[rows].mean())
    gram = scaled[rows].T @ scaled[rows] + strength * np.eye(matrix.shape[1])
    weights = np.linalg.solve(gram, scaled[rows].T @ (y[rows] - base))
    return np.asarray(base + scaled @ weights)


def residuals(frame: pd.DataFrame, label: npt.ArrayLike, training: Bools) -> Floats:
    """The outcome less what the features say of it (fitted on all labelled rows); NaN where there
    is no label. Columns that follow the places of the rows themselves do not take part."""
    y = np.asarray(label, dtype=np.float64)
    known = ~np.isnan(y)
    follows = following(frame)
    matrix, _ = design(frame[[name for name in frame.columns if str(name) not in follows]])
    if known.sum() < FEWEST:
        return np.full(len(y), np.nan)
    return np.where(known, y - ridge(matrix, np.where(known, y, 0.0), known), np.nan)


def following(frame: pd.DataFrame) -> list[str]:
    """Numeric columns that rise or fall with the place of the row: row numbers."""
    places = np.arange(len(frame), dtype=np.float64)
    names = []
    for name in frame.columns:
        if not _numeric(frame[name]) or frame[name].nunique() < 0.5 * len(frame):
            continue
        numbers = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        known = ~np.isnan(numbers)
        if abs(np.corrcoef(places[known], rankdata(numbers[known]))[0, 1]) > 0.95:
            names.append(str(name))
    return names


def order_knows(values: Sequence[Floats]) -> str | None:
    """Whether neighbours (or early and late) in an order share what the features leave unexplained.

    ``values``: residuals in that order, of one or several independent sets of rows that tell the
    same; they count as one set of their mean size, for what repeats itself is no news.
    """
    local, monotone, sizes = [], [], []
    for residuals in values:
        value = residuals[~np.isnan(residuals)]
        value = value - (value.mean() if len(value) else 0.0)
        power = float(value @ value)
        if len(value) < 2 * FEWEST or power == 0:
            continue
        local.append(sum(float(value[k:] @ value[:-k]) / power for k in (1, 2, 3)) / 3)
        monotone.append(float(np.corrcoef(np.arange(len(value)), value)[0, 1]))
        sizes.append(len(value))
    if not sizes:
        return None
    size = float(np.mean(sizes))
    for correlation, error, what in (
        (float(np.mean(local)), np.sqrt(1 / (3 * size)), "neighbours"),
        (abs(float(np.mean(monotone))), np.sqrt(1 / size), "place"),
    ):
        if correlation >= EFFECT and correlation >= SURE * error:
            return (
                f"correlation {correlation:.2f} of {what} with what the features leave "
                f"unexplained, {correlation / error:.0f} standard errors"
            )
    return None


def words_of_ids(left: Floats, ids: pd.Series) -> str | None:
    """Whether the letters of an id (its length, ends, parity) tell what features do not."""
    rows = pd.DataFrame({"id": ids.to_numpy(), "left": left}).dropna()
    per_id = rows.groupby("id")["left"].mean()
    if len(per_id) < 2 * FEWEST:
        return None
    text = per_id.index.to_series().astype("str")
    digits = pd.to_numeric(text.str.extract(r"(\d{1,15})\D*$")[0], errors="coerce")
    signs = {
        "length": text.str.len(),
        "first letter": text.str[:1],
        "first two letters": text.str[:2],
        "last letter": text.str[-1:],
        "parity": digits % 2,
        "rest by 3": digits % 3,
        "letters in capitals": text.str.isupper(),
    }
    value = per_id.to_numpy() - per_id.mean()
    variance = float(value.var()) or 1.0
    for what, sign in signs.items():
        groups = pd.Series(value).groupby(sign.astype("str").to_numpy())
        sizes, means = groups.size(), groups.mean()
        big = sizes >= FEWEST
        if big.sum() < 2:
            continue
        between = float((sizes[big] * means[big] ** 2).sum()) / variance
        free = int(big.sum()) - 1
        share = between / len(value)
        if between > free + 2 * SURE * np.sqrt(2 * free) + SURE**2 and share >= 0.05:
            return f"the {what} explains {share:.0%} of what the features leave unexplained"
    return None


def too_good(
    frame: pd.DataFrame, names: Sequence[str], label: npt.ArrayLike, training: Bools,
    evaluation: Bools,
) -> Iterator[Alarm]:  # fmt: skip
    """Columns that tell the outcome of the evaluation as no honest column does."""
    y = np.asarray(label, dtype=np.float64)
    known = ~np.isnan(y)
    train, judge = training & known, evaluation & known
    if min(y[judge].sum(), (1 - y[judge]).sum(), y[train].sum()) < FEWEST:
        return
    matrix, owners = design(frame[list(names)])
    owner = np.array(owners, dtype=object)
    filled = np.where(known, y, 0.0)
    scores = {name: _score(frame[name], filled, train) for name in names}
    for name in names:
        alone = auc(y[judge], scores[name][judge])
        in_training = auc(y[train], scores[name][train])
        best = min(max(alone, 1 - alone), max(in_training, 1 - in_training))
        expected: Floats | None = None
        if best >= NOTED:
            expected = _others(matrix, owner, filled, train, name)
            others = auc(y[judge], expected[judge])
            if best >= ALONE or best - others >= BEYOND:
                yield Alarm(
                    KNOWS_THE_OUTCOME, name,
                    f"alone it ranks the outcome with AUC {best:.3f}, all others together with "
                    f"{others:.3f}",
                )  # fmt: skip
                continue
        for rows, condition in _slices(frame[name]):
            rows = rows & (train | judge)
            size = int(rows.sum())
            if size < FEWEST or min((rows & train).sum(), (rows & judge).sum()) < 3:
                continue
            rate = float(y[rows].mean())
            if rate < 0.97 or y[rows & judge].mean() < 0.9 or rate - y[known].mean() < PURE:
                continue
            if expected is None:
                expected = _others(matrix, owner, filled, train, name)
            foreseen = float(expected[rows].mean())
            if rate - foreseen >= PURE:
                yield Alarm(
                    KNOWS_THE_OUTCOME, name,
                    f"where {condition}, {rate:.0%} of {size} rows have the outcome; all others "
                    f"together expect {max(0.0, foreseen):.0%}",
                )  # fmt: skip
                break


def _others(
    matrix: Floats, owner: npt.NDArray[np.object_], y: Floats, train: Bools, name: str
) -> Floats:
    """What the other columns say; those that are nearly the same column are not others."""
    own = matrix[:, owner == name]
    rest = np.flatnonzero(owner != name)
    if own.shape[1] and len(rest):
        both = np.corrcoef(own, matrix[:, rest], rowvar=False)
        near = np.abs(both[: own.shape[1], own.shape[1] :]).max(axis=0) > 0.95
        twins = set(owner[rest[near]])
        rest = np.array([at for at in rest if owner[at] not in twins], dtype=np.int64)
    return ridge(matrix[:, rest], y, train)


def _score(values: pd.Series, y: Floats, train: Bools) -> Floats:
    """A column as one number a row: itself, or the outcome's share per text among training rows."""
    if _numeric(values):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        lowest = np.nanmin(numbers) if (~np.isnan(numbers)).any() else 0.0
        return np.where(np.isnan(numbers), lowest - 1.0, numbers)
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return values.notna().to_numpy(dtype=np.float64)
    texts = values.astype("str").fillna("(null)")
    base = float(y[train].mean())
    by_text = pd.DataFrame({"text": texts[train], "y": y[train]}).groupby("text")["y"]
    means = (by_text.sum() + 10 * base) / (by_text.size() + 10)
    return texts.map(means).fillna(base).to_numpy(dtype=np.float64)


def _slices(values: pd.Series) -> Iterator[tuple[Bools, str]]:
    """Parts of the rows that a column can point at: a value, a null, either tail."""
    null = values.isna().to_numpy()
    if null.any():
        yield null, "it is null"
        yield ~null, "it is not null"
    counts = values.value_counts()
    for value in counts[counts >= FEWEST].index[:40]:
        yield (values == value).to_numpy(dtype=bool, na_value=False), f"it is {value}"
    if _numeric(values) and len(counts) > 2:
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        known = np.sort(numbers[~null])
        size = 2 * FEWEST
        while size < len(known) / 2:
            yield np.nan_to_num(numbers, nan=-np.inf) >= known[-size], f"it is {known[-size]:g} up"
            yield (
                np.nan_to_num(numbers, nan=np.inf) <= known[size - 1],
                f"up to {known[size - 1]:g}",
            )
            size *= 2
