"""The process of the dashboard; only ``bohb-master --dashboard`` starts it, no user does."""

import sys

from bohb_seg.commands import command_line
from bohb_seg.dashboard import server


def main() -> None:
    """Serves the live report until the master is gone."""
    command_line.start_logging("info")
    server.serve(*sys.argv[1:])


if __name__ == "__main__":
    main()
