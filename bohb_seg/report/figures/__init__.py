"""Figures of the report, a file per subject: values in, a matplotlib ``Figure`` out."""
