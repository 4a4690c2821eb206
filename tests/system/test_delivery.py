"""Senders killed in the middle of their work, at a receiver that fails: the benchmark, small."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = [pytest.mark.system, pytest.mark.slow]


def test_nothing_is_lost_doubled_or_sent_after_an_opt_out(tmp_path: Path) -> None:
    from benchmarks.delivery import run

    found = run(decisions=200, kills=3, failing=0.3, seed=2, folder=tmp_path)
    assert found.kills == 3
    assert found.failed > 20
    assert found.requests - found.failed > 150
    assert found.faults == 0, found
    logs = "".join(log.read_text() for log in tmp_path.glob("sender-*.log"))
    assert "Traceback" not in logs
    assert "presage:" not in logs
