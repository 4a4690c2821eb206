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
from functools import cached_property
from pathlib import Path
from typing import Self

from data.contract import TABLES, table
from data.errors import DataError, UsageError, did_you_mean
from data.settings import FILE, Settings, load_settings
from data.source_files import KINDS, kind_of, natural, stem_of

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
            kind = "a file" if folder.exists() else "nothing"
            raise UsageError(
                f"{path} is no workspace: there is {kind} of that name. "
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

    @cached_property
    def state_dir(self) -> Path:
        return self.path / STATE

    def sources(self, name: str) -> list[Path]:
        """The files of a table, parts in natural order (page_2 before page_10); none: it is absent.

        DataError if the table is there in more than one form: nobody could say which holds.
        """
        table(name)
        if not self.tables_dir.is_dir():
            return []
        single, parts, forms = [], [], []
        for path in sorted(self.tables_dir.iterdir()):
            if path.is_file() and kind_of(path) and stem_of(path) == name:
                single.append(path)
                forms.append(path.name)
            elif _is_folder_of(path, name):
                inside = [p for p in _files_below(path) if kind_of(p)]
                parts += sorted(inside, key=lambda p: natural(p.relative_to(self.tables_dir)))
                forms += [f"{path.name}/"] if inside else []
        if len(forms) > 1:
            raise DataError(
                f"tables/ holds {name} more than once: {' and '.join(forms)}. "
                "Keep the one that is right and move the other away"
            )
        return single or parts

    def strangers(self) -> list[str]:
        """What tables/ holds and nobody reads, each with the nearest name or the kinds we read."""
        if not self.tables_dir.is_dir():
            return []
        lines = []
        for path in sorted(self.tables_dir.iterdir()):
            if path.name.startswith("."):
                continue
            own = any(_is_folder_of(path, name) for name in TABLES)
            if own:
                inside = _files_below(path)
                lines += [self._unread(p) for p in inside if not kind_of(p)]
                if not inside:
                    lines.append(f"tables/{path.name}/ is empty: there is no part in it")
            elif stem_of(path) in TABLES and path.is_file():
                lines += [] if kind_of(path) else [self._unread(path)]
            else:
                near = did_you_mean(stem_of(path), TABLES)
                lines.append(f"tables/{path.name} is no table.{near}")
        return lines

    def _unread(self, path: Path) -> str:
        return (
            f"tables/{path.relative_to(self.tables_dir)} is not read: it is none of "
            f"{', '.join(KINDS)} (csv, tsv and json also packed as .gz or .zst)"
        )


def _is_folder_of(path: Path, name: str) -> bool:
    """Whether it holds a table's parts: ``tickets/``, or ``tickets.parquet/``, as Spark writes."""
    called = path.name.lower() == name or (kind_of(path) != "" and stem_of(path) == name)
    return called and path.is_dir()


def _files_below(folder: Path) -> list[Path]:
    """The files of a folder of parts, those in year=2024/ folders too; hidden ones left out."""
    hidden = ("_", ".")
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith(hidden) for part in path.relative_to(folder).parts)
    ]
