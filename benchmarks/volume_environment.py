"""An environment of their own for the libraries that want another pandas than ours.

``peer_forecasts`` writes a task to the cache folder, runs ``volume_peers.py`` there and reads its
answers back; a task that was answered before (same rows, cutoffs and recipe) is not run again.
The environment is made on first use, in the same folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pandas as pd

SCRIPT = Path(__file__).with_name("volume_peers.py")
PACKAGES = (
    "pandas>=2.3,<3",
    "pyarrow",
    "statsforecast>=2.1,<3",
    "mlforecast>=1.1,<2",
    "prophet>=1.1.5,<2",
    "lightgbm>=4.7,<4.8",
)


def environment(cache: Path, packages: tuple[str, ...] = PACKAGES) -> Path:
    """The Python of an environment of these packages under ``cache``, installed if it is not
    there."""
    python = cache / "environment" / "bin" / "python"
    marker = cache / "environment" / "installed"
    if not marker.exists() or marker.read_text().split("\n") != list(packages):
        print(f"installing {', '.join(packages)} in {cache}", file=sys.stderr, flush=True)
        venv.create(cache / "environment", with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
        marker.write_text("\n".join(packages))
    return python


def peer_forecasts(
    name: str,
    history: pd.DataFrame,
    freq: str,
    horizon: int,
    cutoffs: list[pd.Timestamp],
    country: tuple[str, ...],
    cache: Path,
) -> dict[str, pd.DataFrame]:
    """Each peer's forecasts at the cutoffs, by method."""
    task = {
        "freq": freq,
        "horizon": horizon,
        "cutoffs": [cutoff.isoformat() for cutoff in cutoffs],
        "country": list(country),
    }
    text = json.dumps(task)
    rows = pd.util.hash_pandas_object(history, index=False).to_numpy().tobytes()
    known = hashlib.sha256(text.encode() + rows + SCRIPT.read_bytes()).hexdigest()[:12]
    folder = cache / f"{name}-{known}"
    folder.mkdir(parents=True, exist_ok=True)
    plain = history.assign(unique_id=history["unique_id"].astype(object))
    plain.to_parquet(folder / "history.parquet")
    (folder / "task.json").write_text(text)
    python = environment(cache)
    own = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([python, SCRIPT, folder], check=True, env=own)
    return {
        path.stem: pd.read_parquet(path)
        for path in sorted(folder.glob("*.parquet"))
        if path.stem != "history"
    }
