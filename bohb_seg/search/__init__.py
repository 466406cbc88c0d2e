"""Decides what is trained next, and when it is enough; no input, output, clock or thread."""
