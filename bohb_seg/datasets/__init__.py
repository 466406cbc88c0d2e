"""Data sets, one per file with a load(); audit, patches and split beside them."""
