"""The command ``presage``, from any folder; also ``python -m presage``."""

from __future__ import annotations

import sys

from presage.rooms import bind


def main() -> None:
    """Run the command line; exit 1 with one line where a folder hides Presage's packages."""
    try:
        bind()
        from pipelines.cli import main as run
    except ImportError as error:
        sys.exit(f"presage: {error}")
    run()


if __name__ == "__main__":
    main()
