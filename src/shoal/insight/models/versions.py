"""The registry of models: every fit is a version, and one version of each model is in force.

They stand in the store's ``definitions``: of the kind ``model`` the versions, of the kind ``model in force`` which of
them scores. So a backup takes them along, and nothing is ever overwritten.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.errors import Refused, UnknownName
from shoal.insight import calibration
from shoal.insight.models.model import Evidence, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shoal.insight.models.model import Model
    from shoal.sql.store import Store

KIND, IN_FORCE = "model", "model in force"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Version:
    """One fit of a model.

    Args:
        name: the model's name.
        number: from 1.
        settings: what it was fitted with.
        evidence: what it rests on.
        fitted: when, by the workspace's clock.
        state: what ``Model.restored`` needs.
        references: the distributions of its scores at the fit; see ``watching``.
        frames: rows for charts, of the last horizon before the fit; see ``model.FRAMES``.
        in_force: whether it is the one that scores.
    """

    name: str
    number: int
    settings: Settings
    evidence: Evidence
    fitted: int
    state: dict[str, Any]
    references: dict[str, Any]
    frames: dict[str, list[dict[str, Any]]]
    in_force: bool

    def document(self) -> dict[str, Any]:
        """JSON-ready, without the state."""
        return {
            "model": self.name,
            "version": self.number,
            "in_force": self.in_force,
            "fitted": self.fitted,
            **self.settings.document(),
            "evidence": self.evidence.document(),
        }


def keep(
    store: Store,
    model: Model,
    at: int,
    *,
    in_force: bool,
    references: Mapping[str, Any] | None = None,
    frames: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> Version:
    """Record a fit as a new version; the same fit on the same data stays the version that it is.

    Args:
        store: the workspace's store.
        model: the fit.
        at: the clock's now.
        in_force: let it score from now on; else it is a challenger.
        references: the distributions of its scores.
        frames: rows for charts.
    """
    name = model.settings.name
    document = {
        "format": FORMAT,
        "settings": model.settings.document(),
        "evidence": model.evidence.document(),
        "state": model.state(),
        "references": dict(references or {}),
        "frames": {name: [dict(row) for row in rows] for name, rows in (frames or {}).items()},
    }
    number = calibration.record(store, name, document, at, kind=KIND)
    if in_force:
        put_in_force(store, name, number, at)
    return version(store, name, number)


def put_in_force(store: Store, name: str, number: int, at: int) -> None:
    """Let a version score from now on.

    Raises:
        UnknownName: there is no such version.
    """
    version(store, name, number)
    calibration.record(store, name, {"version": number}, at, kind=IN_FORCE)


def versions(store: Store, name: str | None = None) -> list[Version]:
    """All versions of a model, or of all of them: by name, the newest first."""
    scoring = chosen(store)
    rows = store.rows(
        "SELECT slug, version, document, received FROM definitions WHERE kind = ? AND (? IS NULL OR slug = ?) "
        "ORDER BY slug, version DESC",
        [KIND, name, name],
    )
    return [_version(name, number, text, at, scoring.get(name)) for name, number, text, at in rows]


def in_force(store: Store, at: int | None = None) -> list[Version]:
    """The versions that score, by name; with an instant, those that did then."""
    found = []
    for name, number in sorted(chosen(store, at).items()):
        ((text, fitted),) = store.rows(
            "SELECT document, received FROM definitions WHERE kind = ? AND slug = ? AND version = ?",
            [KIND, name, number],
        )
        found.append(_version(name, number, text, fitted, number))
    return found


def chosen(store: Store, at: int | None = None) -> dict[str, int]:
    """By model, the number of the version that scores, or did at an instant."""
    rows = store.rows(
        "SELECT slug, document FROM definitions d WHERE kind = ? AND version = (SELECT max(version) FROM definitions "
        "WHERE kind = d.kind AND slug = d.slug AND (? IS NULL OR received <= ?))",
        [IN_FORCE, at, at],
    )
    return {slug: int(json.loads(document)["version"]) for slug, document in rows}


def version(store: Store, name: str, number: int | None = None) -> Version:
    """A version of a model; without a number, the one in force.

    Raises:
        UnknownName: there is no such model, or no such version.
        Refused: none of its versions is in force.
    """
    found = versions(store, name)
    if not found:
        raise UnknownName("fitted model", name, sorted({v.name for v in versions(store)}))
    for one in found:
        if one.number == number or (number is None and one.in_force):
            return one
    if number is None:
        raise Refused(
            f"No version of the model {name} is in force.", fix=f"Choose one: shoal models use {name} VERSION"
        )
    raise UnknownName(f"version of {name}", str(number), [str(one.number) for one in found])


def _version(name: str, number: int, text: str, received: int, chosen: int | None) -> Version:
    document = json.loads(text)
    if document["format"] > FORMAT:
        raise Refused(f"The model {name} was fitted by a newer release.", fix="Upgrade Shoal, or fit it again.")
    settings = Settings(name, **document["settings"])
    evidence = Evidence.from_document(document["evidence"])
    return Version(
        name,
        number,
        settings,
        evidence,
        received,
        document["state"],
        document["references"],
        document["frames"],
        number == chosen,
    )
