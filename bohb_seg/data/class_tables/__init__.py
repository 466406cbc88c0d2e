"""Class tables as data sets and labelling tools bring them; one module for each kind.

``finder`` looks for them in a data folder, ``ignored`` says which names mean no class, ``draft``
writes a ``classes.yaml`` from the values of masks. The entries are those of ``data/classes.py``.
"""
