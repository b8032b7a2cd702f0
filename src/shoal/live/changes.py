"""Changes of memberships as columns: a day's end changes a million, and an object for each would cost more than to find it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np

from shoal.live.ids import Ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    Ints = npt.NDArray[Any]

WHATS = ("left", "entered", "merged", "unmerged")
LEFT, ENTERED, MERGED, UNMERGED = range(4)
_FEW = 64
"""So few are handled one by one."""


class Change(NamedTuple):
    """A membership that changed, once, in order per customer.

    ``what`` is ``entered`` or ``left``; ``merged``: the customer's membership went over to who stands for them now,
    ``unmerged``: it came back. ``at`` is the evaluation's instant, for a change by time the due one.
    """

    customer: str
    segment: str
    what: str
    at: int
    because: str


class Changes(Sequence[Change]):
    """Changes of memberships, a place in each column a change; as a sequence it gives ``Change`` after ``Change``.

    Args:
        rows: of the customers, in the engine.
        codes: four times the number of the segment, plus the place of what happened in ``WHATS``.
        at: the instants.
        slugs: the segments by their numbers.
        ids: the customers' ids by their rows.
        causes: texts of why they changed.
        cause: the place of each one's cause; None where all have the first.
    """

    __slots__ = ("at", "cause", "causes", "codes", "ids", "rows", "slugs")

    def __init__(
        self,
        rows: Ints,
        codes: Ints,
        at: Ints,
        slugs: Sequence[str],
        ids: Ids,
        causes: Sequence[str] = ("",),
        cause: Ints | None = None,
    ) -> None:
        self.rows, self.codes, self.at = rows, codes, at
        self.slugs, self.ids = slugs, ids
        self.causes, self.cause = causes, cause

    @classmethod
    def joined(cls, parts: Sequence[Changes]) -> Changes:
        """Changes one after the other, of one engine."""
        some = [part for part in parts if len(part.rows)]
        if len(some) <= 1:
            return some[0] if some else parts[0]
        if any(part.slugs is not some[0].slugs for part in some):
            some = _numbered_alike(some)
        rows, codes, at = (np.concatenate([getattr(p, name) for p in some]) for name in ("rows", "codes", "at"))
        causes = list(dict.fromkeys(chain.from_iterable(part.causes for part in some)))
        if len(causes) == 1:
            return cls(rows, codes, at, some[0].slugs, some[0].ids, causes)
        places = {text: place for place, text in enumerate(causes)}
        cause = np.concatenate([np.array([places[text] for text in p.causes])[p.places_of_causes] for p in some])
        return cls(rows, codes, at, some[0].slugs, some[0].ids, causes, cause)

    # ------------------------------------------------------------ columns

    @property
    def segments(self) -> Ints:
        """The number of each one's segment."""
        return self.codes >> 2

    @property
    def whats(self) -> Ints:
        """What each was, as a place in ``WHATS``."""
        return self.codes & 3

    @property
    def places_of_causes(self) -> Ints:
        """The place of each one's cause."""
        return np.zeros(len(self.rows), np.int64) if self.cause is None else self.cause

    @property
    def customers(self) -> list[str]:
        """The id of each one's customer."""
        rows = self.rows
        if not len(rows):
            return []
        # Changes of one customer stand side by side mostly.
        firsts = np.flatnonzero(rows[1:] != rows[:-1]) + 1
        firsts = np.concatenate((_ZERO, firsts))
        once = self.ids.texts(rows[firsts])
        if len(once) == len(rows):
            return once
        counts = np.diff(firsts, append=len(rows)).tolist()
        return list(chain.from_iterable(map(repeat, once, counts)))

    def because(self, causes: Sequence[str], cause: Ints | None = None) -> Changes:
        """The same with other causes."""
        return Changes(self.rows, self.codes, self.at, self.slugs, self.ids, causes, cause)

    # ------------------------------------------------------------ a sequence

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> Change: ...
    @overload
    def __getitem__(self, place: slice) -> Changes: ...
    def __getitem__(self, place: int | slice) -> Change | Changes:
        if isinstance(place, slice):
            return self.at_places(place)
        at = range(len(self))[place]
        return next(iter(self.at_places(slice(at, at + 1))))

    def at_places(self, places: slice | Ints) -> Changes:
        """Some of them, in the order of the places."""
        cause = None if self.cause is None else self.cause[places]
        return Changes(self.rows[places], self.codes[places], self.at[places], self.slugs, self.ids, self.causes, cause)

    def __iter__(self) -> Iterator[Change]:
        whats = map(WHATS.__getitem__, self.whats.tolist())
        slugs = map(self.slugs.__getitem__, self.segments.tolist())
        because: Iterable[str] = repeat(self.causes[0])
        if self.cause is not None:
            because = map(self.causes.__getitem__, self.cause.tolist())
        found = zip(self.customers, slugs, whats, self.at.tolist(), because, strict=False)
        return map(tuple.__new__, repeat(Change), found)

    def __add__(self, more: Changes) -> Changes:
        return Changes.joined((self, more))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Changes({list(self[:5])}{' …' if len(self) > 5 else ''}, {len(self)} in all)"

    # ------------------------------------------------------------ order

    def ordered(self) -> Changes:
        """By instant, customer and segment; what is of equal ones stays as it is.

        The order of customers is that of their ids' hashes, so that it doesn't hang on where they stand in memory.
        """
        many = len(self.rows)
        if many <= 1:
            return self
        hashes = self.ids.hashes(self.rows)
        if many <= _FEW:
            slugs = [self.slugs[number] for number in self.segments.tolist()]
            keys = list(zip(self.at.tolist(), hashes.tolist(), self.customers, slugs, strict=True))
            order = sorted(range(many), key=keys.__getitem__)
            return self if order == list(range(many)) else self.at_places(np.array(order))
        ranks = np.empty(len(self.slugs), np.int64)
        ranks[sorted(range(len(self.slugs)), key=self.slugs.__getitem__)] = np.arange(len(self.slugs))
        rank = ranks[self.segments]
        if int(self.at.min()) == int(self.at.max()) and len(self.slugs) < 1 << 31:
            places = np.argsort(hashes.astype(np.int64) << 31 | rank, kind="stable")
        else:
            places = np.lexsort((rank, hashes, self.at))
        return self._parted(places, hashes)

    def _parted(self, places: Ints, hashes: Ints) -> Changes:
        """In an order that mixes customers of equal hashes: those are told apart by their ids."""
        rows, at, hashes = self.rows[places], self.at[places], hashes[places]
        alike = (hashes[1:] == hashes[:-1]) & (at[1:] == at[:-1])
        mixed = np.flatnonzero(alike & (rows[1:] != rows[:-1]))
        done = 0
        for first in mixed.tolist():
            if first < done:
                continue
            begin, end = first, first + 1
            while begin > 0 and alike[begin - 1]:
                begin -= 1
            while end < len(alike) and alike[end]:
                end += 1
            done = end + 1
            some = places[begin:done]
            names = self.at_places(some).customers
            slugs = [self.slugs[number] for number in self.segments[some].tolist()]
            keys = list(zip(names, slugs, strict=True))
            places[begin:done] = some[sorted(range(len(keys)), key=keys.__getitem__)]
        return self.at_places(places)


_ZERO = np.zeros(1, np.int64)
NONE = Changes(_ZERO[:0], _ZERO[:0], _ZERO[:0], (), Ids())
"""No changes at all."""


def _numbered_alike(parts: Sequence[Changes]) -> list[Changes]:
    """Changes from before and after other definitions came into force: segments with the same numbers in all."""
    slugs = list(dict.fromkeys(chain.from_iterable(part.slugs for part in parts)))
    places = {slug: place for place, slug in enumerate(slugs)}
    found = []
    for part in parts:
        numbers = np.array([places[slug] for slug in part.slugs], np.int64)
        codes = numbers[part.segments] << 2 | part.whats
        found.append(Changes(part.rows, codes, part.at, slugs, part.ids, part.causes, part.cause))
    return found
