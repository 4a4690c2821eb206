"""A tracking server of one's own is told of what the registry did; it never holds a verb up."""

from __future__ import annotations

from data.errors import PresageError
from data.workspace import Workspace
from pipelines.console import say


def tell_server(workspace: Workspace, kind: str) -> None:
    """Copy what the server of ``[mlflow] url`` lacks; where it cannot be told, that is said."""
    url = workspace.settings.mlflow.url
    if not url:
        return
    from models.registry import copy_to_server

    try:
        copy_to_server(workspace.state_dir, kind, url, say)
    except PresageError as error:
        say(str(error))
