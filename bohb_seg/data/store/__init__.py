"""Data sets larger than memory: decoded once to disk, read by window, shared by all processes."""
