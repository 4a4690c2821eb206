"""Containerfile and compose.yaml, parsed and linted: what runs, as whom, what it may write to. No
container is started here."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
OURS = [name for name in COMPOSE["services"] if name != "store"]


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Containerfile").read_text()
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [
        (word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.split("\n"))
        if word
    ]  # fmt: skip


def test_the_containerfile_has_known_instructions_and_copies_what_is_there() -> None:
    known = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK",
             "ENTRYPOINT", "CMD"}  # fmt: skip
    found = instructions()
    assert {word for word, _ in found} <= known
    assert found[0][0] == "FROM"
    for word, rest in found:
        if word == "COPY" and not rest.startswith("--from"):
            *sources, _ = shlex.split(rest)
            assert all((ROOT / source).exists() for source in sources), rest
        if word == "FROM":  # no registry's host: the builder's own default
            assert re.fullmatch(r"[a-z]+:[\w.-]+( AS \w+)?", rest)


def test_every_room_that_is_installed_is_copied() -> None:
    import tomllib

    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    rooms = {name.split(".")[0].rstrip("*") for name in packages["packages"]["find"]["include"]}
    copied = {rest.split()[0] for word, rest in instructions() if word == "COPY"}
    assert rooms <= copied


def test_it_runs_as_a_user_of_its_own() -> None:
    last = [rest for word, rest in instructions() if word == "USER"][-1]
    assert int(last) >= 10_000
    assert not any(
        word in {"ENTRYPOINT", "CMD"} and "sudo" in rest for word, rest in instructions()
    )


@pytest.mark.parametrize("name", list(COMPOSE["services"]))
def test_a_service_cannot_write_to_its_root_and_is_looked_at(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert "/tmp" in service["tmpfs"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert service["healthcheck"].get("test") or name == "schedules"
    assert "/" not in service["image"], "an image is named without a registry's host"
    for port in service.get("ports", ()):
        assert port.startswith("127.0.0.1:")


@pytest.mark.parametrize("name", OURS)
def test_ours_have_no_rights_and_no_secret_in_the_file(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["cap_drop"] == ["ALL"] and int(service["user"]) >= 10_000
    for key, value in service.get("environment", {}).items():
        if re.search("PASSWORD|SECRET|AUTH|STORE_URL", key):
            assert "${" in value and ":?" in value, f"{key} is written down"


def test_what_is_waited_for_and_mounted_is_there() -> None:
    for service in COMPOSE["services"].values():
        for other, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert "test" in COMPOSE["services"][other]["healthcheck"]
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            assert source.startswith("./") or source in COMPOSE["volumes"]


def test_the_commands_are_there() -> None:
    from pipelines.cli import app

    verbs = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback}
    ours = dict(instructions())["CMD"]
    assert yaml.safe_load(ours)[0] in verbs
    assert importlib.util.find_spec(COMPOSE["services"]["schedules"]["entrypoint"][-1])
    for name in ("mlflow", "prefect"):
        assert importlib.util.find_spec(COMPOSE["services"][name]["entrypoint"][0])
