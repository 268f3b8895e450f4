"""Alignment: which rotation takes this signal to that one, and how sure that is."""

from equisphere.align._align import Alignment, align
from equisphere.align._correlation import correlation

__all__ = ["Alignment", "align", "correlation"]
