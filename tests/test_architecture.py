"""The rules of docs/DESIGN.md that a machine can check, by reading the code as text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("presage", "data", "features", "models", "serving", "pipelines", "lab")


def _modules() -> Iterator[tuple[Path, ast.Module]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text())


MODULES = dict(_modules())


def _imports(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
    return names


def _users_of(package: str) -> set[str]:
    return {
        path.as_posix()
        for path, tree in MODULES.items()
        if any(name.split(".")[0] == package for name in _imports(tree))
    }


@pytest.mark.parametrize(
    ("package", "place"),
    [
        ("prefect", "pipelines/"),
        ("mlflow", "models/registry.py"),
        ("optuna", "models/risk/search.py"),
        ("bentoml", "serving/api/service.py"),
        ("alembic", "data/"),
        ("sqlalchemy", "data/"),
        ("httpcore", ("serving/delivery/", "presage/client.py", "presage/client_calls.py")),
    ],
)
def test_a_tool_is_imported_in_its_one_place(package: str, place: str | tuple[str, ...]) -> None:
    strays = {path for path in _users_of(package) if not path.startswith(place)}
    assert not strays, f"{package} may be imported in {place} only"


@pytest.mark.parametrize("package", ["pickle", "joblib", "cloudpickle", "dill", "shelve"])
def test_nothing_is_unpickled(package: str) -> None:
    assert not _users_of(package)


def test_no_room_is_named_after_a_tool_or_after_nothing() -> None:
    banned = {"utils", "helpers", "common", "base", "misc", "lightgbm", "mlflow", "prefect", "util"}
    named = {path for path in MODULES if banned & {path.stem, *path.parts[:-1]}}
    assert not named


def _calls(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call | ast.Attribute):
            yield ast.unparse(node.func if isinstance(node, ast.Call) else node)


def test_only_the_clock_asks_what_time_it_is() -> None:
    asking = {"datetime.now", "datetime.utcnow", "date.today", "time.time", "pd.Timestamp.now"}
    strays = {
        path.as_posix()
        for path, tree in MODULES.items()
        if path.as_posix() != "data/clock.py" and asking & set(_calls(tree))
    }
    assert not strays, "data/clock.py is the only place that asks what time it is"


def test_only_settings_reads_the_environment() -> None:
    strays = {
        path.as_posix()
        for path, tree in MODULES.items()
        if path.as_posix() != "data/settings.py"
        and {"os.getenv", "os.environ.get"} & set(_calls(tree))
    }
    assert not strays, "data/settings.py is the only reader of the environment"


def test_every_module_teaches_its_idea_first() -> None:
    silent = [path.as_posix() for path, tree in MODULES.items() if not ast.get_docstring(tree)]
    assert not silent, "modules without a docstring"


def test_no_modules_import_each_other() -> None:
    """Neither at once nor inside a function: a circle cannot be read from one end."""
    from benchmarks.house import circles, imports_of, modules

    known = modules()
    assert len(known) > 200
    assert not circles({name: imports_of(name, known) for name in known})


def test_a_circle_is_found() -> None:
    from benchmarks.house import circles

    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


PARTICIPLES = {"told", "made", "came", "said", "seen", "kept"}
MORE_PARTICIPLES = PARTICIPLES | {"asked", "done", "found", "given"}
READ_THROUGH = tuple(f"{room}/" for room in ROOMS)
"""Rooms in which no variable, parameter or attribute has a participle for a name, either."""
WRITTEN_IN_FILES = {"Given"}
"""Classes whose names stand in stored views."""
WRITTEN_BY = {
    "data/erasure/": {"said", "done"},
    "serving/api/schemas_planning.py": {"kept"},
}
"""Fields whose names stand in journals and answers that these modules write."""


def _names_in(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of each class, function, variable, parameter and attribute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg


def _participles(tree: ast.Module, path: str = "") -> list[tuple[int, str]]:
    written = [names for place, names in WRITTEN_BY.items() if path.startswith(place)]
    allowed = WRITTEN_IN_FILES.union(*written)
    return [
        (line, name)
        for line, name in _names_in(tree)
        if name not in allowed and name.strip("_").lower() in MORE_PARTICIPLES
    ]


def test_no_participle_names_a_module_class_or_function() -> None:
    """A name says what the thing is: ``ForecastComponents``, not ``Made``."""
    named = [path.as_posix() for path in MODULES if path.stem in PARTICIPLES]
    for path, tree in MODULES.items():
        for node in ast.walk(tree):
            named_here = isinstance(node, ast.ClassDef | ast.FunctionDef)
            if named_here and node.name.lstrip("_").lower() in PARTICIPLES:
                named.append(f"{path}:{node.lineno} {node.name}")
    assert not [name for name in named if not name.startswith("pipelines/")]


def test_no_participle_names_a_variable() -> None:
    strays = [
        f"{path}:{line} {name}"
        for path, tree in MODULES.items()
        if path.as_posix().startswith(READ_THROUGH)
        for line, name in _participles(tree, path.as_posix())
    ]
    assert not strays, "say what the thing is: a tally, the actual counts, the forecast"


@pytest.mark.parametrize(
    "text",
    [
        "told = tally(trials)",
        "def weigh(told): ...",
        "def weigh(*, made=None): ...",
        "for said, came in pairs: ...",
        "self._kept = {}",
        "[found for found in rows]",
        "async def asked(): ...",
        "class Done: ...",
    ],
)
def test_a_participle_is_seen_wherever_it_names_something(text: str) -> None:
    assert _participles(ast.parse(text))


def test_a_noun_and_a_column_are_no_participles() -> None:
    assert not _participles(ast.parse('tally = frame["kept"]; kept_of(tally, share_kept=1)'))


def test_files_stay_one_subject_long() -> None:
    """About 300 lines are the aim; past 450 a file is two subjects."""
    long = {
        path.as_posix(): count
        for path in MODULES
        if (count := len((ROOT / path).read_text().splitlines())) > 450
    }
    assert not long


def test_no_registry_host_and_no_machine_path_is_named() -> None:
    import subprocess

    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\0")
    if files == [""]:
        pytest.skip("not a git checkout")
    banned = (
        "pypi" + ".org",
        "pythonhosted" + ".org",
        "registry.npmjs" + ".org",
        "/wo" + "rk/main",
    )
    found = []
    for name in files:
        path = ROOT / name
        if name and path.is_file():
            text = path.read_bytes().decode("utf-8", "ignore")
            found += [(name, word) for word in banned if word in text]
    assert not found
