"""Everything that the master keeps on disk: journal, results, checkpoints."""
