"""Sections of the page, a file per subject; ``outline`` puts them in order."""
