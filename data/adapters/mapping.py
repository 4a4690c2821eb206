"""A mapping: which of a source's columns become which of the contract's, as a TOML file.

A section is a table of the contract; its keys are the table's columns, their values columns of the
source or SQL expressions over them (``data.adapters.expressions``). A list of them means: the first
whose columns the source has. ``from`` names the files, ``where`` the rows, ``group`` what makes one
row of several, ``rows`` the list inside a JSON document, ``each`` a list inside a row, whose
elements become rows (each in the column ``each``), ``values`` what words become. ``except``
names files that are something else, ``beside`` another file whose rows of the same key come along
as a column of JSON.

>>> one = parse_mapping('''
... time_zone = "Europe/Oslo"
... [tickets]
... ticket_id = "Case Number"
... opened_at = ["Opened", "Created"]
... channel = "coalesce(Origin, 'web')"
... values.channel = {Mail = "email"}
... ''', "map.toml")
>>> one.time_zone, one.tables[0].columns["opened_at"]
('Europe/Oslo', ('Opened', 'Created'))
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from data.contract import TABLES, table
from data.errors import DataError, SettingsError, UsageError, did_you_mean
from data.settings import read_value
from data.settings_company import check_time_zone
from data.settings_import import Import

MAPS = Path(__file__).with_name("maps")
"""The mappings of exports that are known by name."""
OWN_KEYS = ("from", "except", "rows", "each", "where", "group", "values", "beside")
BESIDE_KEYS = ("from", "rows", "key", "on", "list")
READING = tuple(f.name for f in fields(Import))


@dataclass(frozen=True)
class Beside:
    """Rows of other files, those with the same ``key`` as this row's ``on``: the last as an object
    of JSON in the column ``name``, or all as a list of objects."""

    name: str
    files: str
    key: str
    on: str
    rows: str = ""
    all: bool = False


@dataclass(frozen=True)
class TableMap:
    """One table of the contract, and where its rows and values come from."""

    name: str
    columns: Mapping[str, tuple[str, ...]]
    files: str = ""
    rows: str = ""
    where: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    besides: str = ""
    beside: tuple[Beside, ...] = ()
    each: str = ""


@dataclass(frozen=True)
class MapFile:
    """A mapping as a whole. ``time_zone``: of times without an offset, ``sites``: by the row's
    ``site``, where it is another there; ``reading``: how values are written; ``settings``: what the
    source decides of presage.toml."""

    name: str
    tables: tuple[TableMap, ...]
    describe: str = ""
    time_zone: str = "UTC"
    reading: Import = field(default_factory=Import)
    settings: Mapping[str, object] = field(default_factory=dict)
    sites: Mapping[str, str] = field(default_factory=dict)

    def with_words(self, stated: Import) -> MapFile:
        """The same mapping, with the words that a workspace states where it has none itself."""
        own = self.reading
        reading = replace(
            own,
            channels={**stated.channels, **own.channels},
            topics={**stated.topics, **own.topics},
            statuses={**stated.statuses, **own.statuses},
        )
        return replace(self, reading=reading)


def load_mapping(path: Path) -> MapFile:
    """The mapping in a TOML file; UsageError if there is none, DataError for what is wrong."""
    if not path.is_file():
        raise UsageError(f"there is no mapping {path}; `presage map SOURCE` proposes one")
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{path.name} is not UTF-8; save it as UTF-8") from None
    return parse_mapping(text, path.name)


def parse_mapping(text: str, name: str) -> MapFile:
    """A mapping from its text; DataError names the key that is wrong."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{name}: {error}") from None
    tables: list[TableMap] = []
    top: dict[str, Any] = {}
    known = ("describe", "time_zone", "sites", "settings", *READING)
    for key, value in document.items():
        if key in TABLES:
            parts = value if isinstance(value, list) else [value]
            tables += [_table(key, part, name) for part in parts]
        elif key in known:
            top[key] = value
        else:
            raise DataError(
                f"{name}: {key!r} is neither a table nor a key of a mapping."
                f"{did_you_mean(key, [*TABLES, *known])}"
            )
    if not tables:
        raise DataError(f"{name} maps no table; a section such as [tickets] does")
    try:
        zone = str(top.get("time_zone", "UTC"))
        check_time_zone(zone)
        sites = read_value(top.get("sites", {}), Mapping[str, str])
        for site_zone in sites.values():
            check_time_zone(site_zone)
        hints = get_type_hints(Import)
        reading = Import(**{k: read_value(top[k], hints[k]) for k in READING if k in top})
    except SettingsError as error:
        raise DataError(f"{name}: {error}") from None
    settings = _flat(top.get("settings", {}))
    return MapFile(
        name, tuple(tables), str(top.get("describe", "")), zone, reading, settings, sites
    )


def _flat(tree: Mapping[str, Any], before: str = "") -> dict[str, object]:
    out: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            out |= _flat(value, f"{before}{key}.")
        else:
            out[before + key] = value
    return out


def _table(name: str, part: Any, file: str) -> TableMap:
    if not isinstance(part, dict):
        raise DataError(f"{file}: [{name}] is a section of columns")
    contract = table(name)
    columns = {}
    for key, value in part.items():
        if key in OWN_KEYS and key not in contract.names:
            continue
        if key not in contract.names and name != "customers":
            raise DataError(
                f"{file}: {name} has no column {key!r}."
                f"{did_you_mean(key, [*contract.names, *OWN_KEYS])}"
            )
        columns[key] = _expressions(value, f"{file}: {name}.{key}")
    for key in contract.required:
        if key not in columns:
            raise DataError(f"{file}: [{name}] does not say what {key} is, and every row needs one")
    values = part.get("values", {})
    for key, words in values.items() if isinstance(values, dict) else [("values", None)]:
        if not isinstance(words, dict) or key not in columns:
            raise DataError(
                f"{file}: {name}.values.{key}: pairs of words for a column that is mapped, such as "
                'values.channel = {Mail = "email"}'
            )
    where = part.get("where")
    group = part.get("group")
    return TableMap(
        name,
        columns,
        str(part.get("from", "")),
        str(part.get("rows", "")),
        () if where is None else _expressions(where, f"{file}: {name}.where"),
        () if group is None else _expressions(group, f"{file}: {name}.group"),
        {key: {str(a): str(b) for a, b in words.items()} for key, words in values.items()},
        str(part.get("except", "")),
        _beside(part.get("beside", {}), f"{file}: {name}.beside"),
        str(part.get("each", "")),
    )


def _beside(value: Any, where: str) -> tuple[Beside, ...]:
    out = []
    for name, part in value.items() if isinstance(value, dict) else [("", None)]:
        keys: dict[str, Any] = part if isinstance(part, dict) else {}
        lacks = [key for key in ("from", "key", "on") if key not in keys]
        wrong = [key for key in keys if key not in BESIDE_KEYS]
        if lacks or wrong:
            fault = f"lacks {', '.join(lacks)}" if lacks else f"has no {', '.join(wrong)}"
            raise DataError(f"{where}.{name} {fault}; it takes {', '.join(BESIDE_KEYS)}")
        files, key, on, rows = (str(keys.get(k, "")) for k in ("from", "key", "on", "rows"))
        out.append(Beside(name, files, key, on, rows, bool(keys.get("list", False))))
    return tuple(out)


def _expressions(value: Any, where: str) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    if isinstance(value, bool):
        listed = ["true" if value else "false"]
    if not listed or not all(isinstance(one, str) and one.strip() for one in listed):
        raise DataError(f"{where}: a column of the source, an SQL expression, or a list of them")
    return tuple(listed)
