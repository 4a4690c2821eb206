"""Rows of an export that no table takes: which, and why, as the quarantine keeps them.

>>> faults = Faults("calls.csv")
>>> index = pd.Index([1, 2, 3])
>>> values = pd.Series(["5", "x", "7"], index=index)
>>> faults.add("y", values, values == "x", "is not a number", "write it like 1234.5")
>>> faults.rows("volumes")[["row", "column", "value"]].to_dict("records")
[{'row': 2, 'column': 'y', 'value': 'x'}]
>>> faults.add("y", values, values != "x", "is not a number", "write it like 1234.5")
Traceback (most recent call last):
...
data.errors.DataError: calls.csv row 1, column y: '5' is not a number (2 of 3 rows); write it like 1234.5
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from data.errors import DataError

ASIDE = ("table", "file", "row", "column", "rule", "value", "fix")
"""What is told of a row that is set aside."""
MOST = 0.5
"""The share of a column's values above which not the values are wrong but how they are read."""
SHOWN = 3


@dataclass(frozen=True)
class Faults:
    """The rows of one file that are set aside, as its columns are read. ``at``: of which sheet."""

    file: str
    at: str = ""
    parts: list[pd.DataFrame] = field(default_factory=list)

    def add(self, column: str, values: pd.Series, wrong: pd.Series, rule: str, fix: str) -> None:
        """Set rows aside for what ``values`` hold there, numbered as the index has them.

        DataError where it is most of the values: then the file is meant otherwise as a whole.
        """
        bad = values[wrong.to_numpy(dtype=bool, na_value=False)]
        if bad.empty:
            return
        there = len(values) if bad.isna().any() else int(values.notna().sum())
        if len(bad) > MOST * there:
            value = "it" if pd.isna(bad.iloc[0]) else repr(bad.iloc[0])
            raise DataError(
                f"{self.file}{self.at} row {bad.index[0]}, column {column}: {value} {rule} "
                f"({len(bad):,} of {there:,} rows); {fix}"
            )
        part = pd.DataFrame({"row": bad.index, "value": bad.to_numpy(dtype=object)})
        self.parts.append(part.assign(column=column, rule=rule + self.at, fix=fix))

    def lines(self, broken: Sequence[tuple[int, str, str]]) -> None:
        """Set aside lines that cannot be cut into columns: number, text and why of each."""
        for number, text, why in broken:
            line = {"row": number, "value": text, "column": None, "rule": "broken line", "fix": why}
            self.parts.append(pd.DataFrame([line]))

    def good_rows(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows of ``frame`` that stand in the file's index and were not set aside.

        DataError where none is left.
        """
        numbers = {n for one in self.parts if one["column"].notna().all() for n in one["row"]}
        good = frame[~frame.index.isin(numbers)]
        if len(frame) and good.empty:
            raise DataError(
                f"{self.file}{self.at} has no row that can be read: "
                + "; ".join(notes_of("rows", self.file, self.rows("rows")))
            )
        return good.reset_index(drop=True)

    def rows(self, table: str) -> pd.DataFrame:
        """The rows set aside, as the quarantine keeps them (``ASIDE``)."""
        if not self.parts:
            return pd.DataFrame(columns=list(ASIDE))
        whole = pd.concat(self.parts, ignore_index=True).assign(table=table, file=self.file)
        return whole[list(ASIDE)]


def notes_of(name: str, label: str, aside: pd.DataFrame) -> list[str]:
    """One note for each rule that rows of ``label`` broke."""
    if aside.empty:
        return []
    lines = []
    for (column, rule, fix), rows in aside.groupby(["column", "rule", "fix"], dropna=False):
        examples = ", ".join(
            f"row {row}: {value!r}" for row, value in rows[["row", "value"]].head(SHOWN).to_numpy()
        )
        lines.append(
            f"{name}: {len(rows):,} rows of {label} are set aside: "
            f"{'' if pd.isna(column) else f'{column}: '}{rule} ({examples}); {fix}"
        )
    return lines
