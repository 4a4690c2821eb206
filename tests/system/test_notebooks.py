"""The notebooks run from top to bottom on a trained workspace."""

from __future__ import annotations

from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.system
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, trained_workspace: Path, monkeypatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PRESAGE_WORKSPACE", str(trained_workspace))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=200, kernel_name="python3").execute()
    shown = [o for cell in notebook.cells for o in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", {}) for output in shown)
