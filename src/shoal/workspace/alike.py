"""Look-alikes of a segment: who outside is most like its members, and how far one can reach before the likeness is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Collection

    from shoal.insight.taste.lookalike import Lookalikes, Reach
    from shoal.workspace.moments import When
    from shoal.workspace.opening import Workspace


@dataclass(frozen=True, slots=True)
class Alike:
    """Customers like a segment.

    Args:
        segment: its slug.
        members: how many it has.
        ids: customers outside it, most similar first.
        found: the evidence: similarity against reach, and whether the segment differs from the base at all.
    """

    segment: str
    members: int
    ids: tuple[str, ...]
    found: Lookalikes

    @property
    def curve(self) -> tuple[Reach, ...]:
        """Similarity against reach."""
        return self.found.curve

    def nearest(self, most: int) -> tuple[str, ...]:
        """The ids of the most similar.

        Raises:
            Refused: on what is known the segment doesn't differ from the base.
        """
        if not self.found.different:
            raise Refused(self.found.verdict, fix="Take another segment, or load more about customers.")
        return self.ids[:most]

    def document(self) -> dict[str, Any]:
        """JSON-ready, without customers."""
        return {
            "segment": self.segment,
            "members": self.members,
            "others": len(self.ids),
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
    ids = dict(workspace.store.rows("SELECT key, id FROM customers"))
    return Alike(slug, int(members.sum()), tuple(ids[key] for key in found.customers.tolist()), found)
