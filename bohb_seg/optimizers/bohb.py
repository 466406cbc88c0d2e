"""The best confirmed of this package's optimizers: so far the published one, ``bohb-kde``."""

from bohb_seg.optimizers.bohb_kde import build, outlook

__all__ = ["build", "outlook"]
