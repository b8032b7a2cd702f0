"""What a load did, for the command line, the report and ``loads.summary``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shoal.customers.quality import QualityReport


@dataclass(slots=True)
class SourceReport:
    """What became of one source's rows.

    Args:
        name: the source.
        files: files that were read.
        skipped: files that haven't changed since they were read.
        rows: rows that were read; with ``rejected`` those that the files hold.
        rejected: rows that couldn't be read.
        repeated: rows that repeat an earlier one of their file exactly; None where that wasn't counted.
        dropped: how many of these were dropped.
        left_out: rows that ``where:`` leaves out.
        erased: rows of people who were erased, left out too.
        quarantined: rows put aside, by code; ``rejected`` among them.
        mistyped: cells that aren't of their column's type and are missing, by column.
        orphans: rows whose key a lookup didn't find, by source looked up in.
        events: events written, by name.
        traits: changes of traits written, by name; those of accounts bear ``account.``.
        consents: consents written.
        spend: rows of spend written.
        same_id: events dropped since their message id was there already.
        retired: rows that were changed or vanished in their file, or were corrected by another.
    """

    name: str
    files: int = 0
    skipped: int = 0
    rows: int = 0
    rejected: int = 0
    repeated: int | None = None
    dropped: int = 0
    left_out: int = 0
    erased: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)
    mistyped: dict[str, int] = field(default_factory=dict)
    orphans: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    traits: dict[str, int] = field(default_factory=dict)
    consents: int = 0
    spend: int = 0
    same_id: int = 0
    retired: int = 0


@dataclass(slots=True)
class LoadReport:
    """What a load did.

    Args:
        load: its number; None where nothing had changed.
        now: the instant at which what it brought became known.
        sources: by name.
        quality: how good the rows were.
        customers: customers seen for the first time.
        resolved: rows in quarantine that needn't be there any more.
        warnings: what a person should look at, one sentence each.
        seconds: how long it took.
    """

    load: int | None
    now: int
    sources: dict[str, SourceReport]
    quality: QualityReport
    customers: int = 0
    resolved: int = 0
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def document(self) -> dict[str, Any]:
        """The report as plain values, without the quality of the columns."""
        return {
            "load": self.load,
            "now": self.now,
            "sources": {name: asdict(source) for name, source in self.sources.items()},
            "score": self.quality.score,
            "customers": self.customers,
            "resolved": self.resolved,
            "warnings": self.warnings,
            "seconds": round(self.seconds, 3),
        }
