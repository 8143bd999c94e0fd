"""``python -m likeness`` and the ``likeness`` command."""

from __future__ import annotations

import signal
import sys


def run() -> None:
    """Run the command line and leave with its exit code; SIGTERM cleans up as Ctrl-C does."""
    from .addon.cli.main import main

    signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(128 + signum))
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
