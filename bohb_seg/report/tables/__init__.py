"""Tables of the report, a file per subject: values in, a ``Table`` out."""
