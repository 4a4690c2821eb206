"""Columns of equal length that grow and shrink together: the live rows, and the log of all rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from data.arrays import Anything


class Rows:
    """A small set of rows, replaced as a whole when it changes.

    >>> rows = Rows(customer="int64", late="bool")
    >>> rows.add(customer=np.array([4, 5]), late=np.array([True, False]))
    >>> rows.keep(rows["late"])
    >>> rows["customer"].tolist()
    [4]
    """

    def __init__(self, **dtypes: str) -> None:
        self.columns: dict[str, Anything] = {k: np.empty(0, dtype=v) for k, v in dtypes.items()}

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, name: str) -> Anything:
        return self.columns[name]

    def __setitem__(self, name: str, values: Anything) -> None:
        self.columns[name][:] = values

    def add(self, **arrays: Anything) -> None:
        """Append rows; every column must be given."""
        self.columns = {
            k: np.concatenate([old, np.asarray(arrays[k], dtype=old.dtype)])
            for k, old in self.columns.items()
        }

    def keep(self, mask: Anything) -> None:
        """Drop the rows where ``mask`` is false."""
        self.columns = {k: v[mask] for k, v in self.columns.items()}

    def copy(self) -> Rows:
        """An independent copy."""
        twin = Rows()
        twin.columns = {k: v.copy() for k, v in self.columns.items()}
        return twin


class Log:
    """Rows appended a day and corrected in place, stored with room to grow."""

    def __init__(self, **dtypes: str) -> None:
        self._room: dict[str, Anything] = {k: np.empty(256, dtype=v) for k, v in dtypes.items()}
        self.size = 0

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, name: str) -> Anything:
        """A view of the column's rows so far; assigning through it corrects the log."""
        return self._room[name][: self.size]

    def add(self, **arrays: Any) -> Anything:
        """Append rows (arrays or scalars, every column) and return their row numbers."""
        count = max(np.size(v) for v in arrays.values())
        if any(np.ndim(v) and np.size(v) == 0 for v in arrays.values()):
            count = 0
        end = self.size + count
        for name, room in self._room.items():
            if end > len(room):
                bigger = np.empty(max(end, 2 * len(room)), dtype=room.dtype)
                bigger[: self.size] = room[: self.size]
                self._room[name] = room = bigger
            room[self.size : end] = arrays[name]
        rows = np.arange(self.size, end)
        self.size = end
        return rows

    def drain(self) -> dict[str, Anything]:
        """All rows so far, taken out of the log."""
        taken = {k: v[: self.size].copy() for k, v in self._room.items()}
        self.size = 0
        return taken

    def columns(self) -> dict[str, Anything]:
        """All rows so far, as views."""
        return {k: v[: self.size] for k, v in self._room.items()}

    def copy(self) -> Log:
        """An independent copy."""
        twin = Log()
        twin._room = {k: v[: max(self.size, 1)].copy() for k, v in self._room.items()}
        twin.size = self.size
        return twin
