"""The master's processes and threads: its loop, its side of the wire, its console."""
