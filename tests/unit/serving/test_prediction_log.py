"""Every prediction is kept under a pseudonym, and for as long as the setting says."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from data.errors import DamagedFile
from data.pseudonyms import pseudonym
from serving.monitoring.predictions import log_findings
from serving.prediction_files import LIST
from serving.prediction_log import FOLDER, PredictionLog, keep_published, predictions

NOW = datetime(2026, 3, 2, 4)
SALT = b"salt"


def scores() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": ["alice", "bob"],
            "as_of": pd.to_datetime(["2026-03-02"] * 2),
            "model_version": "risk-1-ab",
            "risk_7d": [0.1 + 0.2, 0.5],
            "reasons": "[]",
        }
    )


def test_what_was_predicted_is_there_and_nobody_is_named(tmp_path: Path) -> None:
    keep_published(tmp_path, SALT, scores(), NOW, keep_days=30)
    log = PredictionLog(tmp_path, SALT, 30)
    fresh = {**scores().iloc[0].to_dict(), "risk_7d": 0.75, "repeat_contact_14d": float("nan")}
    log.add([fresh], NOW + timedelta(days=1))
    log.close()
    told = predictions(tmp_path)
    assert told["source"].tolist() == ["published", "published", "answered"]
    assert told["risk_7d"].tolist() == [0.1 + 0.2, 0.5, 0.75]
    assert told["pseudonym"].iloc[0] == told["pseudonym"].iloc[2] == pseudonym(SALT, "alice")
    assert told["pseudonym"].nunique() == 2
    assert told["at"].iloc[2] == pd.Timestamp(NOW + timedelta(days=1))
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"alice" not in path.read_bytes()
    assert len(predictions(tmp_path, since=NOW + timedelta(days=1))) == 1


def test_a_line_that_was_cut_is_passed_over(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, SALT, 30)
    log.add([scores().iloc[0].to_dict()], NOW)
    log.close()
    (path,) = tmp_path.rglob("*.jsonl")
    path.write_text(path.read_text() + '{"at": "2026')
    assert len(predictions(tmp_path)) == 1


def test_a_file_that_is_not_what_was_written_is_refused_by_name(tmp_path: Path) -> None:
    keep_published(tmp_path, SALT, pd.concat([scores()] * 200), NOW, keep_days=30)
    (path,) = tmp_path.rglob("*.parquet")
    whole, right = path.read_bytes(), predictions(tmp_path)
    footer = int.from_bytes(whole[-8:-4], "little") + 8  # names of columns have no checksum
    values = np.random.default_rng(0).integers(4, len(whole) - footer, 60).tolist()
    ends = [whole[:at] for at in (0, 9, len(whole) // 2, len(whole) - 3)]
    flips = [whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :] for at in values]
    seen = 0
    for content in (*ends, *flips):
        path.write_bytes(content)
        try:
            pd.testing.assert_frame_equal(predictions(tmp_path), right)  # a byte that nobody reads
        except DamagedFile as damaged:
            assert f"{path} is damaged" in str(damaged) and "backup" in str(damaged)
            seen += 1
    assert seen > 40
    path.write_bytes(whole)
    assert len(predictions(tmp_path)) == 400


def test_old_days_go_and_nothing_is_kept_where_nothing_may_be(tmp_path: Path) -> None:
    keep_published(tmp_path, SALT, scores(), NOW, keep_days=2)
    keep_published(tmp_path, SALT, scores(), NOW + timedelta(days=2), keep_days=2)
    assert len(predictions(tmp_path)) == 4
    keep_published(tmp_path, SALT, scores(), NOW + timedelta(days=3), keep_days=2)
    assert predictions(tmp_path)["at"].min() == pd.Timestamp(NOW + timedelta(days=2))
    log = PredictionLog(tmp_path / "other", SALT, 0)
    keep_published(tmp_path / "other", SALT, scores(), NOW, keep_days=0)
    log.add([scores().iloc[0].to_dict()], NOW)
    log.close()
    assert predictions(tmp_path / "other").empty


def test_a_file_that_is_gone_is_missed_for_a_week_and_until_it_is_back(tmp_path: Path) -> None:
    home, day = tmp_path / FOLDER, timedelta(days=1)

    def night(number: int) -> list[str]:
        now, told = NOW + number * day, scores().assign(risk_7d=number / 100)
        keep_published(tmp_path, SALT, told, now, keep_days=30)
        return [finding.text for finding in log_findings(home, now)]

    log = PredictionLog(tmp_path, SALT, 30)
    assert night(0) == []
    log.add([scores().iloc[0].to_dict()], NOW)  # a service writes between two nights
    log.close()
    assert night(1) == []
    for pattern in ("2026-03-02/published-*", "2026-03-02/answered-*"):
        (path,) = home.glob(pattern)
        whole = path.read_bytes()
        path.unlink()
        (text,) = [finding.text for finding in log_findings(home, NOW + day)]
        assert f"{path} is gone" in text
        assert any(str(path) in text for text in night(2))
        path.write_bytes(whole)
        assert night(2) == []
    path.unlink()
    assert len(night(3)) == 1
    assert len(night(10)) == 1
    assert night(11) == []
    assert night(40) == []  # days that are older than is kept are not missed


def test_a_list_of_files_that_is_damaged_is_told_and_begun_anew(tmp_path: Path) -> None:
    home = tmp_path / FOLDER
    keep_published(tmp_path, SALT, scores(), NOW, keep_days=30)
    place = home / f"{LIST}.json"
    for damage in (lambda: place.write_bytes(place.read_bytes()[:40]), place.unlink):
        damage()
        (finding,) = log_findings(home, NOW)
        assert str(place) in finding.text
        assert finding.status == "alarm"
        keep_published(tmp_path, SALT, scores(), NOW, keep_days=30)
        assert "begun anew on 2026-03-02" in log_findings(home, NOW)[0].text
        assert log_findings(home, NOW + timedelta(days=8)) == []
