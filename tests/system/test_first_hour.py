"""The first hour of a CRM developer: each block of the page, run as it stands there."""

from __future__ import annotations

import doctest
import json
import os
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.audit import requests_logged
from serving.prediction_log import predictions

from .conftest import DEADLINE_SECONDS, PRESAGE, free_port, interrupt, wait_for

pytestmark = [pytest.mark.system]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "first-hour-crm-developer.md"
BLOCK = re.compile(r"```(console|python)(?: file=(\S+))?\n(.*?)```", re.DOTALL)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def commands(block: str) -> list[tuple[str, list[str]]]:
    """Each command of a console block, and the lines that it shows."""
    found: list[tuple[str, list[str]]] = []
    for line in block.rstrip("\n").splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found[-1][0].endswith("\\"):
            found[-1] = (f"{found[-1][0]}\n{line}", [])
        else:
            found[-1][1].append(line)
    return found


class Shell:
    """Runs commands in a folder; variables and functions stay from one to the next."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "shell"
        self.state.write_text("")
        path = f"{Path(PRESAGE[0]).parent}{os.pathsep}{os.environ['PATH']}"
        self.environ = {**os.environ, "PATH": path}

    def run(self, command: str) -> str:
        remember = f"{{ declare -px; declare -f; }} > {self.state}"
        script = f"source {self.state}\nset -a\n{command}\n{remember}"
        done = subprocess.run(
            ["bash", "-uo", "pipefail", "-c", script], cwd=self.folder, env=self.environ,
            capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0 and "Traceback" not in done.stderr, f"{command}\n{done.stderr}"
        return done.stdout + done.stderr

    def variable(self, name: str) -> str:
        return self.run(f'printf %s "${name}"')


@pytest.fixture(scope="module")
def page() -> str:
    """The page at ports that are free here."""
    text = PAGE.read_text().replace(":3000", f":{free_port()}")
    return text.replace("8123", str(free_port()))


@pytest.fixture
def folder(trained_workspace: Path, tmp_path: Path, page: str) -> Iterator[Path]:
    """A folder with the sandbox, made already (it is the trained company), and served."""
    shutil.copytree(trained_workspace, tmp_path / "company")
    (tmp_path / "company" / ".presage" / "sandbox").touch()
    ((command, shown),) = commands(BLOCK.findall(page)[0][2])
    name, *arguments = command.split()
    assert name == "presage"
    port = re.search(r"127\.0\.0\.1:(\d+)/docs", page)
    assert port is not None
    log = tmp_path / "service.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [*PRESAGE, *arguments, "--port", port[1]], cwd=tmp_path, stdout=file, stderr=file,
            text=True,
        )  # fmt: skip
    try:
        wait_for(f"http://127.0.0.1:{port[1]}/readyz", process)
        assert [line for line in shown if line not in log.read_text()] == []
        yield tmp_path
    finally:
        if process.poll() is None:
            interrupt(process)
    assert "Traceback" not in log.read_text()


def test_the_first_hour(folder: Path, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shell, names = Shell(folder), dict[str, Any]()
    monkeypatch.chdir(folder)
    kinds = []
    for kind, file, block in BLOCK.findall(page)[1:]:
        kinds.append(kind)
        if file:
            (folder / file).write_text(block)
        elif kind == "console":
            for command, shown in commands(block):
                told = shell.run(command)
                assert [line for line in shown if line not in told] == [], f"{command}\n{told}"
        else:
            for name in ("PRESAGE", "KEY"):
                monkeypatch.setenv(name, shell.variable(name))
            test = doctest.DocTestParser().get_doctest(block, names, PAGE.name, str(PAGE), 0)
            said: list[str] = []
            runner = doctest.DocTestRunner(optionflags=FLAGS)
            runner.run(test, out=said.append, clear_globs=False)
            assert not runner.failures and runner.tries, "".join(said)
            names = test.globs
            if kinds.count("python") == 1:  # before verbs by another clock drop what is old
                what_was_asked_and_told_can_be_found(folder, names)
    assert (kinds.count("console"), kinds.count("python")) == (8, 4)
    code = (folder / "receiver.py").read_text().split("\n\n")
    assert len(code[1].splitlines()) <= 10


def calls_of(state: Path, key: str) -> list[dict[str, Any]]:
    return [line for line in requests_logged(state) if line["key"] == key]


def what_was_asked_and_told_can_be_found(folder: Path, names: dict[str, Any]) -> None:
    """Again, under pseudonyms."""
    state, until = folder / "company" / ".presage", time.monotonic() + DEADLINE_SECONDS
    calm, risk = names["calm"], names["after"].risk["30"]
    kept, mine = predictions(state), calls_of(state, "crm")
    # Each log has a thread of its own, that writes once a second.
    while not mine or risk not in kept["risk_30d"].tolist():
        assert time.monotonic() < until
        select.select([], [], [], 0.1)
        kept, mine = predictions(state), calls_of(state, "crm")
    assert {line["call"] for line in mine} == {"/v1/predictions"}
    assert calm not in json.dumps(mine)
    answered = kept[kept["source"] == "answered"]
    assert answered["model_version"].notna().all() and calm not in set(answered["pseudonym"])
