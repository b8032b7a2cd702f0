"""From files to the store: stage, type, map, judge and write; all of a load takes effect, or nothing of it."""

from shoal.customers.load.ingest import Turn, load, reload_quarantine
from shoal.customers.load.report import LoadReport, SourceReport
from shoal.customers.load.staging import Progress

__all__ = ["LoadReport", "Progress", "SourceReport", "Turn", "load", "reload_quarantine"]
