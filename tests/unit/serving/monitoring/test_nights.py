"""The watchdog sees runs that are stuck, slow, failed or killed, and a night that did not begin."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from data.settings_nights import Nights
from serving.monitoring.finding import Finding
from serving.monitoring.nights import NIGHT, night_findings
from serving.runs import KEEP, RunRecord, Schedule, keep_schedule, runs_in

NOW = datetime(2026, 3, 2, 2)
TOKEN = 7


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **how_long: float) -> None:
        self.now += timedelta(**how_long)


@pytest.fixture
def time() -> Time:
    return Time()


def record(folder: Path, time: Time, verb: str = "score") -> RunRecord:
    return RunRecord(folder, verb, "writing", TOKEN, "presage score (process 12 on a)", time)


def seen(folder: Path, time: Time, held: int | None = TOKEN, but: str = "") -> list[Finding]:
    holds = {} if held is None else {"writing": held}
    return [f for f in night_findings(folder, Nights(), holds, time.now, but) if f.act]


def test_a_run_that_goes_well_is_no_finding(tmp_path: Path, time: Time) -> None:
    with record(tmp_path, time) as run, run.step("scores-of"), run.step("inner"):
        time.pass_(hours=5.9)
        assert not seen(tmp_path, time)
    assert not seen(tmp_path, time)
    (runs,) = runs_in(tmp_path)
    assert runs.current is None and [s.name for s in runs.past[0].steps] == ["scores-of"]
    assert night_findings(tmp_path, Nights(), {}, NOW)[0].status == "ok"


def test_a_run_that_holds_the_lease_too_long_is_stuck(tmp_path: Path, time: Time) -> None:
    with record(tmp_path, time) as run, run.step("scores-of"):
        time.pass_(hours=6.5)
        (found,) = seen(tmp_path, time)
        assert (found.what, found.status, found.since) == ("score stuck", "alarm", NOW)
        assert "process 12 on a) runs for 6.5 hours; it is at scores-of since 02:00" in found.text
        assert not seen(tmp_path, time, but="score")


def test_a_step_is_slow_beside_its_usual_time(tmp_path: Path, time: Time) -> None:
    for _ in range(3):
        with record(tmp_path, time) as run, run.step("scores-of"):
            time.pass_(minutes=3)
    with record(tmp_path, time) as run, run.step("scores-of"):
        time.pass_(minutes=11)
        assert not seen(tmp_path, time)
        time.pass_(minutes=2)
        (found,) = seen(tmp_path, time)
        assert found.what == "score slow"
        assert "scores-of takes 13 minutes so far, usually 3.0" in found.text


def test_who_failed_and_who_was_killed(tmp_path: Path, time: Time) -> None:
    with pytest.raises(ZeroDivisionError), record(tmp_path, time) as run, run.step("scores-of"):
        raise ZeroDivisionError("of c-17")
    (found,) = seen(tmp_path, time, None)
    assert (found.what, found.status) == ("score failed", "alarm")
    assert found.text.endswith("ended with a ZeroDivisionError at scores-of")
    assert "c-17" not in next(tmp_path.rglob("*.json")).read_text()
    record(tmp_path, time).__enter__()
    for token in (None, TOKEN + 1):  # its lease ran out, or another run has it
        (found,) = seen(tmp_path, time, token)
        assert (found.what, found.status) == ("score killed", "notice")
    with record(tmp_path, time):
        assert not seen(tmp_path, time)
    (runs,) = runs_in(tmp_path)
    assert [run.ended_at is None for run in runs.past] == [False, True, False]


def test_a_night_that_did_not_begin_is_late(tmp_path: Path, time: Time) -> None:
    keep_schedule(tmp_path, Schedule("00:15", "Europe/Oslo", NOW - timedelta(days=3)))
    due = datetime(2026, 3, 1, 23, 15)
    (found,) = seen(tmp_path, time)
    assert (found.what, found.since, found.status) == ("night late", due, "alarm")
    assert "the night of 2026-03-01 23:15 UTC (00:15 Europe/Oslo) has not begun" in found.text
    time.now = due
    with RunRecord(tmp_path, NIGHT, "none", 0, "the night", time):
        time.now = NOW
        assert not seen(tmp_path, time)
    time.pass_(hours=22, minutes=14)  # the next one, but for a minute of its hour
    assert not seen(tmp_path, time)
    time.pass_(minutes=2)
    assert [found.what for found in seen(tmp_path, time)] == ["night late"]
    keep_schedule(tmp_path, Schedule("00:15", "Europe/Oslo", time.now))  # begun only now
    assert not seen(tmp_path, time)
    keep_schedule(tmp_path, None)
    assert not seen(tmp_path, time)


def test_a_file_that_is_not_ours_is_passed_over_and_few_are_kept(
    tmp_path: Path, time: Time
) -> None:
    for _ in range(KEEP + 3):
        with record(tmp_path, time):
            time.pass_(minutes=1)
    (runs,) = runs_in(tmp_path)
    assert len(runs.past) == KEEP
    (path,) = tmp_path.rglob("*.json")
    path.write_text('{"current": [')
    assert runs_in(tmp_path) == [] and not seen(tmp_path, time)
    with record(tmp_path, time):
        assert len(runs_in(tmp_path)) == 1
