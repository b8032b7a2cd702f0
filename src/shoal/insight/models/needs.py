"""Needs: factors of what is bought and looked at together, named from their top items, and each customer's part in them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from shoal.errors import Refused
from shoal.insight.models.contest import Contest
from shoal.insight.models.model import Evidence, Judged, Measure, Model, Score
from shoal.insight.models.taste import main_way
from shoal.insight.taste.factors import MIN_ROWS, factors
from shoal.insight.taste.lines import (
    PRODUCT,
    VIEWED,
    Taken,
    batches,
    bought_after,
    buyers,
    field_of,
    fingerprint_of_each,
    largest,
    lines,
    one,
    parts,
    sample,
    taken,
)
from shoal.lang.schema import Kind
from shoal.stats.intervals import wilson
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.model import Settings
    from shoal.insight.taste.lines import Source

    Floats = npt.NDArray[np.float64]

MOST_ITEMS = 300
MOST_FACTORS = 8
HALF_LIFE = 365.0
SAMPLE = 20_000
_SWEEPS = 100
_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Need:
    """One need.

    Args:
        name: its items that stand out most, joined.
        items: what sets it apart, strongest first.
        lifts: how many times their share in the base each has within it.
        share: of the customers that it was learnt from whose main need it is.
    """

    name: str
    items: tuple[str, ...]
    lifts: tuple[float, ...]
    share: float


@dataclass(frozen=True, slots=True)
class Needed:
    """What needs are made of, so that any customer can be placed among them.

    Args:
        way: category or product.
        items: names.
        length: of each item, what the logarithm of its amount is divided by: else best sellers would be the needs.
        weights: needs × items.
        needs: one a row of the weights.
    """

    way: str
    items: tuple[str, ...]
    length: Floats
    weights: Floats
    needs: tuple[Need, ...]

    def scaled(self, held: Taken) -> Any:
        """What customers took as the factors see it: CSR of customers × items."""
        from scipy import sparse

        matrix = held.matrix(len(self.items))
        matrix.data = np.log1p(matrix.data)
        return sparse.csr_matrix(matrix @ sparse.diags(1 / self.length))

    def parts(self, held: Taken) -> Floats:
        """Each customer's part in each need; a row sums to 1, or to 0 for one who took nothing of any need."""
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        data = self.scaled(held)
        found = np.zeros((data.shape[0], len(self.needs)))
        with threadpool_limits(1, "blas"):
            for start in range(0, data.shape[0], _ROWS):
                rows = slice(start, start + _ROWS)
                found[rows] = _loadings(data[rows], self.weights)
        found *= self.weights.sum(axis=1)
        total = found.sum(axis=1, keepdims=True)
        parts_: Floats = np.divide(found, total, out=np.zeros_like(found), where=total > 0)
        return parts_


def _loadings(data: Any, weights: Floats) -> Floats:
    """Non-negative least squares of rows on the weights, by coordinates; each row by itself, whatever stands beside it."""
    gram, cross = weights @ weights.T, np.asarray(data @ weights.T)
    found = np.zeros_like(cross)
    for _ in range(_SWEEPS):
        for k in np.flatnonzero(np.diag(gram) > 0):
            found[:, k] = np.maximum(found[:, k] + (cross[:, k] - found @ gram[:, k]) / gram[k, k], 0.0)
    return found


class Needs(Model):
    """Non-negative factors of what customers take: as many as are stable and beat chance.

    The same customers give the same factors in the same order: the start is the singular vectors, the sample is chosen by
    what rows hold and not by where they stand. A name follows from the items, so a refit on changed data may rename.
    """

    title: ClassVar[str] = "the needs behind what customers buy"
    by: ClassVar[str] = "same need"
    higher: ClassVar[bool] = True

    def __init__(self, settings: Settings, evidence: Evidence, needed: Needed) -> None:
        super().__init__(settings, evidence)
        self.needed = needed

    @classmethod
    def fitted(cls, known: AsOf, settings: Settings) -> Needs:
        """Find the factors.

        Raises:
            Refused: no order says what was bought, or too few customers took several items.
        """
        way, fallback = main_way(known)
        source = _source(known, way)
        items, amounts, total, every = largest(known, source, HALF_LIFE, MOST_ITEMS)
        held = taken(known, source, items, HALF_LIFE, sample(known))
        matrix = _sample(held.matrix(len(items)))
        if matrix.shape[0] < MIN_ROWS:
            raise Refused(
                f"{counted(matrix.shape[0], 'customer')} took two {way} names or more; needs are found from {MIN_ROWS}.",
                fix="Wait for more orders, or map what tells the goods apart.",
            )
        logged = matrix.copy()
        logged.data = np.log1p(logged.data)
        length = np.sqrt(np.asarray(logged.multiply(logged).sum(axis=0)).ravel() / matrix.shape[0])
        length = np.where(length > 0, length, 1.0)
        scaled = logged.multiply(1 / length).tocsr()
        most = int(settings.options.get("most") or MOST_FACTORS)
        found = factors(scaled, items, counts=range(2, max(most, 2) + 1), scale=False)
        needs = tuple(Need(f.name, f.items, f.lifts, f.share) for f in found.factors)
        needed = Needed(way, tuple(items), length, found.weights, _distinct(needs))
        notes = _notes(known, way, len(items), every, sum(amounts) / total, buyers(known, source), matrix.shape[0])
        if found.verdict == "constructive":
            notes.append(
                "No number of needs is stable and beats chance here: these are a way to cut what has no parts of its own."
            )
        mark = fingerprint_of_each(held.row, held.column, held.amount, words=items)
        evidence = Evidence(
            label=f"{len(needs)} needs behind the {'products' if way == PRODUCT else 'categories'} that customers take, and "
            "which is the main one of each.",
            since=known.first_order or known.at,
            until=known.at,
            fingerprint=mark,
            customers=buyers(known, source),
            notes=tuple(notes),
            fallback=fallback,
        )
        return cls(settings, evidence, needed)

    # ------------------------------------------------------------ scores

    def scores(self, known: AsOf) -> tuple[Score, ...]:
        """``need``, the main one by name, and ``need_share``, its part in what the customer takes."""
        placed = [self._placed(self._held(known, who)) for who in batches(known)]
        owners, main, part = (np.concatenate([batch[i] for batch in placed]) for i in range(3))
        names = [self.needed.needs[place].name for place in main.tolist()]
        listed = "; ".join(need.name for need in self.needed.needs)
        return (
            Score("need", Kind.TEXT, f"The main need behind what the customer takes, one of: {listed}.", owners, names),
            Score(
                "need_share",
                Kind.NUMBER,
                "The part of it in what the customer takes, 0 to 1.",
                owners,
                part,
            ),
        )

    def _placed(self, held: Taken) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], Floats]:
        """Who took something of a need, its place, and its part."""
        found = self.needed.parts(held)
        some = found.sum(axis=1) > 0
        return held.customers[some], found[some].argmax(axis=1), found[some].max(axis=1)

    def _held(self, known: AsOf, who: str, customer: int | None = None) -> Taken:
        return taken(known, _source(known, self.needed.way, customer), self.needed.items, HALF_LIFE, who)

    def reasons(self, known: AsOf, customer: int) -> tuple[str, ...]:
        """The main need with the customer's own items of it, and the second one."""
        held = self._held(known, one(customer), customer)
        found = self.needed.parts(held)
        if not found.sum():
            return ("The customer took nothing of any need.",)
        return tuple(
            f"{found[0, place]:.0%} {self.needed.needs[place].name}{self._own(held, int(place))}"
            for place in np.argsort(-found[0], kind="stable")[:2]
            if found[0, place] > 0
        )

    def _own(self, held: Taken, place: int) -> str:
        """What the customer took of a need, most first."""
        amount = dict(zip(held.column.tolist(), held.amount.tolist(), strict=True))
        items = [name for name in self.needed.needs[place].items if amount.get(self.needed.items.index(name), 0) > 0]
        taken_ = (
            f"{name} ({amount[self.needed.items.index(name)]:.1f} days of buying that still count)"
            for name in items[:3]
        )
        return f": {', '.join(taken_)}." if items else "."

    # ------------------------------------------------------------ how well

    def judged(self, before: AsOf, after: AsOf) -> Judged:
        """Whether the main need of what is bought in the time to come is the one that was foretold.

        Baselines: the commonest need for all (``most common``), and the main need of the last day with a purchase
        (``last order``). ``new items``: of the items that a customer first buys after the cut, the share among the ten
        that their needs rank first of those they hadn't bought, against the ten best sellers (``popularity``).

        Raises:
            Refused: nobody of whom a need was known bought of any need afterwards.
        """
        who = sample(before)
        held = self._held(before, who)
        came = bought_after(after, _source(after, self.needed.way), self.needed.items, before.at, who)
        mine, truth = self.needed.parts(held), self.needed.parts(came)
        place = np.minimum(np.searchsorted(held.customers, came.customers), len(held.customers) - 1)
        known = (held.customers[place] == came.customers) & (truth.sum(axis=1) > 0) & (mine[place].sum(axis=1) > 0)
        if not known.any():
            raise Refused("Nobody of whom a need was known bought of any need after the cut.")
        real, foretold = truth[known].argmax(axis=1), mine[place[known]].argmax(axis=1)
        common = np.bincount(mine[mine.sum(axis=1) > 0].argmax(axis=1), minlength=len(self.needed.needs)).argmax()
        last = self.needed.parts(_last_day(held)).argmax(axis=1)[place[known]]
        picks = {"needs": foretold, "most common": np.full(len(real), common), "last order": last}
        measures = [
            Measure(name, "same need", *wilson(int((guess == real).sum()), len(real)), n=len(real))
            for name, guess in picks.items()
        ]
        contest = Contest.of_rows(came.customers[known], {name: guess == real for name, guess in picks.items()})
        return Judged(len(real), (*measures, *self._new_items(held, came, place, known, mine)), contest=contest)

    def _new_items(
        self, held: Taken, came: Taken, place: npt.NDArray[Any], known: npt.NDArray[np.bool_], mine: Floats
    ) -> list[Measure]:
        """Recall of what was new among ten items that a customer hadn't taken, over all customers together."""
        items = len(self.needed.items)
        had, got = held.matrix(items), came.matrix(items)
        best = np.bincount(held.column[held.column >= 0], weights=held.amount[held.column >= 0], minlength=items)
        rows = np.flatnonzero(known)
        hits = {"needs": 0, "popularity": 0}
        new = 0
        for start in range(0, len(rows), 10_000):
            part = rows[start : start + 10_000]
            old = had[place[part]].toarray() > 0
            fresh = (got[part].toarray() > 0) & ~old
            new += int(fresh.sum())
            for who, score in {
                "needs": mine[place[part]] @ self.needed.weights * self.needed.length,
                "popularity": best,
            }.items():
                ranked = np.where(old, -np.inf, np.broadcast_to(score, old.shape))
                first = np.argsort(-ranked, axis=1, kind="stable")[:, :10]
                hits[who] += int(np.take_along_axis(fresh, first, axis=1).sum())
        return [Measure(who, "new items", *wilson(n, new), n=len(rows)) for who, n in hits.items() if new]

    def state(self) -> dict[str, Any]:
        """What needs are made of."""
        found = self.needed
        return {
            "way": found.way,
            "items": list(found.items),
            "length": found.length.tolist(),
            "weights": found.weights.tolist(),
            "needs": [asdict(need) for need in found.needs],
        }

    @classmethod
    def restored(cls, settings: Settings, evidence: Evidence, state: Mapping[str, Any]) -> Needs:
        """The model of ``state``."""
        needs = tuple(Need(n["name"], tuple(n["items"]), tuple(n["lifts"]), n["share"]) for n in state["needs"])
        length, weights = np.asarray(state["length"], dtype=float), np.asarray(state["weights"], dtype=float)
        return cls(settings, evidence, Needed(state["way"], tuple(state["items"]), length, weights, needs))


def _source(known: AsOf, way: str, customer: int | None = None) -> Source:
    source = lines(known, way, customer=customer)
    if source is None:
        raise Refused(f"No order names a {way} any more.", fix="Fit the model anew.")
    return source


def _sample(matrix: Any) -> Any:
    """Rows with two items or more, at most ``SAMPLE``, in an order that follows from what they hold."""
    full = matrix[np.diff(matrix.indptr) >= 2]
    mark = full @ np.random.default_rng(0).random(full.shape[1])
    order = np.lexsort((np.diff(full.indptr), mark))
    if len(order) > SAMPLE:
        order = order[np.linspace(0, len(order) - 1, SAMPLE).astype(np.int64)]
    return full[order]


def _last_day(held: Taken) -> Taken:
    """Of what customers took only the items of their last day."""
    newest = np.zeros(len(held.customers), dtype=np.int64)
    np.maximum.at(newest, held.row, held.latest)
    cells = held.latest == newest[held.row]
    return Taken(held.customers, held.row[cells], held.column[cells], held.amount[cells], held.latest[cells])


def _distinct(needs: tuple[Need, ...]) -> tuple[Need, ...]:
    """The same needs, with a number behind a name that another one has already."""
    found: list[Need] = []
    for need in needs:
        same = sum(one.items[:3] == need.items[:3] for one in found)
        found.append(Need(f"{need.name} {same + 1}" if same else need.name, need.items, need.lifts, need.share))
    return tuple(found)


def _notes(known: AsOf, way: str, items: int, every: int, share: float, customers: int, rows: int) -> list[str]:
    notes = []
    if every > items:
        notes.append(f"Of {every:,} items the {items} that are taken most are in ({share:.0%} of all that is taken).")
    if rows < customers:
        notes.append(
            f"Needs were found from {counted(rows, 'customer')} with two items or more, and all are placed among them."
        )
    if any(part.counts == VIEWED and field_of(part, known, way) for part in parts(known)):
        notes.append("Looking at a product counts a fifth of buying it.")
    return notes
