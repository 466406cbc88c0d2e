"""Which files of a data folder belong together, decided from their paths alone."""
