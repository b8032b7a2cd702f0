"""What metrics meant when: each meaning stands once in the store's ``definitions``, of the kind ``metric``.

A name, an owner, a target or a test may change, and the meaning stays; see ``Metric.version``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.clock import iso
from shoal.insight import calibration
from shoal.lang.show import show

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shoal.insight.metrics.definition import Metric
    from shoal.sql.store import Store

KIND = "metric"
_KEYS = ("as", "of", "per", "at", "among", "before")
_MOST = 200


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a metric meant from an instant on.

    Args:
        number: 1 is the first that was recorded.
        version: the short hash of the meaning.
        since: when it was first used, or seen in its file.
        parts: what it was made of, as a metric's file says it.
        changed: what was another before, in words; nothing of the first.
    """

    number: int
    version: str
    since: int
    parts: Mapping[str, Any]
    changed: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "number": self.number, "version": self.version, "since": iso(self.since), "meaning": dict(self.parts),
            "changed": list(self.changed),
        }  # fmt: skip


def record(store: Store, metrics: Iterable[Metric], received: int) -> list[str]:
    """Keep the meanings that are new, and say of which metrics; where nothing is new nothing is written.

    Args:
        store: the workspace's store.
        metrics: which.
        received: the instant.
    """
    known = {
        slug: json.loads(text)["version"]
        for slug, text in store.rows(
            "SELECT slug, arg_max(document, version) FROM definitions WHERE kind = ? GROUP BY slug", [KIND]
        )
    }
    new = {metric.slug: metric for metric in metrics if known.get(metric.slug) != metric.version}
    for slug, metric in new.items():
        calibration.record(store, slug, {"version": metric.version, "parts": parts(metric)}, received, kind=KIND)
    return list(new)


def parts(metric: Metric) -> dict[str, Any]:
    """What makes up a metric's meaning."""
    nodes = {"of": metric.of, "per": metric.per, "among": metric.among, "before": metric.before}
    said: dict[str, Any] = {key: show(node, width=10_000) for key, node in nodes.items() if node is not None}
    return {"as": metric.how, **said} | ({} if metric.at is None else {"at": metric.at})


def meanings(store: Store, slug: str) -> list[Meaning]:
    """All meanings that a metric had, the oldest first; none where none was recorded."""
    found: list[Meaning] = []
    for number, received, text in store.rows(
        "SELECT version, received, document FROM definitions WHERE kind = ? AND slug = ? ORDER BY version", [KIND, slug]
    ):
        told = json.loads(text)
        made = {key: told["parts"][key] for key in _KEYS if key in told["parts"]}
        found.append(Meaning(number, told["version"], received, made, _changes(found[-1].parts, made) if found else ()))
    return found


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        f"'{key}' was {_shown(before.get(key))} and is {_shown(now.get(key))}"
        for key in _KEYS
        if before.get(key) != now.get(key)
    )


def _shown(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"


__all__ = ["KIND", "Meaning", "meanings", "parts", "record"]
