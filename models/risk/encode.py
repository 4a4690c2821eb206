"""From a feature frame to the float32 matrix that every part of a risk model reads.

Numbers stay what they are (NaN: not known), categories become the position of their value in the
model's own dictionary, which travels with the model. A value that the dictionary lacks (a new
region, a new plan) is NaN, which is what "not known" looks like to trees and regression alike.

>>> import pandas as pd
>>> seen = pd.DataFrame({"region": pd.Categorical(["north", "south", "north"]), "n": [1, 2, 3]})
>>> encoder = learn_encoder(seen, ["region", "n"])
>>> encoder.matrix(pd.DataFrame({"region": ["south", "mars"], "n": [5, None]}))
array([[ 1.,  5.],
       [nan, nan]], dtype=float32)
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Ints
from data.errors import DataError, did_you_mean

Matrix = npt.NDArray[np.float32]

FEW = 1000
"""Rows up to which numbers become a matrix in one step: quicker by far for one, but a second copy
of them all."""
KEYS = ("customer_id", "as_of")
"""Who and when: columns of a feature frame that are not features."""


@dataclass(frozen=True)
class Encoder:
    """The columns of the matrix in order, and the dictionary of each that is a category."""

    columns: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]

    @property
    def categorical(self) -> tuple[int, ...]:
        """Positions of the columns that hold codes."""
        return tuple(at for at, name in enumerate(self.columns) if name in self.categories)

    def matrix(self, frame: pd.DataFrame) -> Matrix:
        """One row per row of ``frame``, one column per feature, C order.

        Raises DataError for a feature that the frame lacks or that is not a number.
        """
        out = np.empty((len(frame), len(self.columns)), dtype=np.float32)
        there, in_one_step = set(frame.columns), set[int]()
        if len(frame) <= FEW:
            plain = [at for at, name in enumerate(self.columns) if name not in self.categories]
            names = [self.columns[at] for at in plain]
            # where it cannot be done so, the columns are told apart below
            with contextlib.suppress(KeyError, TypeError, ValueError):
                out[:, plain] = frame[names].to_numpy(dtype=np.float32)
                in_one_step = set(plain)
        for at, name in enumerate(self.columns):
            if at in in_one_step:
                continue
            if name not in there:
                raise DataError(
                    f"the feature {name!r}, which this model was trained on, is missing."
                    f"{did_you_mean(name, map(str, frame.columns))}"
                )
            if name in self.categories:
                out[:, at] = _codes(frame[name], self.categories[name])
            else:
                out[:, at] = _numbers(frame[name])
        return out

    def to_json(self) -> dict[str, Any]:
        """As JSON values; ``encoder_from_json`` is the way back."""
        return {"columns": list(self.columns), "categories": _lists(self.categories)}


def learn_encoder(frame: pd.DataFrame, columns: Sequence[str]) -> Encoder:
    """The encoder of ``columns``; text and category columns get their sorted values as codes."""
    categories = {
        name: tuple(sorted(str(value) for value in frame[name].dropna().unique()))
        for name in columns
        if _is_text(frame[name])
    }
    return Encoder(tuple(columns), MappingProxyType(categories))


def encoder_from_json(document: Mapping[str, Any]) -> Encoder:
    categories = {name: tuple(values) for name, values in document["categories"].items()}
    return Encoder(tuple(document["columns"]), MappingProxyType(categories))


def feature_columns(frame: pd.DataFrame) -> list[str]:
    """Every column of a feature frame but who and when, in order."""
    return [str(name) for name in frame.columns if name not in KEYS]


def varying(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """The columns that tell one customer from another at some as-of time (missing is a value).

    What is equal for everybody at every time (a trend of all complaints) says nothing of who, and
    of when it says as much as there are as-of times: a few dozen, too few to learn from. The level
    is tracked apart (models/risk/level.py).
    """
    _, first, of_row = np.unique(frame["as_of"].to_numpy(), return_index=True, return_inverse=True)
    return [name for name in columns if _differs(frame[name], first[of_row])]


def _differs(values: pd.Series, beside: Ints) -> bool:
    """Whether any value is another than the value in the row ``beside`` it."""
    codes = (
        pd.factorize(values)[0]
        if _is_text(values)
        else values.to_numpy(np.float64, na_value=np.nan)
    )
    return not np.array_equal(codes, codes[beside], equal_nan=codes.dtype.kind == "f")


def _codes(values: pd.Series, dictionary: Sequence[str]) -> npt.NDArray[np.float32]:
    if isinstance(values.dtype, pd.CategoricalDtype):
        position = {value: float(at) for at, value in enumerate(dictionary)}
        of_level = np.array(
            [position.get(str(level), np.nan) for level in values.cat.categories] + [np.nan],
            dtype=np.float32,
        )
        return of_level[values.cat.codes.to_numpy()]
    position = {value: float(at) for at, value in enumerate(dictionary)}
    codes = [np.nan if pd.isna(value) else position.get(str(value), np.nan) for value in values]
    return np.array(codes, dtype=np.float32)


def _numbers(values: pd.Series) -> npt.NDArray[np.float32]:
    try:
        return values.to_numpy(dtype=np.float32, na_value=np.nan)
    except (TypeError, ValueError) as problem:
        raise DataError(
            f"the feature {values.name!r} is of type {values.dtype}; this model was trained on "
            "numbers there"
        ) from problem


def _is_text(values: pd.Series) -> bool:
    if isinstance(values.dtype, pd.CategoricalDtype):
        return True
    return not (
        pd.api.types.is_numeric_dtype(values.dtype) or pd.api.types.is_bool_dtype(values.dtype)
    )


def _lists(of: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {name: list(values) for name, values in of.items()}
