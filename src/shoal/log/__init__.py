"""An append-only log of bytes with group commit, and snapshots of arrays (``shoal.log.snapshot``). It knows no events."""

from shoal.log.log import Log
from shoal.log.rewrite import Entry
from shoal.log.segments import SegmentInfo

__all__ = ["Entry", "Log", "SegmentInfo"]
