"""Search spaces, one per file with a ``space()``; ``formats/`` reads them and files of others."""
