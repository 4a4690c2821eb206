"""A mapping proposed from the columns that a source has, with the rows that it would give.

A name that means a column of the contract nearly everywhere is taken (``Case Number``,
``created_at``) where the column holds what it should; how dates and numbers are written is known
from the first rows. The table is the one of which most required columns are found. What nobody
could know is left as a comment, for a person to fill in.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd

from data.adapters.column_names import MEANS, meaning
from data.adapters.column_values import LOOKED_AT, Sample
from data.adapters.export_files import document, files_of
from data.adapters.mapped import read_mapped
from data.adapters.mapping import parse_mapping
from data.contract import TABLES, table
from data.engines import duckdb_connection, quoted
from data.errors import DataError, UsageError, did_you_mean
from data.settings_import import Import
from data.settings_tree import Engine
from data.source_files import open_source, stem_of

ROWS = 10
DEFAULTS = {
    "channel": "'unknown'",
    "feature": "'unknown'",
    "unique_id": "'total'",
    "kind": "'review'",
}
"""What a column becomes where an export has none."""
TIMES, NUMBERS, KEYS = "timestamp", ("float", "integer"), ("_id",)


@dataclass(frozen=True)
class Proposal:
    """A mapping's text, what it left open, and the first rows that it gives, by table."""

    text: str
    open: tuple[str, ...]
    rows: Mapping[str, pd.DataFrame]


@dataclass
class Section:
    """One table of the proposal: what it is made of, and what is missing."""

    name: str
    files: list[str]
    columns: Mapping[str, str]
    missing: Sequence[str]
    unused: Sequence[str]
    sample: Sample
    reading: Mapping[str, object] = field(default_factory=dict)

    def lines(self, repeated: bool, many: bool) -> list[str]:
        """The section as lines of TOML; commented out where a required column is missing."""
        head = f"[[{self.name}]]" if repeated else f"[{self.name}]"
        lines = [head]
        lines += [f"from = {_toml('|'.join(self.files))}"] if many else []
        lines += [f"{ours} = {_toml(theirs)}" for ours, theirs in self.columns.items()]
        for ours in self.missing:
            lines.append(f"{ours} = {_toml(DEFAULTS.get(ours, '?'))}{self._hint(ours)}")
        if self.unmapped:
            lines = [f"# {line}" for line in lines]
            lines.insert(0, f"# fill in {', '.join(self.unmapped)}, and take the # away:")
        if self.unused:
            lines.append(f"# not used: {', '.join(self.unused)}")
        return ["", *lines]

    @property
    def unmapped(self) -> list[str]:
        """The required columns that nothing was found for."""
        return [ours for ours in self.missing if ours not in DEFAULTS]

    @property
    def times(self) -> list[str]:
        """The source's columns that become times."""
        time_columns = (
            theirs for ours, theirs in self.columns.items() if _dtype(self.name, ours) == TIMES
        )
        return [theirs for theirs in time_columns if theirs in self.sample.values]

    def _hint(self, ours: str) -> str:
        """Which of the unused columns hold what the column needs."""
        spec = next(c for c in table(self.name).columns if c.name == ours)
        holds = [
            c
            for c in self.unused
            if (spec.dtype == TIMES and self.sample.is_time(c))
            or (spec.dtype in NUMBERS and self.sample.is_number(c))
            or (ours in table(self.name).key and self.sample.is_key(c))
        ]
        if ours in DEFAULTS or not holds:
            return ""
        return f"  # perhaps {' or '.join(map(_toml, holds[:3]))}"


def propose(source: Path, name: str | None = None) -> Proposal:
    """A mapping of the files at ``source``, all as rows of the table ``name`` where it is given.

    DataError where no file looks like any table, UsageError for a table that there is not.
    """
    if name is not None and name not in MEANS:
        raise UsageError(
            f"no mapping of {name} is proposed.{did_you_mean(name, MEANS)} Of: {', '.join(MEANS)}"
        )
    sections: list[Section] = []
    left: list[str] = []
    for path in files_of(source):
        sample = _sample(path)
        chosen = name or _table_of(path, sample)
        if chosen is None:
            listed = ", ".join(sample.values)
            left.append(
                f"{path.name}: no table has these columns: {listed}; `--table NAME` says which"
            )
            continue
        one = _section(chosen, path, sample)
        if one.unmapped:
            left.append(f"{path.name}: {chosen} needs {', '.join(one.unmapped)}")
        alike = [s for s in sections if s.name == chosen and s.columns == one.columns]
        if alike:
            alike[0].files.append(path.name)
        else:
            sections.append(one)
    if not sections:
        raise DataError(f"{source}: no file looks like a table of the contract. {' '.join(left)}")
    text = _text(sections, source.is_dir())
    rows: Mapping[str, pd.DataFrame] = {}
    if any(not one.unmapped for one in sections):
        try:
            imported = read_mapped(parse_mapping(text, "proposal"), source, {})
            rows = {table_name: f.head(ROWS) for table_name, f in imported.tables.items()}
            phrases = ("set aside", "come again")
            left += [n for n in imported.notes if any(words in n for words in phrases)]
        except DataError as error:
            left.append(str(error))
    return Proposal(text, tuple(left), rows)


def _text(sections: Sequence[Section], many: bool) -> str:
    lines = ["# proposed from the columns; read it before you import"]
    whole = [one for one in sections if not one.unmapped]
    stated: dict[str, object] = {}
    for one in whole or sections:
        for key, value in one.reading.items():
            stated.setdefault(key, value)
    for key, value in stated.items():
        if value == "?":
            lines.append('# dates = "day_first"  # or "month_first": the first rows do not show it')
        else:
            lines.append(f"{key} = {_toml(value)}")
    if any(one.sample.is_local(one.times) for one in whole):
        lines.append('# time_zone = "Europe/Oslo"  # of times without an offset; else they are UTC')
    names = [one.name for one in whole]
    for one in sections:
        lines += one.lines(names.count(one.name) > 1 and not one.unmapped, many)
    return "\n".join(lines) + "\n"


def _section(name: str, path: Path, sample: Sample) -> Section:
    columns = meaning(name, list(sample.values), partial(_fits, name, sample=sample))
    used = set(columns.values())
    dates = [c for o, c in columns.items() if _dtype(name, o) == TIMES]
    required = next((o for o in columns if o in table(name).required and columns[o] in dates), None)
    if required and not sample.has_clock(columns[required]):  # a day here, its time in the next
        clock = next((c for c in sample.values if c not in used and sample.is_clock(c)), None)
        if clock:
            used.add(clock)
            day, begins = quoted(columns[required]), f"regexp_extract({quoted(clock)}, '{CLOCK}')"
            columns = {**columns, required: f"{day} || ' ' || {begins}"}
    amounts = [c for o, c in columns.items() if _dtype(name, o) in NUMBERS]
    return Section(
        name,
        [path.name],
        columns,
        [ours for ours in table(name).required if ours not in columns],
        [theirs for theirs in sample.values if theirs not in used],
        sample,
        sample.reading(dates, amounts),
    )


CLOCK = "^[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?( ?[AaPp][Mm])?"


def _dtype(name: str, ours: str) -> str:
    return next((c.dtype for c in table(name).columns if c.name == ours), "string")


def _fits(name: str, ours: str, theirs: str, *, sample: Sample) -> bool:
    """Whether the column holds what the contract's takes; one without any value may be anything."""
    kind = _dtype(name, ours)
    if not len(sample.known(theirs)):
        return True
    if kind == TIMES:
        return sample.is_time(theirs)
    if ours in ("topic", "channel", "priority"):
        return sample.is_word(theirs)
    return sample.is_number(theirs) if kind in NUMBERS else True


def _sample(path: Path) -> Sample:
    with tempfile.TemporaryDirectory() as folder:
        con = duckdb_connection(Engine(), [path.parent.resolve(), Path(folder)])
        readable = document(path, "", Path(folder))
        source = open_source(con, readable, path.name, Import(), Path(folder))
        texts = ", ".join(f"CAST({quoted(c)} AS VARCHAR) AS {quoted(c)}" for c in source.types)
        rows = source.relation.limit(LOOKED_AT).project(texts).to_arrow_table()
        return Sample({column: rows.column(column).to_pylist() for column in source.types})


def _table_of(path: Path, sample: Sample) -> str | None:
    """The table of which a file has most: named as it, else with all that its rows need."""
    stem = stem_of(path)
    for name in TABLES:
        if name in MEANS and (stem == name or stem.rstrip("s") == name.rstrip("s")):
            return name
    scored = []
    for name in MEANS:
        theirs_by_ours = meaning(name, list(sample.values), partial(_fits, name, sample=sample))
        hard = [o for o in table(name).required if o not in theirs_by_ours and o not in DEFAULTS]
        key = [
            o
            for o in table(name).key
            if not (o in theirs_by_ours and sample.is_key(theirs_by_ours[o]))
        ]
        near = name.rstrip("s") in stem or (name == "feedback" and "review" in stem)
        scored.append((len(hard), bool(key), not near, -len(theirs_by_ours), name))
    hard_missing, no_key, far, _, name = min(scored)
    return name if not hard_missing or not far or (hard_missing == 1 and not no_key) else None


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
