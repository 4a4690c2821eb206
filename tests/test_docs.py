"""docs/ is true: the contract's tables, verbs and endpoints are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from data.contract import EVERY_TABLE, TABLES

ROOT = Path(__file__).resolve().parents[1]
CONTRACT = (ROOT / "docs" / "CONTRACT.md").read_text()


def _table_rows() -> dict[str, list[str]]:
    rows = {}
    section = CONTRACT.split("## Tables")[1].split("\n## ")[0]
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| ") and len(cells) >= 4 and cells[0] in TABLES:
            rows[cells[0]] = cells
    return rows


def test_every_table_of_the_contract_is_documented_and_none_more() -> None:
    assert set(_table_rows()) == set(TABLES)


@pytest.mark.parametrize("name", list(TABLES))
def test_columns_are_the_documented_ones(name: str) -> None:
    _, key, birth, columns = _table_rows()[name]
    told = re.sub(r"\([^)]*\)", "", f"{key}, {birth}, {columns}").split("`name` and")[0]
    words = set(re.findall(r"\b[a-z][a-z_]*\b", told))
    own = {column.name for column in TABLES[name].columns} - {c.name for c in EVERY_TABLE}
    missing = own - words
    assert not missing, f"docs/CONTRACT.md does not name {sorted(missing)} of {name}"


@pytest.mark.parametrize("name", list(TABLES))
def test_required_columns_carry_the_star(name: str) -> None:
    _, key, birth, columns = _table_rows()[name]
    starred = set(re.findall(r"([a-z_]+)\*", f"{key}, {birth}, {columns}"))
    assert starred == set(TABLES[name].required)


def _verbs() -> set[str]:
    section = CONTRACT.split("## Command line")[1].split("\n## ")[0]
    verbs = set()
    for row in re.findall(r"^\| (`.*?) \|", section, flags=re.MULTILINE):
        verbs |= {match.split()[0] for match in re.findall(r"`presage ([^`]+)`", row)}
    return verbs


def test_every_verb_of_the_contract_exists_and_has_an_example() -> None:
    from pipelines.cli import app

    groups = {group.name: group for group in app.registered_groups}
    names = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback}
    assert _verbs() <= names | set(groups)
    inner = [c for group in groups.values() for c in group.typer_instance.registered_commands]
    for command in [*app.registered_commands, *inner]:
        told = command.callback.__doc__ or ""
        assert "Example: presage " in told, f"{command.name} shows no example"


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                broken.append((page.name, target))
    assert not broken


def test_the_pictures_of_the_concepts_are_drawn_from_the_code_and_shown() -> None:
    from lab.concepts import pictures

    page = (ROOT / "docs" / "concepts.md").read_text()
    for name, picture in pictures().items():
        file = ROOT / "docs" / "pictures" / f"{name}.svg"
        assert file.read_text() == picture, "run: python -m lab.concepts docs/pictures"
        assert f"](pictures/{file.name})" in page
    assert page.count("\n## ") == 8


def test_every_test_that_earns_a_row_of_the_score_is_there() -> None:
    page = (ROOT / "docs" / "ml-test-score.md").read_text()
    sections = page.split("\n## ")[1:]
    assert len(sections) == 4
    for section in sections:
        rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
        earned = re.findall(r"\[(test_\w+)\]\(\.\./(tests/[^)]+)\)", section)
        assert len(rows) == 7 and section.splitlines()[0].endswith(f": {len(earned)} of 7")
        for name, file in earned:
            assert f"def {name}(" in (ROOT / file).read_text(), f"{file} has no {name}"


ROOMS = ("presage", "data", "features", "models", "serving", "pipelines", "lab")


def _drawn_rooms() -> dict[str, str]:
    """The drawing's lines by room."""
    drawing = (ROOT / "docs" / "DESIGN.md").read_text().split("```")[1]
    rooms: dict[str, str] = {}
    for line in drawing.strip("\n").splitlines():
        if not line.startswith(" "):
            room = line.split()[0]
        rooms[room] = rooms.get(room, "") + line + "\n"
    return rooms


def test_every_module_of_a_room_is_drawn() -> None:
    """By its name, or by that of the folder it lies in."""
    hidden = []
    for room, text in _drawn_rooms().items():
        for path in sorted((ROOT / room).rglob("*.py")) if room.rstrip("/") in ROOMS else ():
            folder, *rest = path.relative_to(ROOT / room).parts
            words = rf"\b{folder}/" if rest else rf"\b{path.stem}\b"
            if not path.name.startswith("__") and not re.search(words, text):
                hidden.append(str(path.relative_to(ROOT)))
    assert not hidden, "docs/DESIGN.md does not say what these are for"


def test_every_room_that_the_design_draws_exists() -> None:
    missing = []
    for room, text in _drawn_rooms().items():
        missing += [room] if not (ROOT / room).is_dir() else []
        names = re.findall(r"(?<![\w/])[a-z_]+(?:\.py|/)", text.partition("\n")[2])
        missing += [room + n for n in names if room != "tests/" and not (ROOT / room / n).exists()]
    assert not missing, f"docs/DESIGN.md draws what is not there: {missing}"


def test_the_python_page_says_what_happens() -> None:
    """Every example of docs/python.md, one after another, and every name that it shows."""
    import doctest

    import presage as ps

    page = ROOT / "docs" / "python.md"
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    text = page.read_text().replace("```", "")
    test = doctest.DocTestParser().get_doctest(text, {"ps": ps}, "python.md", str(page), 0)
    assert len(test.examples) > 20
    runner = doctest.DocTestRunner(optionflags=flags)
    said: list[str] = []
    runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)
    names = set(re.findall(r"\bps\.([A-Za-z_]+)", text)) - {"forcast", "PresageError"}
    assert names <= set(ps.__all__)


def test_the_outreach_page_verifies_a_webhook_in_ten_lines() -> None:
    """The block of docs/outreach.md is run on what we sign, with one key and with two."""
    import time

    from serving.delivery.signature import Key, signature

    page = (ROOT / "docs" / "outreach.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    (block,) = (found for found in blocks if "def verified(" in found)
    code = [line for line in block.splitlines() if line.strip() and not line.startswith("import")]
    assert len(code) <= 10
    names: dict[str, object] = {}
    exec(compile(block, "outreach.md", "exec"), names)  # noqa: S102
    verified = names["verified"]
    assert callable(verified)
    old, new = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    body, now = '{"id": "æ"}'.encode(), int(time.time())
    for stamp, keys, secret, right in (
        (now, [new], new, True),
        (now, [new, old], old, True),
        (now, [new], old, False),
        (now - 600, [new], new, False),
    ):
        signed = signature([Key.of(key) for key in keys], "m1", stamp, body)
        headers = {"webhook-id": "m1", "webhook-timestamp": str(stamp), "webhook-signature": signed}
        assert verified(headers, body, secret) is right
        assert not verified(headers, body + b" ", secret)


def test_every_block_of_bring_your_data_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file of the page is written, each command run, and its first lines are those shown."""
    import sqlite3

    from typer.testing import CliRunner

    from pipelines.cli import app

    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "adapters.md").read_text()
    commands = 0
    for name, content in re.findall(r"```\w+ file=(\S+)\n(.*?)```", text, re.DOTALL):
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.suffix == ".sqlite":
            with sqlite3.connect(place) as database:
                database.executescript(content)
            database.close()
        else:
            place.write_text(content)
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        command, *shown = block.strip().splitlines()
        done = CliRunner().invoke(app, command.removeprefix("$ presage ").split())
        assert done.exit_code == 0, f"{command}\n{done.output}"
        assert [line for line in shown if line not in done.output] == [], done.output
        commands += 1
    assert commands == 16
    openings = re.findall(r"^```(.+)$", text, re.MULTILINE)
    idle = [one for one in openings if one != "console" and " file=" not in one]
    assert not idle, f"blocks that nothing runs: {idle}"
