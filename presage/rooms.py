"""Presage's packages are found wherever Python is started.

They have plain names (``data``, ``models``, ...), and so may folders of anybody's project. A folder
that only holds files would be taken for a package by an editable install: ours is imported before
Python looks there. A package or module of that name that is somebody's own is refused with its
place, since whoever imports it would get ours.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

ROOMS = ("data", "features", "models", "serving", "pipelines")
ROOT = Path(__file__).resolve().parents[1]


def bind(root: Path = ROOT) -> None:
    """Import the rooms below ``root``; ImportError, in one line, where another hides one."""
    for room in ROOMS:
        ours = root / room / "__init__.py"
        there = _imported_from(room)
        if there is None:
            there = _would_be_imported_from(room)
        if there is not None and there.resolve() != ours and not _of_workspace(there):
            raise ImportError(
                f"{there} hides Presage's own package {room!r}: rename it, or start Python with -P "
                "in another folder"
            )
        if room not in sys.modules:
            _import(room, ours)


def _of_workspace(file: Path) -> bool:
    """Whether it is a workspace's ``features.py``, which is no module (features/own.py)."""
    return file.name == "features.py" and (file.parent / "presage.toml").is_file()


def _imported_from(room: str) -> Path | None:
    """The file of the module of that name that is imported already, if it has one."""
    file = getattr(sys.modules.get(room), "__file__", None)
    return None if file is None else Path(file)


def _would_be_imported_from(room: str) -> Path | None:
    """The file that Python would import; None for nothing, and for a folder without __init__.py."""
    spec = PathFinder.find_spec(room)
    return None if spec is None or not spec.has_location else Path(str(spec.origin))


def _import(room: str, file: Path) -> None:
    spec = spec_from_file_location(room, file, submodule_search_locations=[str(file.parent)])
    if spec is None or spec.loader is None or not file.exists():
        raise ImportError(f"Presage is not whole: {file} is missing; install it again")
    module = module_from_spec(spec)
    sys.modules[room] = module
    spec.loader.exec_module(module)
