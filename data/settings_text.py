"""presage.toml as text: written from the fields' own comments, and searched for a key's line.

>>> print(commented_toml().split("\\n\\n")[1])
# Where and in what the company lives.
[company]
# ISO 3166 codes whose public holidays count, e.g. 'US', or of a part: 'GB-SCT'
# country = []
# IANA name; days, weeks and seasons follow it
# time_zone = "UTC"
# ISO 4217, the main currency: amounts count in it; not set: the commonest one
# currency = "USD"
>>> place_of(Path("presage.toml"), "[risk]\\n\\nseed = 3", ("risk", "seed"))
'presage.toml line 3'
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, get_type_hints

from data.settings_hours import DAYS
from data.settings_kpis import KpiTarget
from data.settings_tree import DEFAULT_SERVICE_LEVELS, Settings


def place_of(path: Path, text: str, names: tuple[str, ...]) -> str:
    """``presage.toml line 4`` for a key, found by reading the file as lines."""
    current: tuple[str, ...] = ()
    best = 0
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]", line)
        key = re.match(r"""\s*([\w."' -]+?)\s*=""", line)
        here: tuple[str, ...] = ()
        if header:
            current = here = _parts(header[1])
        elif key:
            here = (*current, *_parts(key[1]))
        if here and here == names:
            return f"{path.name} line {number}"
        if here and (here == names[: len(here)] or names == here[: len(names)]):
            best = best if best and here != names[: len(here)] else number
    return f"{path.name} line {best}" if best else path.name


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def commented_toml() -> str:
    """A presage.toml that says every setting and its default in comments, and changes none."""
    lines = [
        "# Every setting of Presage. A line is a comment until its # is taken away;",
        "# what is not set has the default shown. `presage settings DIR` tells what holds.",
        "# Secrets do not belong here: they come from the environment or .presage/secrets.",
        "",
    ]
    hints = get_type_hints(Settings)
    for f in fields(Settings):
        if f.name == "service_levels":
            for channel, level in DEFAULT_SERVICE_LEVELS.items():
                lines += _toml_section(f"service_levels.{channel}", level)
        elif f.name == "opening_hours":
            lines += [f"# Opening hours: {f.metadata['comment']}"]
            lines += ["# [opening_hours.phone]"]
            lines += [f'# {day} = "08:00-18:00"' for day in DAYS[:5]]
            lines += ['# sat = "10:00-13:00, 14:00-16:00"']
            lines += ['# holidays = "closed"', '# 2026-12-24 = "08:00-12:00"', ""]
        elif f.name == "kpi_targets":
            lines += [f"# {(KpiTarget.__doc__ or '').splitlines()[0]}", "# [kpi_targets.satisfied]"]
            lines += ['#   kpi = "csat"', "#   at_least = 4.2", "#   valid_from = 2026-01-01", ""]
        elif f.name == "sites":
            lines += [f"# Sites: {f.metadata['comment']}", "# [sites.manila]"]
            lines += ['# time_zone = "Asia/Manila"', '# country = "PH"']
            lines += ['# opening_hours.phone = {mon = "07:00-16:00", tue = "07:00-16:00"}', ""]
        elif f.name == "pools":
            lines += [f"# Pools: {f.metadata['comment']}", "# [pools.office]"]
            lines += ['# channels = ["phone", "email"]', "# at_most = 12", ""]
        elif f.name == "contracts":
            lines += [f"# Contracts: {f.metadata['comment']}", "# [contracts.evening]"]
            lines += ['# starts = ["16:00-18:00"]', "# shift_hours = [4.0, 6.0]", ""]
        elif is_dataclass(hints[f.name]):
            lines += _toml_section(f.name.rstrip("_"), hints[f.name]())
    return "\n".join(lines).rstrip("\n") + "\n"


def _toml_section(name: str, section: Any) -> list[str]:
    lines = [f"# {(type(section).__doc__ or '').splitlines()[0]}", f"[{name}]"]
    for f in fields(section):
        value = getattr(section, f.name)
        lines += [f"# {f.metadata['comment']}"]
        lines += [f"# {f.name} = {_toml_value(value)}" if value is not None else f"# {f.name} ="]
    return [*lines, ""]


def _toml_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k} = {_toml_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
