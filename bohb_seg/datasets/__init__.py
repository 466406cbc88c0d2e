"""Data sets, one per file with a ``load()``."""
