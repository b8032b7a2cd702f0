"""What was recorded when a pilot began: its promises, and its KPIs as they stood before. Nothing of it can be edited.

It stands in the store's ``definitions`` under the kind ``pilot``, beside the experiment that it rests on; a backup takes both.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.clock import iso
from shoal.errors import Refused
from shoal.insight import calibration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.insight.pilots.definition import Pilot
    from shoal.sql.store import Store

KIND = "pilot"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a KPI was before the start, of those whom the pilot is for.

    Args:
        metric: its slug.
        version: of the metric.
        segment: of which; None is all of them.
        n: customers who count for it.
        value: the figure; of a sum, per customer; None where there was none.
        low, high: the ends of its interval of 95 %.
        begin, end: the instants between which it was looked at.
    """

    metric: str
    version: str
    segment: str | None
    n: int
    value: float | None
    low: float | None
    high: float | None
    begin: int
    end: int

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "metric": self.metric, "version": self.version, "segment": self.segment, "n": self.n, "value": self.value,
            "low": self.low, "high": self.high, "begin": self.begin, "end": self.end,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """A pilot that began.

    Args:
        slug: of the pilot.
        started: the instant at which its baseline was recorded.
        began: the instant of its experiment's start; before ``started`` only where others ran that.
        ends: the instant at which it is over.
        version: of the definition.
        meaning: what was promised.
        baseline: of each KPI, for all and for each segment.
    """

    slug: str
    started: int
    began: int
    ends: int
    version: str
    meaning: Mapping[str, Any]
    baseline: tuple[Baseline, ...]

    @property
    def late(self) -> bool:
        """Whether promises were made after customers had been drawn: they may follow from what was seen."""
        return self.began < self.started

    def of(self, metric: str, segment: str | None = None) -> Baseline | None:
        """The baseline of a KPI."""
        return next((b for b in self.baseline if (b.metric, b.segment) == (metric, segment)), None)


def recorded(store: Store) -> dict[str, Record]:
    """All pilots that ever began, by slug; their files may be gone."""
    rows = store.rows(
        "SELECT slug, arg_min(document, version) FROM definitions WHERE kind = ? GROUP BY slug ORDER BY slug", [KIND]
    )
    return {slug: _read(slug, json.loads(text)) for slug, text in rows}


def keep(store: Store, pilot: Pilot, record: Record) -> None:
    """Record the start.

    Raises:
        Refused: it began already.
    """
    before = recorded(store).get(pilot.slug)
    if before is not None:
        raise Refused(
            f"{pilot.slug!r} began at {iso(before.started)}: its baseline is measured once, before the start.",
            fix="Copy its file under another name, and start that one.",
        )
    document = {
        "format": FORMAT, "started": record.started, "began": record.began, "ends": record.ends,
        "version": record.version, "meaning": dict(record.meaning), "baseline": [b.document() for b in record.baseline],
    }  # fmt: skip
    calibration.record(store, pilot.slug, document, record.started, kind=KIND)


def hold(pilot: Pilot, record: Record) -> None:
    """Refuse a definition that promises something else than the one that it began with.

    Raises:
        Refused: with what changed.
    """
    if pilot.version == record.version:
        return
    now = json.loads(json.dumps(pilot.meaning))
    changed = [
        f"{key} was {_shown(record.meaning.get(key))} and is {_shown(value)}"
        for key, value in now.items() if value != record.meaning.get(key)
    ]  # fmt: skip
    raise Refused(
        f"{pilot.slug!r} began at {iso(record.started)}, and its file was edited: {'; '.join(changed)}. A target that is set "
        "after the start measures nothing.",
        fix="Put that back; promise anew with a pilot in a file of its own.",
    )


def _shown(value: object) -> str:
    return "nothing" if value in (None, "", []) else value if isinstance(value, str) else json.dumps(value)


def _read(slug: str, document: Mapping[str, Any]) -> Record:
    if document["format"] > FORMAT:
        raise Refused(f"The pilot {slug!r} was recorded by a newer release.", fix="Upgrade Shoal.")
    return Record(
        slug,
        document["started"],
        document["began"],
        document["ends"],
        document["version"],
        document["meaning"],
        tuple(Baseline(**one) for one in document["baseline"]),
    )
