"""Discoveries in the store: every fit is a version, one is in force, and what drift proposes stands beside them.

They are rows of ``definitions``: of the kind ``discovery`` the versions, ``discovery in force`` which of them assigns
customers, ``discovery proposal`` what was proposed. A backup takes them along, and nothing is ever overwritten. They hold
means, counts and words, and nothing of a single customer.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.clock import iso
from shoal.errors import Refused, UnknownName
from shoal.insight import calibration
from shoal.insight.discovery.drifting import Shift
from shoal.insight.discovery.features import Feature
from shoal.insight.discovery.model import Model
from shoal.insight.discovery.record import Found

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shoal.insight.discovery.refresh import Fit
    from shoal.sql.store import Store

KIND, IN_FORCE, PROPOSAL, FILE = "discovery", "discovery in force", "discovery proposal", "discovery file"
SLUG = "micro_segment"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Version:
    """One fit.

    Args:
        number: from 1.
        fitted: when, by the workspace's clock.
        found: what is told of it.
        features: its columns.
        model: the frozen partition.
        references: the distributions at the fit.
        next_number: of the next segment to be born.
        in_force: whether it assigns customers.
    """

    number: int
    fitted: int
    found: Found
    features: tuple[Feature, ...]
    model: Model
    references: Mapping[str, Any]
    next_number: int
    in_force: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """A refit that is proposed, since customers have changed; nothing changes until it is accepted.

    Args:
        version: whose customers have changed.
        at: when it was found.
        reasons: which columns have moved, in words.
        shifts: the check of each column.
    """

    version: int
    at: int
    reasons: tuple[str, ...]
    shifts: tuple[Shift, ...]

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "at": iso(self.at)}


def keep(store: Store, fit: Fit, at: int) -> Version:
    """Record a fit as a new version and put it in force; the same fit again stays the version that it is."""
    values, arrays = fit.model.document()
    document = {
        "format": FORMAT,
        "found": fit.found.document(),
        "features": [f.document() for f in fit.features],
        "model": values,
        "arrays": {name: array.tolist() for name, array in arrays.items()},
        "references": dict(fit.references),
        "next_number": fit.next_number,
    }
    number = calibration.record(store, SLUG, document, at, kind=KIND)
    put_in_force(store, number, at)
    return version(store, number)


def put_in_force(store: Store, number: int, at: int) -> None:
    """Let a version assign customers from now on."""
    calibration.record(store, SLUG, {"version": number}, at, kind=IN_FORCE)


def versions(store: Store) -> list[Version]:
    """All versions, the newest first."""
    chosen = _newest(store, IN_FORCE)
    rows = store.rows(
        "SELECT version, document, received FROM definitions WHERE kind = ? AND slug = ? ORDER BY version DESC",
        [KIND, SLUG],
    )
    force = None if chosen is None else chosen["version"]
    return [_version(number, json.loads(text), at, number == force) for number, text, at in rows]


def version(store: Store, number: int | None = None) -> Version:
    """A version; without a number, the one in force.

    Raises:
        Refused: nothing was discovered yet.
        UnknownName: there is no such version.
    """
    found = versions(store)
    if not found:
        raise Refused("No micro-segments were discovered yet.", fix="Begin with: shoal discover")
    for one in found:
        if one.number == number or (number is None and one.in_force):
            return one
    listed = ", ".join(str(v.number) for v in found)
    raise UnknownName("version of the discovery", str(number), otherwise=f"Kept are: {listed}.")


def in_force(store: Store) -> Version | None:
    """The version that assigns customers; None before the first."""
    return version(store) if _newest(store, IN_FORCE) is not None else None


def _version(number: int, document: Mapping[str, Any], fitted: int, in_force: bool) -> Version:
    if document["format"] > FORMAT:
        raise Refused("The micro-segments were found by a newer release.", fix="Upgrade Shoal, or discover them anew.")
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in document["arrays"].items()}
    return Version(
        number,
        fitted,
        Found.read(document["found"]),
        tuple(Feature(**f) for f in document["features"]),
        Model.read(document["model"], arrays),
        document["references"],
        document["next_number"],
        in_force,
    )


def _newest(store: Store, kind: str, slug: str = SLUG) -> dict[str, Any] | None:
    rows = store.rows(
        "SELECT document FROM definitions WHERE kind = ? AND slug = ? ORDER BY version DESC LIMIT 1", [kind, slug]
    )
    if not rows:
        return None
    found: dict[str, Any] = json.loads(rows[0][0])
    return found


# ---------------------------------------------------------------- proposals


def propose(store: Store, number: int, at: int, reasons: Sequence[str], shifts: Sequence[Shift]) -> Proposal:
    """Record a proposal to refit, once for a version."""
    held = open_proposal(store, number)
    if held is not None:
        return held
    document = {"version": number, "at": at, "reasons": list(reasons), "shifts": [asdict(s) for s in shifts]}
    calibration.record(store, SLUG, document, at, kind=PROPOSAL)
    return Proposal(number, at, tuple(reasons), tuple(shifts))


def open_proposal(store: Store, number: int) -> Proposal | None:
    """What is proposed of a version, if anything is."""
    found = _newest(store, PROPOSAL)
    if found is None or found["version"] != number:
        return None
    return Proposal(number, found["at"], tuple(found["reasons"]), tuple(Shift(**s) for s in found["shifts"]))


# ---------------------------------------------------------------- files


def written(store: Store, slug: str) -> str | None:
    """What a segment's file said when it was last written here; None where it never was."""
    found = _newest(store, FILE, slug)
    return None if found is None else str(found["text"])


def note_written(store: Store, slug: str, text: str, at: int) -> None:
    """Remember what a segment's file says, so that a change by hand shows."""
    calibration.record(store, slug, {"text": text}, at, kind=FILE)
