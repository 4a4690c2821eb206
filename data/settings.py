"""presage.toml and the environment → one frozen ``Settings``; nobody else reads either.

``load_settings`` starts from the defaults, lays presage.toml over them and the environment over
both: ``PRESAGE_<SECTION>_<KEY>``, for example ``PRESAGE_COMPANY_TIME_ZONE=Europe/Oslo``. Whatever
it does not know, it refuses by name and line. Secrets never belong in presage.toml.
pydantic-settings reads the same two sources, but knows neither the line of a key nor a near miss in
a section's name, and what takes the place of its messages is as long as this file.

>>> from pathlib import Path
>>> settings = load_settings(Path("no/such/presage.toml"), {"PRESAGE_RISK_SEED": "7"})
>>> settings.risk.seed, settings.service_levels["chat"].target_seconds
(7, 60)
>>> [row for row in explain(settings) if row.name == "risk.seed"]
[SettingRow(name='risk.seed', value=7, source='environment PRESAGE_RISK_SEED')]
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from data.clock import naive_utc
from data.errors import SettingsError, did_you_mean, in_toml
from data.setting_checks import minute_of_day
from data.settings_api import Api
from data.settings_company import Company, Data, check_time_zone
from data.settings_hours import DAYS, HOLIDAYS, Site, check_hours, opening_intervals
from data.settings_import import Import
from data.settings_kpis import KpiTarget
from data.settings_outreach import Outreach
from data.settings_risk import Risk
from data.settings_shifts import Contract, Shifts
from data.settings_staffing import PoolSettings, Staffing
from data.settings_text import commented_toml, place_of
from data.settings_tree import (
    DEFAULT_SERVICE_LEVELS,
    Complaint,
    Delivery,
    Engine,
    ServiceLevel,
    Settings,
    StoreSettings,
    Volume,
)
from data.urls import without_password

__all__ = [
    "DAYS",
    "DEFAULT_SERVICE_LEVELS",
    "Api",
    "Company",
    "Complaint",
    "Contract",
    "Data",
    "Delivery",
    "HOLIDAYS",
    "Engine",
    "Import",
    "Outreach",
    "PoolSettings",
    "Risk",
    "ServiceLevel",
    "SettingRow",
    "Settings",
    "Shifts",
    "Site",
    "Staffing",
    "StoreSettings",
    "Volume",
    "check_time_zone",
    "commented_toml",
    "child_environment",
    "environment",
    "explain",
    "load_settings",
    "minute_of_day",
    "opening_intervals",
    "read_value",
    "secret_from_environment",
    "set_environment",
]

FILE = "presage.toml"
OWN_FEATURES = "features.py"
BESIDE = ("sources", "own_features")
"""What a tree of settings has beside settings."""
SECRET = re.compile(r"password|passwd|secret|token|api_?key|private_?key|credential", re.I)

NAMED = {
    "service_levels": "service levels are sections, one a channel: [{}] target_seconds = ...",
    "kpi_targets": 'targets are sections that name a figure: [{}] kpi = "csat", at_least = 4.2',
    "sites": 'sites are sections, one a site: [{}] time_zone = "Asia/Manila"',
    "pools": 'pools are sections, one a pool: [{}] channels = ["phone", "email"]',
    "contracts": "contracts are sections, one a contract: [{}] shift_hours = [6.0]",
}
"""How the sections that bear a name of their own are written."""


@dataclass(frozen=True)
class SettingRow:
    """One line of ``presage settings``."""

    name: str
    value: object
    source: str


Section = TypeVar("Section")


def load_settings(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of presage.toml at ``path`` (a folder holding one will do; it may be absent).

    ``environ`` defaults to the process's environment. Raises SettingsError naming file, line,
    key, what was found and what to do.
    """
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    text = _text_of(path)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path.name}: {in_toml(error)}") from None
    sources: dict[str, str] = {}
    settings_of: dict[str, Any] = {}
    sections = {f.name.rstrip("_"): f for f in fields(Settings) if f.name not in BESIDE}
    for name in document:
        if name not in sections:
            _refuse_secret(path, text, (name,))
            raise SettingsError(
                f"{place_of(path, text, (name,))}: there is no section [{name}]."
                f"{did_you_mean(name, sections)}"
            )
    hints = {name.rstrip("_"): hint for name, hint in get_type_hints(Settings).items()}
    for name, field_of in sections.items():
        content = document.get(name, {})
        if not isinstance(content, dict):
            if isinstance(content, list) and all(isinstance(each, dict) for each in content):
                raise SettingsError(
                    f"{place_of(path, text, (name,))}: there are {len(content)} [[{name}]] "
                    f"sections, and one has to hold: merge them into one [{name}]"
                )
            raise SettingsError(
                f"{place_of(path, text, (name,))}: [{name}] is a section, not a value"
            )
        if name == "service_levels":
            settings_of[name] = _service_levels(content, path, text, sources)
        elif name == "opening_hours":
            settings_of[name] = _opening_hours(content, path, text, sources)
        elif name == "kpi_targets":
            settings_of[name] = _named(name, content, lambda _: KpiTarget(), path, text, sources)
        elif name == "sites":
            settings_of[name] = _named(name, content, lambda _: Site(), path, text, sources)
        elif name == "pools":
            settings_of[name] = _pools(content, path, text, sources)
        elif name == "contracts":
            usual = partial(_contract, settings_of["shifts"])
            settings_of[name] = _named(name, content, usual, path, text, sources)
        else:
            settings_of[field_of.name] = _section(
                hints[name](), content, (name,), path, text, sources, environ=_environ(environ)
            )
    _refuse_unknown_variables(_environ(environ), hints)
    own = _text_of(path.parent / OWN_FEATURES)
    try:
        return Settings(**settings_of, sources=MappingProxyType(sources), own_features=own)
    except SettingsError as error:
        section = re.match(r"\[([\w.]+)\]", str(error))
        where = place_of(path, text, tuple(section[1].split("."))) if section else path.name
        raise SettingsError(f"{where}: {error}") from None


def secret_from_environment(name: str, environ: Mapping[str, str] | None = None) -> str | None:
    """The secret ``PRESAGE_SECRET_<NAME>``, None if it is not set."""
    return _environ(environ).get(f"PRESAGE_SECRET_{name.upper()}")


def _environ(environ: Mapping[str, str] | None) -> Mapping[str, str]:
    return os.environ if environ is None else environ


def _text_of(path: Path) -> str:
    if not path.exists():
        return ""
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{path.name}: byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from None
    except OSError as error:
        raise SettingsError(f"{path.name} cannot be read: {error.strerror}") from None


def _section(
    defaults: Any,
    content: Mapping[str, Any],
    names: tuple[str, ...],
    path: Path,
    text: str,
    sources: dict[str, str],
    environ: Mapping[str, str] | None = None,
) -> Any:
    """``defaults`` with what presage.toml and the environment say laid over it."""
    hints = get_type_hints(type(defaults))
    section = ".".join(names)
    for key, value in content.items():
        _refuse_secret(path, text, (*names, key))
        if key not in hints:
            raise SettingsError(
                f"{place_of(path, text, (*names, key))}: [{section}] has no key {key!r}."
                f"{did_you_mean(key, hints) or ' Known: ' + ', '.join(hints) + '.'}"
            )
        if names == ("store",) and without_password(str(value)) != str(value):
            raise SettingsError(
                f"{place_of(path, text, (*names, key))}: [store] url holds a password; secrets "
                "do not belong in presage.toml. Set PRESAGE_STORE_URL in the environment"
            )
    changes: dict[str, Any] = {}
    for key, hint in hints.items():
        variable = "_".join(("PRESAGE", *names, key)).upper()
        try:
            if environ is not None and variable in environ:
                where = f"environment {variable}"
                changes[key] = _from_text(environ[variable], hint)
                sources[f"{section}.{key}"] = where
            elif key in content:
                where = place_of(path, text, (*names, key))
                changes[key] = read_value(content[key], hint)
                sources[f"{section}.{key}"] = FILE
            else:
                continue
            replace(defaults, **{key: changes[key]})
        except SettingsError as error:
            if "is below" not in str(error):  # needs both values: judged with all of them, below
                reason = str(error) if str(error).startswith(key) else f"{key} {error}"
                raise SettingsError(f"{where}: [{section}] {reason}") from None
    try:
        return replace(defaults, **changes)
    except SettingsError as error:
        raise SettingsError(f"{place_of(path, text, names)}: [{section}] {error}") from None


def _service_levels(
    content: Mapping[str, Any], path: Path, text: str, sources: dict[str, str]
) -> Mapping[str, ServiceLevel]:
    def usual(channel: str) -> ServiceLevel:
        return DEFAULT_SERVICE_LEVELS.get(channel, ServiceLevel())

    named = _named("service_levels", content, usual, path, text, sources)
    return MappingProxyType({**DEFAULT_SERVICE_LEVELS, **named})


def _pools(
    content: Mapping[str, Any], path: Path, text: str, sources: dict[str, str]
) -> Mapping[str, PoolSettings]:
    pools = _named("pools", content, lambda _: PoolSettings(), path, text, sources)
    for pool, of in pools.items():
        if not of.channels:
            raise SettingsError(
                f"{place_of(path, text, ('pools', pool))}: [pools.{pool}] names no channels; give "
                'channels = ["phone", "email"], the most urgent first'
            )
    return pools


def _contract(rules: Shifts, _: str) -> Contract:
    return Contract(**{f.name: getattr(rules, f.name) for f in fields(Contract)})


def _named(
    section: str,
    content: Mapping[str, Any],
    usual: Callable[[str], Section],
    path: Path,
    text: str,
    sources: dict[str, str],
) -> Mapping[str, Section]:
    """The sections ``[section.NAME]``, by name, each laid over what is ``usual`` for it."""
    read: dict[str, Section] = {}
    for name, keys in content.items():
        names = (section, name)
        if not isinstance(keys, dict):
            written = NAMED[section].format(".".join(names))
            raise SettingsError(f"{place_of(path, text, names)}: {written}")
        read[name] = _section(usual(name), keys, names, path, text, sources)
    return MappingProxyType(read)


def _opening_hours(
    content: Mapping[str, Any], path: Path, text: str, sources: dict[str, str]
) -> Mapping[str, Mapping[str, str]]:
    hours: dict[str, Mapping[str, str]] = {}
    for channel, days in content.items():
        names = ("opening_hours", channel)
        if not isinstance(days, dict):
            raise SettingsError(
                f"{place_of(path, text, names)}: opening hours are sections, one a channel: "
                f'[opening_hours.{channel}] mon = "08:00-18:00"'
            )
        for day, value in days.items():
            where = place_of(path, text, (*names, day))
            if not isinstance(value, str):
                raise SettingsError(f'{where}: {day} is {value!r}, but must be "08:00-18:00"')
            try:
                check_hours({day: value}, f"[opening_hours.{channel}]")
            except SettingsError as error:
                raise SettingsError(f"{where}: {error}") from None
            sources[f"opening_hours.{channel}.{day}"] = FILE
        hours[channel] = MappingProxyType(dict(days))
    return MappingProxyType(hours)


def read_value(value: object, hint: Any) -> Any:
    """A TOML value as the type of its field; SettingsError says what it is and must be."""
    if get_origin(hint) in (Union, UnionType):
        hint = next(option for option in get_args(hint) if option is not type(None))
    if get_origin(hint) is Literal:
        if value in get_args(hint):
            return value
        choices = ", ".join(f'"{choice}"' for choice in get_args(hint))
        raise SettingsError(
            f"is {value!r}, but must be one of {choices}.{did_you_mean(str(value), get_args(hint))}"
        )
    if get_origin(hint) is tuple:
        inner = get_args(hint)[0]
        items = value if isinstance(value, list) else [value]
        return tuple(read_value(item, inner) for item in items)
    if get_origin(hint) is Mapping:
        if not isinstance(value, dict):
            raise SettingsError(f'is {value!r}, but must be pairs such as {{Web = "email"}}')
        return MappingProxyType({k: read_value(v, get_args(hint)[1]) for k, v in value.items()})
    if hint is datetime:
        return _moment(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, hint) and not (isinstance(value, bool) and hint is not bool):
        if hint is float and not float("-inf") < float(str(value)) < float("inf"):
            raise SettingsError(f"is {value!r}, but must be a finite number")
        return value
    names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
    raise SettingsError(f"is {value!r}, but must be {names[hint]}")


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(moment, datetime):
            return naive_utc(moment)
    except ValueError:
        moment = None
    if isinstance(moment, date):
        return datetime(moment.year, moment.month, moment.day)
    raise SettingsError(f"is {value!r}, but must be a time: 2026-03-01T00:00:00")


def _from_text(text: str, hint: Any) -> Any:
    """An environment variable's text as the type of its field; lists are comma separated."""
    if get_origin(hint) is tuple:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return tuple(_from_text(part, get_args(hint)[0]) for part in parts)
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if type(None) in options and text.strip() == "":
        return None
    if bool in options and text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        if kind in options:
            try:
                return read_value(kind(text), hint)
            except ValueError:
                pass
    return read_value(text, hint)


def _refuse_secret(path: Path, text: str, names: tuple[str, ...]) -> None:
    if SECRET.search(names[-1]):
        raise SettingsError(
            f"{place_of(path, text, names)}: {'.'.join(names)} looks like a secret; secrets do not "
            "belong in presage.toml. Put it in the environment as "
            f"PRESAGE_SECRET_{names[-1].upper()}, or in .presage/secrets"
        )


def _refuse_unknown_variables(environ: Mapping[str, str], hints: Mapping[str, Any]) -> None:
    known = {
        f"PRESAGE_{section}_{f.name}".upper()
        for section, hint in hints.items()
        if isinstance(hint, type) and is_dataclass(hint)
        for f in fields(hint)
    }
    for variable in environ:
        of_a_section = any(variable.startswith(f"PRESAGE_{name.upper()}_") for name in hints)
        if of_a_section and variable not in known:
            raise SettingsError(
                f"environment: {variable} names no setting.{did_you_mean(variable, known)}"
            )


def explain(settings: Settings) -> list[SettingRow]:
    """Every setting, its value, and its source: default, presage.toml or environment.
    A password in the store's URL (it can come from the environment only) is not shown.
    """
    return [
        SettingRow(name, _shown(value), settings.sources.get(name, "default"))
        for name, value in _leaves(settings, ())
    ]


def _shown(value: object) -> object:
    return without_password(value) if isinstance(value, str) else value


def _leaves(value: Any, names: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    if is_dataclass(value):
        for f in fields(value):
            if f.name not in BESIDE:
                yield from _leaves(getattr(value, f.name), (*names, f.name.rstrip("_")))
    elif isinstance(value, Mapping) and (value or len(names) != 2):
        for key, inner in value.items():
            yield from _leaves(inner, (*names, key))
    else:
        yield ".".join(names), value


def environment(name: str) -> str | None:
    """A variable of the process's environment that is not a setting of ours, or None."""
    return os.environ.get(name) or None


def set_environment(values: Mapping[str, str]) -> None:
    """Set variables for libraries that are imported later; those already set are kept."""
    for name, value in values.items():
        os.environ.setdefault(name, value)


def child_environment(values: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that we start: ours, with ``values`` over it."""
    return {**os.environ, **values}
