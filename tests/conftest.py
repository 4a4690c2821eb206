"""Fixtures that every room shares: the real data, and a switch that forbids skipping."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .forked import FORKS, SCRIPT

# Threads that wait asleep and one thread a model: the test processes share the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """``real_data("incidents")`` is that folder below PRESAGE_DATA; skips where absent."""
    root = os.environ.get("PRESAGE_DATA")

    def folder(name: str) -> Path:
        if not root:
            pytest.skip("PRESAGE_DATA is not set: the real data sets are not on this machine")
        path = Path(root) / name
        if not path.is_dir():
            pytest.skip(f"PRESAGE_DATA has no folder {name}")
        return path

    return folder


def presage(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user starts it; fails unless it exits with ``code``."""
    command = [str(SCRIPT), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="session")
def run_presage() -> Callable[..., subprocess.CompletedProcess[str]]:
    """``run_presage("check", folder, code=1)``: the command line in a process of its own."""

    def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = FORKS.run(*arguments)
        assert done.returncode == code, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done

    return run


@pytest.fixture(autouse=True, scope="session")
def one_empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """MLflow's empty store is made once a test process, by its hundred migrations, and copied."""
    from data.files import replacing
    from models import registry

    make, empty = registry._create_store, tmp_path_factory.mktemp("mlflow") / "empty.db"

    def copied(mlflow: object, database: Path) -> None:
        if not empty.exists():
            make(mlflow, empty)
        with replacing(database, mode=None) as staged:
            shutil.copyfile(empty, staged)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_create_store", copied)
        yield


@pytest.fixture(scope="session")
def trained_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated company, trained, scored, forecast and staffed by the command line.

    Made once and shared by all test processes; copy it before you change it.
    """
    base = tmp_path_factory.getbasetemp()
    root = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder, done = root / "trained", root / "trained.done"
    with (root / "trained.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            from data.workspace import set_setting

            # complaints enough that a model shows its gain on the baselines
            presage("simulate", folder, "--customers", 1000, "--days", 300, "--seed", 21)
            set_setting(folder, "risk.as_ofs", 18)
            set_setting(folder, "volume.horizon_days", 7.0)
            presage("train", folder)
            presage("score", folder)
            presage("staff", folder, "--horizon", "7d")
            done.touch()
    return folder


FIRST = (
    "properties/test_predictions_no_future.py",
    "system/test_demo.py",
    "system/test_models_reach.py",
    "system/test_up.py",
    "system/test_service.py",
    "system/test_command_line.py",
    "properties/test_features_oracle.py",
    "behaviour/",
    "system/",
    "properties/",
    "unit/serving/test_live.py",
    "unit/pipelines/",
    "unit/data/",
)
"""Files that take minutes, which the processes share out whole: one begins with the company that
others wait for, the other with the demo; short ones fill up the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first."""

    def rank(item: pytest.Item) -> int:
        return next((at for at, name in enumerate(FIRST) if f"tests/{name}" in item.nodeid), 99)

    items.sort(key=rank)


@pytest.fixture(scope="session")
def as_documented() -> Callable[[str, str, int, str, bytes], None]:
    """``as_documented(method, path, status, content_type, body)``: fails unless the OpenAPI file
    describes this answer of this call."""
    import json
    import re
    from urllib.parse import urlsplit

    from openapi_schema_validator import OAS30Validator
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT4

    from serving.api.assembly import openapi

    document = json.loads(openapi())
    home = Resource.from_contents(document, default_specification=DRAFT4)
    registry: Registry[object] = Registry().with_resource("urn:presage", home)
    routes = [
        (re.compile(re.sub(r"{\w+}", "[^/]+", path)), methods)
        for path, methods in document["paths"].items()
    ]

    def check(method: str, path: str, status: int, content_type: str, body: bytes) -> None:
        bare = urlsplit(path).path
        kind = content_type.partition(";")[0]
        found = [methods for form, methods in routes if form.fullmatch(bare)]
        if found and method.lower() in found[0]:
            answers = found[0][method.lower()]["responses"]
            assert str(status) in answers, f"{method} {path} answered {status}, which is not told"
            content = answers[str(status)].get("content")
            if content is None:
                assert not body
                return
            assert kind in content, f"{method} {path} answered {kind}, which is not told"
            schema = content[kind]["schema"]
            if "$ref" in schema:
                schema = {"$ref": "urn:presage" + schema["$ref"]}
        elif kind == "application/problem+json":
            schema = {"$ref": "urn:presage#/components/schemas/Problem"}
        else:
            return
        if kind.endswith("json"):
            lines = body.splitlines() if kind == "application/x-ndjson" else [body]
            validator = OAS30Validator(schema, registry=registry)
            wrong = [e for line in lines for e in validator.iter_errors(json.loads(line))]
            assert not wrong, f"{method} {path} {status}: {wrong[0].json_path} {wrong[0].message}"

    return check


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """With PRESAGE_NO_SKIPS=1 (``make test-full``) a skipped test fails, with its reason."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if (
        os.environ.get("PRESAGE_NO_SKIPS") == "1"
        and report.skipped
        and not hasattr(report, "wasxfail")
    ):
        report.outcome = "failed"
        report.longrepr = f"skipped where no skip is allowed: {report.longrepr}"
