"""Proposers of configurations, one per file with a build()."""
