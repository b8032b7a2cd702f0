"""Published history: who entered and who left each segment, and when. It is appended to, never rewritten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shoal.insight.evaluation import Evaluation
    from shoal.sql.store import Store


@dataclass(frozen=True, slots=True)
class Published:
    """How many changes a publication appended, by segment: (entered, left)."""

    at: int
    changes: Mapping[str, tuple[int, int]]

    @property
    def total(self) -> int:
        """All changes together."""
        return sum(entered + left for entered, left in self.changes.values())


def publish(
    store: Store, memberships: Evaluation, *, received: int, because: str, slugs: Iterable[str] | None = None
) -> Published:
    """Append the difference between the last published state and an evaluation.

    An evaluation at an instant before the newest published change is refused, since history only goes forward.

    Args:
        store: the workspace's store.
        memberships: an evaluation of the segments.
        received: the clock's now.
        because: why the change came about, as ``evaluation`` or ``definition changed``.
        slugs: which segments to publish; all that were evaluated by default.
    """
    changes: dict[str, tuple[int, int]] = {}
    with store.transaction():
        for slug in slugs if slugs is not None else memberships.columns:
            changes[slug] = _publish_one(store, memberships, slug, received, because)
    return Published(memberships.at, changes)


_NOW_IN = """
    SELECT customer FROM (
        SELECT customer, arg_max(change, seq) AS change FROM membership_changes
        WHERE segment = ? GROUP BY customer
    ) WHERE change = 'entered'
"""


def _publish_one(store: Store, memberships: Evaluation, slug: str, received: int, because: str) -> tuple[int, int]:
    column = memberships.columns[slug]
    (start,) = store.rows("SELECT coalesce(max(seq), 0) FROM membership_changes")[0]
    store.execute(
        f"""
        INSERT INTO membership_changes
        WITH last AS ({_NOW_IN}),
        now AS (SELECT customer FROM {memberships.table} WHERE "{column}"),
        changes AS (
            SELECT customer, 'entered' AS change FROM now WHERE customer NOT IN (SELECT customer FROM last)
            UNION ALL
            SELECT customer, 'left' FROM last WHERE customer NOT IN (SELECT customer FROM now)
        )
        SELECT ? + row_number() OVER (ORDER BY customer), ?, customer, change, ?, ?, ? FROM changes
        """,
        [slug, start, slug, memberships.at, received, because],
    )
    counts = dict(store.rows("SELECT change, count(*) FROM membership_changes WHERE seq > ? GROUP BY change", [start]))
    return counts.get("entered", 0), counts.get("left", 0)


def newest(store: Store) -> int | None:
    """The instant of the newest published change, or None where nothing was published."""
    (found,) = store.rows("SELECT max(ts) FROM membership_changes")[0]
    return None if found is None else int(found)


def of_customer(store: Store, customer: int) -> list[tuple[str, str, int, str]]:
    """A customer's published changes in order: (segment, entered or left, instant, because)."""
    return [
        (segment, change, ts, because)
        for segment, change, ts, because in store.rows(
            "SELECT segment, change, ts, because FROM membership_changes WHERE customer = ? ORDER BY seq", [customer]
        )
    ]
