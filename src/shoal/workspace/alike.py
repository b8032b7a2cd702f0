"""Look-alikes of a segment: who outside is most like its members, and how far one can reach before the likeness is gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shoal.errors import Refused
from shoal.sql.store import registered

if TYPE_CHECKING:
    from collections.abc import Collection

    from shoal.insight.taste.lookalike import Lookalikes, Reach
    from shoal.sql.store import Store
    from shoal.workspace.moments import When
    from shoal.workspace.opening import Workspace


@dataclass(frozen=True, slots=True)
class Alike:
    """Customers like a segment.

    Args:
        segment: its slug.
        members: how many it has.
        found: the keys of those outside it, most similar first; similarity against reach, and whether the segment differs
            from the base at all.
        store: knows the customers' ids; it has to be open still when they are asked for.
    """

    segment: str
    members: int
    found: Lookalikes
    store: Store = field(repr=False, compare=False)

    @property
    def others(self) -> int:
        """How many customers are outside the segment."""
        return len(self.found.customers)

    @property
    def curve(self) -> tuple[Reach, ...]:
        """Similarity against reach."""
        return self.found.curve

    def nearest(self, most: int) -> tuple[str, ...]:
        """The ids of the most similar, the nearest first.

        Raises:
            Refused: on what is known the segment doesn't differ from the base.
        """
        import pyarrow as pa

        if not self.found.different:
            raise Refused(self.found.verdict, fix="Take another segment, or load more about customers.")
        keys = self.found.customers[:most].tolist()
        with registered(self.store, "nearest_customers", pa.table({"key": pa.array(keys, pa.int32())})) as name:
            ids = dict(self.store.rows(f"SELECT key, id FROM customers SEMI JOIN {name} USING (key)"))
        return tuple(ids[key] for key in keys)

    def document(self) -> dict[str, Any]:
        """JSON-ready, without customers."""
        return {
            "segment": self.segment,
            "members": self.members,
            "others": self.others,
            "auc": {"value": self.found.auc.value, "low": self.found.auc.low, "high": self.found.auc.high},
            "different": self.found.different,
            "verdict": self.found.verdict,
            "curve": [
                {
                    "share": point.share,
                    "customers": point.customers,
                    "similarity": point.similarity,
                    "recall": point.recall.value,
                    "recall_low": point.recall.low,
                    "recall_high": point.recall.high,
                    "lift": point.lift,
                }
                for point in self.curve
            ],
        }


def alike(workspace: Workspace, segment: str, *, without: Collection[str] = (), as_of: When = None) -> Alike:
    """Rank the customers outside a segment by their likeness to it.

    Args:
        workspace: where.
        segment: name or slug.
        without: features to leave out: names of traits, ``behaviour`` or ``taste``; as what the segment is defined by.
        as_of: the instant; now by default.

    Raises:
        UnknownName: there is no such segment, or no such feature.
        Refused: the segment or the rest is too small, or nothing is known that tells customers apart.
    """
    from shoal.insight.models.kinds import needing

    definition = workspace.segments.known(as_of).find(segment)
    slug = definition.slug
    with needing():
        from shoal.insight.taste.alike import lookalike
    with workspace.models.as_of(as_of) as known:
        members = known.holds({slug: definition})[slug]
        found = lookalike(known, members, without=without)
    return Alike(slug, int(members.sum()), found, workspace.store)
