"""Unmet needs: the topics that a segment's unhappy people write about more than everyone else does."""

from __future__ import annotations

from math import exp, log, sqrt
from typing import TYPE_CHECKING, NamedTuple

from shoal.errors import Refused
from shoal.stats.intervals import Interval, z_value
from shoal.stats.multiple import benjamini_hochberg
from shoal.wording import counted, noun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

# With fewer unhappy people a segment is said to be too small and isn't tested.
MIN_PEOPLE = 10


class Need(NamedTuple):
    """One topic in one segment.

    Attributes:
        segment: its slug.
        topic: the topic's name.
        people: unhappy people of the segment who wrote about it in an unhappy text.
        of: unhappy people of the segment.
        others: other people who wrote about it.
        of_others: other people who wrote.
        lift: the share of the first over the share of the second, with its interval.
        p: one-sided, by Fisher's exact test.
        q: the same, corrected for all segments and topics that were tested.
        unmet: whether q is at most the level and the interval above 1.
    """

    segment: str
    topic: str
    people: int
    of: int
    others: int
    of_others: int
    lift: Interval
    p: float
    q: float
    unmet: bool

    @property
    def sentence(self) -> str:
        """The finding in words, with its figures."""
        verb = "is missed" if self.unmet else "isn't shown to be missed"
        return (
            f"{self.topic} {verb} in {self.segment}: {self.people:,} of "
            f"{counted(self.of, 'unhappy person', 'unhappy people')} {noun(self.people, 'writes', 'write')} of it, "
            f"{self.others:,} of {counted(self.of_others, 'other')} ({self.lift.value:.1f} times; {self.lift.low:.1f} to "
            f"{self.lift.high:.1f})."
        )


class Needs(NamedTuple):
    """What was tested, strongest evidence first, and which segments were too small to test."""

    needs: tuple[Need, ...]
    too_small: tuple[str, ...]


def unmet_needs(
    main: ArrayLike,
    names: Sequence[str],
    unhappy: ArrayLike,
    authors: ArrayLike,
    segments: Mapping[str, ArrayLike],
    *,
    level: float = 0.05,
    min_people: int = MIN_PEOPLE,
) -> Needs:
    """Test each topic in each segment: its unhappy people against everyone else who wrote.

    People are counted, not texts: one who complains ten times is one. The lift's interval is Katz's (1978,
    doi:10.2307/2530610) with half a person added to each count; many comparisons are corrected by Benjamini-Hochberg.

    Args:
        main: each text's topic, −1 for none (such texts are left out).
        names: the topics' names.
        unhappy: whether each text is a detractor's or negative; unscored texts are not.
        authors: who wrote each text.
        segments: for each slug, whether each text's author is a member.
        level: the false discovery rate.
        min_people: segments with fewer unhappy people, or fewer others, are listed as too small.

    Raises:
        Refused: lengths differ, or a topic has no name.
    """
    import numpy as np

    topic, sad, who = np.asarray(main), np.asarray(unhappy, dtype=bool), np.asarray(authors)
    if not len(topic) == len(sad) == len(who):
        raise Refused("Topics, unhappy and authors differ in length.")
    if topic.size and topic.max() >= len(names):
        raise Refused(f"Topic {topic.max()} has no name.")
    tables: list[tuple[str, str, int, int, int, int]] = []
    small: list[str] = []
    for slug, members in segments.items():
        inside = np.asarray(members, dtype=bool)
        if len(inside) != len(topic):
            raise Refused(f"The members of {slug!r} differ in length from the texts.")
        mine = inside & sad & (topic >= 0)
        people = np.unique(who[mine])
        rest = (topic >= 0) & ~np.isin(who, people)
        n, m = len(people), len(np.unique(who[rest]))
        if min(n, m) < min_people:
            small.append(slug)
            continue
        for i, name in enumerate(names):
            about = topic == i
            tables.append((slug, name, len(np.unique(who[mine & about])), n, len(np.unique(who[rest & about])), m))
    return Needs(_tested(tables, level), tuple(small))


def _tested(tables: list[tuple[str, str, int, int, int, int]], level: float) -> tuple[Need, ...]:
    from scipy.stats import hypergeom

    # Fisher, one-sided: as many or more of the topic's people among the segment's unhappy ones.
    p = [float(hypergeom.sf(a - 1, n + m, a + b, n)) for _, _, a, n, b, m in tables]
    q = benjamini_hochberg([min(1.0, max(0.0, value)) for value in p])
    needs = []
    for table, value, corrected in zip(tables, p, q.tolist(), strict=True):
        lift = _ratio(*table[2:])
        needs.append(Need(*table, lift, value, corrected, corrected <= level and lift.low > 1))
    return tuple(sorted(needs, key=lambda need: (need.q, need.p, -need.lift.value, need.segment, need.topic)))


def _ratio(a: int, n: int, b: int, m: int) -> Interval:
    value = ((a + 0.5) / (n + 0.5)) / ((b + 0.5) / (m + 0.5))
    half = z_value() * sqrt(max(0.0, 1 / (a + 0.5) - 1 / (n + 0.5) + 1 / (b + 0.5) - 1 / (m + 0.5)))
    return Interval(value, exp(log(value) - half), exp(log(value) + half))
