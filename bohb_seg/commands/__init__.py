"""The doors of the package, one file per command: flags in, exit status out."""
