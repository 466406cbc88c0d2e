"""Search spaces, one per file with a space(), and the readers of space files."""
