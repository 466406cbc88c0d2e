"""Search spaces, one file each with a ``space()``; ``formats/`` reads them and other files."""
