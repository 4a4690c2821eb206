"""The risk model in scikit-learn's shape.

``X`` is best what ``compute`` returns: with ``customer_id`` and ``as_of`` it is known who and when,
and the whole model is learned (``models.risk.train_risk``). A plain matrix says neither; from one
the model's trees alone are learned, each row by itself.

>>> rng = np.random.default_rng(0)
>>> X = rng.normal(size=(400, 3))
>>> y = X[:, 0] + rng.normal(size=400) > 1
>>> RiskClassifier(horizon_days=14).fit(X, y).predict_proba(X).shape
(400, 2)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from data.arrays import Floats
from models.risk.settings import RiskSettings
from models.risk.train import train_risk
from models.risk.trees import TreeSettings, grow, raw_score

KEYS = ("customer_id", "as_of")
PLAIN_TREES = 100


class RiskClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """P(complaint within ``horizon_days``), fitted and asked like any scikit-learn classifier.

    ``settings``: a ``models.risk.settings.RiskSettings``; None: the defaults. After ``fit``:
    ``classes_``, ``n_features_in_`` and ``model_``, a ``RiskModel`` or, of a plain matrix, a
    LightGBM booster.
    """

    def __init__(
        self,
        horizon_days: int = 14,
        *,
        random_state: int = 0,
        n_jobs: int = 1,
        settings: RiskSettings | None = None,
    ) -> None:
        self.horizon_days = horizon_days
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.settings = settings

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Learn from rows ``X`` (rows x features) whether they complained, ``y`` (two classes), or
        of rows with who and when the frame of ``labels``.

        ``sample_weight`` (a number a row) is for plain matrices; rows with who and when are
        weighed by their age.
        """
        if not isinstance(self.horizon_days, int | np.integer) or self.horizon_days < 1:
            raise ValueError(
                f"horizon_days: expected whole days, such as 14; found {self.horizon_days!r}"
            )
        if _knows_who_and_when(X):
            return self._fit_rows(X, y, sample_weight)
        matrix, y = validate_data(self, X, y, dtype=np.float32, ensure_all_finite="allow-nan")
        codes = self._classes_of(y)
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        counted = weights > 0
        if len(np.unique(codes[counted])) < 2:
            raise ValueError("expected rows of two classes with a weight above 0; found one class")
        self.model_ = self._grown(matrix[counted], codes[counted], weights[counted])
        return self

    def _fit_rows(self, X: pd.DataFrame, y: Any, sample_weight: npt.ArrayLike | None) -> Self:
        if sample_weight is not None:
            raise ValueError("sample_weight: expected None where rows say who and when")
        name = f"label_{self.horizon_days}d"
        features = X.reset_index(drop=True)
        if isinstance(y, pd.DataFrame):
            if name not in y.columns:
                raise ValueError(f"y: expected a column {name}; found {list(y.columns)}")
            labels = y.reset_index(drop=True)
            self.classes_ = np.array([0, 1])
        else:
            codes = self._classes_of(np.asarray(y))
            if len(codes) != len(features):
                raise ValueError(f"y: expected {len(features)} values as X; found {len(codes)}")
            labels = features[list(KEYS)].assign(**{name: codes.astype(np.float64)})
            labels[f"contact_{self.horizon_days}d"] = labels[name]
            labels[f"tickets_{self.horizon_days}d"] = labels[name]
            labels["next_topic"] = labels["next_channel"] = None
        settings = replace(self.settings or RiskSettings(), num_threads=self.n_jobs)
        self.model_ = train_risk(
            features,
            labels,
            horizons=(int(self.horizon_days),),
            seed=self.random_state,
            settings=settings,
        )
        self.feature_names_in_ = np.asarray(features.columns, dtype=object)
        self.n_features_in_ = features.shape[1]
        return self

    def _classes_of(self, y: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Each row's class, 0 or 1, in the order of ``classes_``."""
        check_classification_targets(y)
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        if len(self.classes_) != 2:
            kind = type_of_target(y, input_name="y", raise_unknown=True)
            raise ValueError(
                "Only binary classification is supported. The type of the target is "
                f"{kind}: expected two classes, complaint or not; found {len(self.classes_)} class"
                f"{'' if len(self.classes_) == 1 else 'es'}"
            )
        return codes.astype(np.int64)

    def _grown(self, matrix: Any, codes: npt.NDArray[np.int64], weights: Floats) -> Any:
        trees = self.settings.trees if self.settings else TreeSettings()
        smallest = max(1, min(trees.min_rows_in_leaf, len(matrix) // 20))
        return grow(
            matrix,
            codes.astype(np.float64),
            weights,
            (),
            replace(trees, min_rows_in_leaf=smallest, ridge=min(trees.ridge, len(matrix) / 100)),
            rounds=PLAIN_TREES,
            seed=self.random_state,
            num_threads=self.n_jobs,
        )

    def predict_proba(self, X: Any) -> Floats:
        """The probability of each class (rows x 2), in the order of ``classes_``."""
        check_is_fitted(self)
        if hasattr(self.model_, "encoder"):
            if not _knows_who_and_when(X):
                raise ValueError(f"X: expected a frame with {' and '.join(KEYS)}, as in fit")
            risk = self.model_.predict(X, choices=False)[f"risk_{self.horizon_days}d"].to_numpy()
        else:
            matrix = validate_data(
                self, X, dtype=np.float32, ensure_all_finite="allow-nan", reset=False
            )
            risk = expit(raw_score(self.model_, matrix, num_threads=self.n_jobs))
        return np.column_stack([1 - risk, risk])

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The likelier class of each row."""
        likelier = self.predict_proba(X)[:, 1] > 0.5
        labels: npt.NDArray[Any] = self.classes_[likelier.astype(np.int64)]
        return labels


def _knows_who_and_when(X: Any) -> bool:
    return isinstance(X, pd.DataFrame) and set(KEYS) <= set(X.columns)
