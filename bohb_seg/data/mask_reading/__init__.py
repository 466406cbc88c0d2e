"""Masks of every container to labels: bytes, to what the file holds, to values, to labels.

``containers`` undoes what a container does to its values (palettes, stretched bits, transparency),
``meaning`` looks the values up, and ``nearest`` finds the colour that a smeared pixel had.
"""
