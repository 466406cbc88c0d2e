"""Single wrong bits in the files of a run directory; see ``__main__``."""
