"""Readers of customer data: delimited text, Parquet, JSON, Excel, SQLite and PostgreSQL, plain or in gz and zip."""

from shoal.sources.files import discover
from shoal.sources.reading import LINE, Column, Format, Reading, Reject, SourceFile, read

__all__ = ["LINE", "Column", "Format", "Reading", "Reject", "SourceFile", "discover", "read"]
