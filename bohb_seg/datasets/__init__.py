"""Data sets, one per file with a load(); audit, patches and split beside them."""

from bohb_seg.datasets.audit import Audit
from bohb_seg.datasets.classes import IGNORE, ClassTable
from bohb_seg.datasets.preparation import Part, SegmentationData, prepare

__all__ = ["IGNORE", "Audit", "ClassTable", "Part", "SegmentationData", "prepare"]
