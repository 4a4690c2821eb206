"""The notebooks run from top to bottom on a trained workspace: one in a kernel of its own, as by
hand, the others cell by cell in this process, which spares five starts."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from models.figures import png

HOME = Path(__file__).resolve().parents[2] / "notebooks"
IN_A_KERNEL = HOME / "first_look.ipynb"
IN_PROCESS = sorted(set(HOME.glob("*.ipynb")) - {IN_A_KERNEL})


@pytest.mark.system
def test_a_notebook_runs_in_a_kernel(trained_workspace: Path, monkeypatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PRESAGE_WORKSPACE", str(trained_workspace))
    notebook = nbformat.read(IN_A_KERNEL, as_version=4)
    NotebookClient(notebook, timeout=200, kernel_name="python3").execute()
    shown = [o for cell in notebook.cells for o in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", {}) for output in shown)


def code(path: Path) -> list[str]:
    """The code of each cell, without the lines that speak to the notebook."""
    cells = json.loads(path.read_text())["cells"]
    return [
        "\n".join(line for line in "".join(cell["source"]).splitlines() if line[:1] != "%")
        for cell in cells
        if cell["cell_type"] == "code"
    ]


def values(path: Path) -> list[Any]:
    """What each cell shows, when all are run in their order."""
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = []
    for at, source in enumerate(code(path)):
        body = ast.parse(source).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        where = f"{path.name}, cell {at + 1}"
        exec(compile(ast.Module(body, []), where, "exec"), names)  # noqa: S102
        if last is not None:
            shown.append(eval(compile(ast.Expression(last.value), where, "eval"), names))  # noqa: S307
    return shown


@pytest.mark.system
@pytest.mark.parametrize("path", IN_PROCESS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_plots(path: Path, trained_workspace: Path, monkeypatch) -> None:
    monkeypatch.setenv("PRESAGE_WORKSPACE", str(trained_workspace))
    shown = values(path)
    figures = [one for one in shown if isinstance(one, Figure)]
    assert len(figures) >= 2
    for figure in figures:
        assert len(png(figure)) > 5_000  # drawn, and not an empty page
        (axes,) = figure.axes
        assert axes.has_data()
    for table in (one for one in shown if hasattr(one, "to_html")):
        assert len(table.to_html()) > 200


@pytest.mark.parametrize("path", [IN_A_KERNEL, *IN_PROCESS], ids=lambda path: path.stem)
def test_a_notebook_defines_nothing_and_holds_no_output(path: Path) -> None:
    for source in code(path):
        named = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
        assert not [node for node in ast.walk(ast.parse(source)) if isinstance(node, named)]
    for cell in json.loads(path.read_text())["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None


def test_five_notebooks_are_numbered() -> None:
    numbered = [path.stem[:2] for path in IN_PROCESS if path.stem[:2].isdigit()]
    assert numbered == ["01", "02", "03", "04", "05"]
