"""A workspace's folder: its tables, its settings and our own state, and where each of them lies.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as place:
...     (Path(place) / "tables").mkdir()
...     Folder.open(place).sources("orders")
[]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from data.contract import TABLES, table
from data.errors import DataError, UsageError, did_you_mean
from data.settings import FILE, Settings, load_settings

STATE = ".presage"


@dataclass(frozen=True)
class Folder:
    """The folder, opened; its settings are those read when it was opened."""

    path: Path
    settings: Settings

    @classmethod
    def open(cls, path: Path | str, environ: Mapping[str, str] | None = None) -> Self:
        """Open a folder that holds tables/ or presage.toml; UsageError if it is not one."""
        folder = Path(path).absolute()
        if not folder.is_dir():
            found = "a file" if folder.exists() else "nothing"
            raise UsageError(
                f"{path} is no workspace: there is {found} of that name. "
                f"`presage init {path}` makes one"
            )
        if not (folder / "tables").is_dir() and not (folder / FILE).exists():
            raise UsageError(
                f"{path} is no workspace: it has neither tables/ nor {FILE}. "
                f"`presage init {path}` makes it one"
            )
        return cls(folder, load_settings(folder / FILE, environ))

    @property
    def tables_dir(self) -> Path:
        return self.path / "tables"

    @property
    def state_dir(self) -> Path:
        return self.path / STATE

    def sources(self, name: str) -> list[Path]:
        """The files of a table, parts in order of their names; empty if the table is absent.

        DataError if the table is there in more than one form: nobody could say which holds.
        """
        table(name)
        single = [
            file
            for file in (self.tables_dir / f"{name}.parquet", self.tables_dir / f"{name}.csv")
            if file.is_file()
        ]
        folder = self.tables_dir / name
        parts = sorted(p for p in folder.glob("*.parquet") if not p.name.startswith("."))
        forms = [file.name for file in single] + ([f"{name}/"] if parts else [])
        if len(forms) > 1:
            raise DataError(
                f"tables/ holds {name} more than once: {' and '.join(forms)}. "
                "Keep the one that is right and move the other away"
            )
        return single or parts

    def strangers(self) -> list[str]:
        """What tables/ holds beside tables of the contract, each with the nearest name."""
        if not self.tables_dir.is_dir():
            return []
        found = []
        for path in sorted(self.tables_dir.iterdir()):
            known = path.stem in TABLES and (path.is_dir() or path.suffix in (".csv", ".parquet"))
            if not known and not path.name.startswith("."):
                found.append(f"tables/{path.name} is no table.{did_you_mean(path.stem, TABLES)}")
        return found
