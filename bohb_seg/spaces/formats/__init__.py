"""Readers of search space files, one per format."""
