"""Distributed BOHB for semantic segmentation of aerial imagery, on HpBandSter.

Start reading at :mod:`bohb_seg.trials`.
"""
