"""docs/dependencies.md gives one reason for each dependency of pyproject.toml, and for no other."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGE = (ROOT / "docs" / "dependencies.md").read_text()


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower()


def _documented(section: str) -> dict[str, str]:
    rows = re.findall(r"^\| ([a-z0-9-]+) \| (.+?) \|", section, flags=re.MULTILINE)
    return {name: reason for name, reason in rows if name != "package"}


def test_every_dependency_has_its_reason_and_none_is_left_over() -> None:
    required = [_name(each) for each in PROJECT["dependencies"]]
    for extra in PROJECT["optional-dependencies"].values():
        required += [_name(each) for each in extra]
    assert sorted(_documented(PAGE)) == sorted(required)


def test_every_dependency_is_bounded_from_below() -> None:
    everything = [*PROJECT["dependencies"]]
    for extra in PROJECT["optional-dependencies"].values():
        everything += extra
    assert [each for each in everything if ">=" not in each] == []


def test_what_is_there_for_its_bounds_only_is_imported_nowhere() -> None:
    section = PAGE.split("## Bounds only")[1].split("\n## ")[0]
    only_bounds = set(_documented(section))
    assert only_bounds
    for room in ("data", "features", "models", "serving", "pipelines"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module:
                    names = [node.module]
                assert not only_bounds & {name.split(".")[0] for name in names}, path
