"""Optimizers, which propose configurations, one per file with a ``build()``."""
