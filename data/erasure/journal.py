"""What an erasure is about, kept until it is done: a rerun goes on with it after a kill.

The rows that told what to look for are gone by then. It holds what is to be forgotten, so it is the
last thing to go; nobody but the owner may read it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from data.erasure.places import ERASING, NamedPlace
from data.erasure.traces import Traces
from data.errors import DamagedFile
from data.files import sync, write_whole
from data.folder import Folder


def begin(workspace: Folder, subject: str, traces: Traces, places: Sequence[NamedPlace]) -> None:
    """Keep what is looked for, and where it was, under the person's pseudonym."""
    workspace.state_dir.mkdir(mode=0o700, exist_ok=True)
    content = {"traces": traces.as_json(), "places": [asdict(place) for place in places]}
    text = json.dumps(content)
    write_whole(_place(workspace, subject), text.encode(), mode=0o600)


def unfinished(workspace: Folder) -> list[tuple[Traces, list[NamedPlace]]]:
    """The erasures that began and did not end: what they look for, and where it was."""
    erasures = []
    for path in sorted((workspace.state_dir / ERASING).glob("*.json")):
        try:
            content = json.loads(path.read_bytes())
            places = [NamedPlace(**place) for place in content["places"]]
            erasures.append((Traces.of_json(content["traces"]), places))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DamagedFile(
                f"{path} is damaged: the journal of an erasure that did not end. Run the erasure "
                "of that customer again with this file moved away"
            ) from None
    return erasures


def end(workspace: Folder, subject: str) -> None:
    """The erasure is done: its journal goes."""
    place = _place(workspace, subject)
    place.unlink(missing_ok=True)
    sync(place.parent)


def _place(workspace: Folder, subject: str) -> Path:
    return workspace.state_dir / ERASING / f"{subject}.json"
