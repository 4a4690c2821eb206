"""Makes: other kinds of companies, whole, within their range, and the usual one left alone."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from data.check import check
from data.contract import TABLES
from data.errors import DataError, UsageError
from data.simulate import Company, Rates, make_of, simulate
from data.simulate.export import arrow_tables
from data.simulate.make_rates import MOST_COMPLAINTS, RANGE, acting
from data.simulate.recording import Recording
from data.simulate.words import Words
from data.workspace import Workspace, init, set_setting
from lab.observer import observer

MAKES = range(30)
RUN = MAKES if os.environ.get("PRESAGE_FULL") == "1" else MAKES[::4]
"""Those that are run; of all is asked what their numbers draw."""
DAYS, SETTLED = 86, 16
OTHER_WORDS = 7


def run(company: Company, days: int) -> Company:
    for _ in range(days):
        company.step()
    return company


@dataclass(frozen=True)
class Small:
    """A small company of a make, its tables in a workspace, and its level."""

    company: Company
    folder: Path
    share: float


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Small]:
    """One of each make. ``share``: the mean chance of a complaint within a week, after the first
    weeks, by the hazards of the truth."""
    root = tmp_path_factory.mktemp("makes")
    made = {}
    for number in RUN:
        company, weeks = Company(150, DAYS, seed=5, make=number, hazard_every=0), []
        for day in range(DAYS):
            if day >= SETTLED and (day - SETTLED) % 7 == 0:
                here, week = company.state.present(day), np.zeros(company.world.size)
                weeks.append((here, week))
            hazard = company.step().complaint_hazard
            if weeks:
                weeks[-1][1][:] += hazard
        share = np.concatenate([-np.expm1(-week[here]) for here, week in weeks]).mean()
        folder = root / str(number)
        init(folder)
        set_setting(folder, "company.currency", "EUR")
        for name, rows in arrow_tables(company).items():
            pq.write_table(rows, folder / "tables" / f"{name}.parquet")
        made[number] = Small(company, folder, float(share))
    return made


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Company]:
    """A make whose channels and topics have other words, as ``simulate`` writes it."""
    folder = tmp_path_factory.mktemp("written") / "acme"
    company = simulate(folder, 120, 60, seed=5, make=OTHER_WORDS, truth_runs=1)
    assert company.world.words.channels != Words().channels
    assert company.world.words.topics != Words().topics
    return folder, company


@pytest.fixture(scope="module")
def usual() -> dict[str, pd.DataFrame]:
    return run(Company(80, 45, seed=4), 45).tables()


def read(folder: Path, part: str = "tables") -> dict[str, pd.DataFrame]:
    return {p.stem: pd.read_parquet(p) for p in sorted((folder / part).glob("*.parquet"))}


def test_without_a_make_the_company_is_as_ever(usual: dict[str, pd.DataFrame]) -> None:
    """Digests of its tables from before there were makes: whoever changes them changes every
    benchmark, and should mean to."""
    digests = {
        name: hashlib.sha256(frame.to_csv(index=False).encode()).hexdigest()[:16]
        for name, frame in usual.items()
    }
    assert digests == {
        "customers": "e3282dc2b2a894ee",
        "orders": "76843cbd28a403d0",
        "order_items": "cdd5c311e776502f",
        "usage": "e5d2592e7447d66f",
        "tickets": "71686f9c3ad45682",
        "bot_sessions": "65bce5eff7f3aed9",
        "feedback": "0311d1de3b9c9289",
        "articles": "8a6f44f1d3b05207",
        "article_events": "d3fcedd495fb4b7d",
        "calendar": "83e23bbc6a094aff",
        "agents": "9ed1b75c63130cc3",
        "treatments": "963e75a63206bf04",
    }


def test_no_make_is_silent_and_none_complains_daily(small: dict[int, Small]) -> None:
    low, high = RANGE
    shares = {number: each.share for number, each in small.items()}
    assert {n: s for n, s in shares.items() if not low <= s <= high} == {}
    assert max(shares.values()) > 4 * min(shares.values()), "makes differ in level"


def test_the_check_finds_nothing_wrong_in_any_make(small: dict[int, Small]) -> None:
    """But for a table of which nothing has come yet in so small a company. Every second of them: a
    table of the others has no column and no type that these do not have."""
    for number in RUN[::2]:
        found = check(Workspace.open(small[number].folder)).violations
        assert [v for v in found if v.rule != "no rows"] == [], number


def test_what_is_left_out_is_absent_and_all_else_is_there(
    small: dict[int, Small], usual: dict[str, pd.DataFrame]
) -> None:
    for number, each in small.items():
        recording, tables = make_of(number).recording, read(each.folder)
        assert set(tables) == set(usual) - set(recording.tables), number
        for name, frame in tables.items():
            expected = [c for c in usual[name].columns if not recording.lacks(name, c)]
            assert list(frame.columns) == expected, (number, name)
            assert set(TABLES[name].required) <= set(frame.columns)
            if not recording.versions and TABLES[name].key:
                key = [k for k in TABLES[name].key if k in frame]
                assert not key or not frame.duplicated(key).any(), (number, name)


def test_between_them_makes_leave_out_each_kind_of_column() -> None:
    makes = [make_of(number) for number in MAKES]
    lacking = {column for make in makes for column in make.recording.columns}
    assert lacking >= {
        "customers.region", "orders.carrier", "customers.platform", "orders.product_id",
        "tickets.resolved_at", "orders.amount", "orders.cancelled_at", "tickets.csat",
        "tickets.order_id",
    }  # fmt: skip
    tables = {table for make in makes for table in make.recording.tables}
    assert tables == {
        "usage", "order_items", "bot_sessions", "feedback", "articles", "article_events",
        "calendar", "agents", "treatments",
    }  # fmt: skip
    causes = {acting(make.rates) for make in makes}
    assert len(causes) > 10
    for cause in ("delivery", "defect", "app_error", "billing", "open_ticket", "unmet_need"):
        assert 0 < sum(cause in each for each in causes) < len(causes), cause


def test_tables_truth_and_settings_speak_the_make_s_words(written: tuple[Path, Company]) -> None:
    folder, company = written
    words = company.world.words
    tables, truth = read(folder), read(folder, "truth")
    for frame in (tables["tickets"], truth["contacts"], truth["expected_volume"]):
        assert set(frame["channel"].dropna()) <= set(words.channels)
        assert set(frame["topic"].dropna()) <= set(words.topics)
    assert set(truth["incidents"]["carrier"].dropna()) <= set(words.carriers)
    settings = Workspace.open(folder).settings
    assert set(settings.opening_hours) == set(words.channels)
    for usual, word in zip(Words().channels, words.channels, strict=True):
        assert settings.service_levels[word] == settings.service_levels[usual]


def test_the_make_is_written_beside_the_truth(written: tuple[Path, Company]) -> None:
    folder, company = written
    assert company.make is not None
    drawn = json.loads((folder / "truth" / "make.json").read_text("utf-8"))
    assert drawn == json.loads(json.dumps(company.make.as_dict()))
    assert drawn["rates"]["orders"] == {"drawn": company.rates.orders, "usual": Rates().orders}
    readme = (folder / "truth" / "README.md").read_text("utf-8")
    assert f"## Make {OTHER_WORDS}" in readme and "| orders |" in readme
    first = (folder / "presage.toml").read_text("utf-8").splitlines()[0]
    assert first.startswith(f"# A simulated company of make {OTHER_WORDS};")


def test_the_verb_tells_what_was_drawn(
    run_presage: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    size = ("--customers", 20, "--days", 30, "--make", OTHER_WORDS)
    done = run_presage("simulate", tmp_path / "one", *size, "--json")
    told = json.loads(done.stdout)
    assert told["make"] == OTHER_WORDS
    assert told["words"] == json.loads(json.dumps(asdict(make_of(OTHER_WORDS).words)))
    assert "--make" in run_presage("simulate", "--help").stdout


def test_equal_makes_and_seeds_are_equal_and_other_seeds_of_the_same_kind() -> None:
    one, same, other = (run(Company(120, 40, seed, make=4), 40) for seed in (1, 1, 2))
    assert one.rates == other.rates and one.world.words == other.world.words
    for name, frame in one.tables().items():
        pd.testing.assert_frame_equal(frame, same.tables()[name])
        assert list(frame.columns) == list(other.tables()[name].columns)
    assert not one.tables()["orders"].equals(other.tables()["orders"])
    assert make_of(4).rates != make_of(5).rates


def test_nobody_runs_away() -> None:
    """However high the tendency, causes that excite themselves have an end."""
    loud = max(MAKES, key=lambda n: make_of(n).rates.c_open_ticket)
    company = Company(100, 60, seed=3, make=loud)
    company.world.people.complaint_tendency[:] = 40.0
    for _ in range(60):
        assert company.step().complaint_hazard.max() <= 40.0 * MOST_COMPLAINTS + 1e-9


def test_clones_keep_the_words_and_the_recording() -> None:
    company = run(Company(60, 20, seed=1, make=7), 20)
    twin = company.clone(seed=9, record=True)
    day = twin.step(staffing={company.world.words.channels[0]: [5.0] * 24})
    assert set(day.contacts()["channel"]) <= set(company.world.words.channels)
    assert set(twin.tables()) == set(company.tables())
    with pytest.raises(DataError, match="no channel 'phone'"):
        twin.step(staffing={"phone": [5.0] * 24})


def test_the_ideal_observer_refuses_makes_by_name(usual: dict[str, pd.DataFrame]) -> None:
    company = run(Company(60, 20, seed=1, make=7), 20)
    with pytest.raises(UsageError, match="rates of make 7"):
        observer(company.tables(), [company.now], rates=company.rates)
    with pytest.raises(DataError, match="lacks"):
        observer(company.tables(), [company.now])
    topics = usual["tickets"]["topic"].replace("delivery", "LOG")
    spoken = usual | {"tickets": usual["tickets"].assign(topic=topics)}
    with pytest.raises(DataError, match=r"tickets\.topic has 'LOG'"):
        observer(spoken, [company.now])


def test_impossible_makes_are_refused() -> None:
    with pytest.raises(UsageError, match="counted from 0"):
        make_of(-1)
    with pytest.raises(UsageError, match="not both"):
        Company(10, 10, seed=1, make=1, rates=Rates())
    with pytest.raises(UsageError, match="no optional column"):
        Recording(columns=("orders.customer_id",))
    with pytest.raises(UsageError, match="no table 'order'"):
        Recording(tables=("order",))
