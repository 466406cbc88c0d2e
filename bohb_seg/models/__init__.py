"""Architectures, one per file with a build()."""
