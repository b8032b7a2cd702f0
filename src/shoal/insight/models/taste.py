"""Taste: which categories, brands and attributes a customer leans to beyond the base."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from shoal.errors import Refused
from shoal.insight.models.contest import Contest
from shoal.insight.models.model import Evidence, Judged, Measure, Model, Score
from shoal.insight.taste.affinity import HALF_LIFE_DAYS, MIN_CUSTOMERS, SMOOTHING, leaning
from shoal.insight.taste.affinity import Taste as Lean
from shoal.insight.taste.lines import (
    BRAND,
    CATEGORY,
    PRODUCT,
    attributes,
    batches,
    bought_after,
    buyers,
    fingerprint,
    first_of,
    largest,
    lines,
    one,
    sample,
    slugs,
    taken,
)
from shoal.lang.schema import Kind
from shoal.stats.bootstrap import Tally
from shoal.stats.intervals import wilson
from shoal.wording import counted, noun

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.model import Settings
    from shoal.insight.taste.lines import Source, Taken

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

MOST_ITEMS = 300
MOST_SCORED = 12
MOST_TASTES = 3
_EVER = 1e6


@dataclass(frozen=True, slots=True)
class Base:
    """What the base takes, told in one way.

    Args:
        way: category, brand, product, or the name of an attribute.
        items: the names that are taken most, most first.
        shares: of each, of all that is taken.
        all_items: how many items there are; those without a name here count as one.
    """

    way: str
    items: tuple[str, ...]
    shares: tuple[float, ...]
    all_items: int

    @property
    def trait(self) -> str:
        """The trait that lists what a customer leans to."""
        return "tastes" if self.way in (CATEGORY, PRODUCT) else f"tastes_{'brands' if self.way == BRAND else self.slug}"

    @property
    def slug(self) -> str:
        """The way as a part of a trait's name."""
        return next((slug for slug, _ in slugs([self.way])), "other")


class Taste(Model):
    """Affinities of customers, normalised to the base of the fit and shrunk, so that one purchase doesn't make a fan."""

    title: ClassVar[str] = "what customers lean to"
    by: ClassVar[str] = "lean kept"
    higher: ClassVar[bool] = True

    def __init__(self, settings: Settings, evidence: Evidence, half_life: float, bases: tuple[Base, ...]) -> None:
        super().__init__(settings, evidence)
        self.half_life, self.bases = half_life, bases

    @classmethod
    def fitted(cls, known: AsOf, settings: Settings) -> Taste:
        """Learn what the base takes.

        Raises:
            Refused: no order says what was bought, or too few customers or items to have a base.
        """
        half_life = float(settings.options.get("half_life") or HALF_LIFE_DAYS)
        main, fallback = main_way(known)
        ways = [main, *((BRAND,) if lines(known, BRAND) else ()), *attributes(known)]
        found = [_base(known, way, half_life) for way in ways]
        bases = tuple(base for base in found if base is not None and len(base.items) >= 2)
        if not bases or bases[0].way != main:
            raise Refused(
                f"A taste is a lean beyond the base, and all orders are of one {main} or of none that still counts.",
                fix="Map what tells the goods apart, under purchases: in shoal.yaml.",
            )
        customers = buyers(known, _source(known, main))
        if customers < MIN_CUSTOMERS:
            raise Refused(
                f"A taste is a lean beyond the base, and {counted(customers, 'customer')} who bought "
                f"{noun(customers, 'isn', 'aren')}'t one; "
                f"{MIN_CUSTOMERS} are needed.",
                fix="Wait for more customers.",
            )
        return cls(settings, _evidence(known, half_life, bases, customers, fallback), half_life, bases)

    # ------------------------------------------------------------ scores

    def scores(self, known: AsOf) -> tuple[Score, ...]:
        """``tastes`` and its like for brands and attributes, and ``affinity_…`` for what the base takes most."""
        found: list[Score] = []
        for base in self.bases:
            source = lines(known, base.way)
            if source is None:
                continue
            columns = [
                self._columns(base, taken(known, source, base.items, self.half_life, who)) for who in batches(known)
            ]
            found += [_joined(parts) for parts in zip(*columns, strict=True)]
        return tuple(found)

    def _columns(self, base: Base, held: Taken) -> list[Score]:
        return [self._tastes(base, held), *(self._affinities(base, held) if base is self.bases[0] else ())]

    def _tastes(self, base: Base, held: Taken) -> Score:
        cells, _, _ = self._leans(base, held)
        values: list[tuple[str, ...] | None] = [None] * len(held.customers)
        for row, column in zip(held.row[cells].tolist(), held.column[cells].tolist(), strict=True):
            values[row] = (*(values[row] or ()), base.items[column])
        says = (
            f"Up to {MOST_TASTES} of a customer's {_many(base.way)}, the strongest first, of which they surely take more "
            f"than the base does: days with a purchase, one of {self.half_life:g} days ago counting half."
        )
        return Score(base.trait, Kind.TEXTS, says, held.customers, values)

    def _leans(self, base: Base, held: Taken) -> tuple[Ints, Floats, Floats]:
        """The cells of what each customer leans to, strongest first, with all cells' lifts and lower ends."""
        named = np.flatnonzero(held.column >= 0)
        expected = held.totals[held.row[named]] * np.asarray(base.shares)[held.column[named]]
        lift, low = np.zeros(len(held.row)), np.zeros(len(held.row))
        lift[named], low[named] = leaning(held.amount[named], expected)
        fans = np.flatnonzero(low > 1)
        chosen = fans[first_of(held.row[fans], (-lift[fans], held.column[fans]), MOST_TASTES)]
        return chosen, lift, low

    def _affinities(self, base: Base, held: Taken) -> list[Score]:
        totals = held.totals
        found = []
        for slug, name in list(slugs(base.items))[: self._most]:
            column = base.items.index(name)
            mine = np.flatnonzero(held.column == column)
            amount = np.zeros(len(totals))
            amount[held.row[mine]] = held.amount[mine]
            lift = (amount + SMOOTHING) / (totals * base.shares[column] + SMOOTHING)
            says = (
                f"How many times as much {name} the customer takes as the base does; 1 is like the base. Shrunk to 1."
            )
            found.append(Score(f"affinity_{slug}", Kind.NUMBER, says, held.customers, lift))
        return found

    @property
    def _most(self) -> int:
        return int(self.settings.options.get("most") or MOST_SCORED)

    def reasons(self, known: AsOf, customer: int) -> tuple[str, ...]:
        """Each taste with what was bought and what the base would have."""
        said: list[str] = []
        for base in self.bases:
            source = lines(known, base.way, customer=customer)
            if source is None:
                continue
            held = taken(known, source, base.items, self.half_life, one(customer))
            cells, lift, low = self._leans(base, held)
            for i in cells:
                column = held.column[i]
                expected = float(held.totals[0] * base.shares[column])
                item = base.items[column]
                said.append(
                    Lean(customer, item, float(lift[i]), float(low[i]), float(held.amount[i]), expected, True).reason
                )
        return tuple(said) or ("Nothing that the customer took stands out from what the base takes.",)

    # ------------------------------------------------------------ how well

    def judged(self, before: AsOf, after: AsOf) -> Judged:
        """Whether customers still lean to their tastes in the time to come, and whether they buy of them at all.

        Baselines name as many items a customer: what the base takes most (``popularity``), what the customer took on
        most days (``frequency``) and last (``recency``).

        Raises:
            Refused: nobody with a taste bought again.
        """
        base = self.bases[0]
        who = sample(before)
        held = taken(before, _source(before, base.way), base.items, self.half_life, who)
        came = bought_after(after, _source(after, base.way), base.items, before.at, who)
        cells, _, _ = self._leans(base, held)
        most = np.bincount(held.row[cells], minlength=len(held.customers))
        most[~np.isin(held.customers, came.customers)] = 0
        if not most.any():
            raise Refused("Nobody with a taste bought again after the cut, so nothing shows whether tastes last.")
        whole = taken(before, _source(before, base.way), base.items, _EVER, who)
        picks = {"taste": (held.row[cells], held.column[cells])} | _baselines(held, whole, most)
        truth = _Came.of(held.customers, came, len(base.items))
        measures = [m for name, (row, column) in picks.items() for m in truth.measures(name, row, column, most)]
        measures.sort(key=lambda m: m.who != "taste")
        contest = Contest(
            held.customers, {name: truth.kept(row, column, most) for name, (row, column) in picks.items()}
        )
        return Judged(int((most > 0).sum()), tuple(measures), contest=contest)

    def state(self) -> dict[str, Any]:
        """The half-life, and what the base takes in each way."""
        return {"half_life": self.half_life, "bases": [asdict(base) for base in self.bases]}

    @classmethod
    def restored(cls, settings: Settings, evidence: Evidence, state: Mapping[str, Any]) -> Taste:
        """The model of ``state``."""
        bases = tuple(Base(b["way"], tuple(b["items"]), tuple(b["shares"]), b["all_items"]) for b in state["bases"])
        return cls(settings, evidence, float(state["half_life"]), bases)


def main_way(known: AsOf) -> tuple[str, str]:
    """Category, or product where no order names one; with why, in the second case.

    Raises:
        Refused: orders name neither.
    """
    if lines(known, CATEGORY):
        return CATEGORY, ""
    if lines(known, PRODUCT):
        return PRODUCT, "No order names a category, so the products that are bought most stand in their place."
    names = ", ".join(known.rule.purchases.category[:3])
    raise Refused(
        f'No "{known.rule.orders}" says what was bought: 0 of them name a category or a product.',
        fix=f"Map one of the fields {names}, or say what it is called under purchases: in shoal.yaml.",
    )


def _joined(parts: tuple[Score, ...]) -> Score:
    """The columns of batches of customers as one."""
    values: Any = (
        np.concatenate([part.values for part in parts])
        if isinstance(parts[0].values, np.ndarray)
        else [value for part in parts for value in part.values]
    )
    return replace(parts[0], owners=np.concatenate([part.owners for part in parts]), values=values)


def _source(known: AsOf, way: str, customer: int | None = None) -> Source:
    source = lines(known, way, customer=customer)
    if source is None:
        raise Refused(f"No order names a {way} any more.", fix="Fit the model anew.")
    return source


def _base(known: AsOf, way: str, half_life: float) -> Base | None:
    items, amounts, total, every = largest(known, _source(known, way), half_life, MOST_ITEMS)
    return Base(way, tuple(items), tuple(a / total for a in amounts), every) if items else None


def _evidence(known: AsOf, half_life: float, bases: tuple[Base, ...], customers: int, fallback: str) -> Evidence:
    base = bases[0]
    notes = [
        f"There are {b.all_items:,} {_many(b.way)}; the {len(b.items)} that are taken most are told apart "
        f"({sum(b.shares):.0%} of all), and the others count as one."
        for b in bases
        if b.all_items > len(b.items)
    ]
    return Evidence(
        label=f"Which {_many(base.way)} customers lean to beyond the base: days with a purchase up to now, one of "
        f"{half_life:g} days ago counting half.",
        since=known.first_order or known.at,
        until=known.at,
        fingerprint=fingerprint(*(part for b in bases for part in (b.items, np.asarray(b.shares)))),
        customers=customers,
        notes=tuple(notes),
        fallback=fallback,
    )


def _many(way: str) -> str:
    known = {CATEGORY: "categories", BRAND: "brands", PRODUCT: "products"}
    return known.get(way, f"kinds of {way}")


def _baselines(held: Taken, whole: Taken, most: Ints) -> dict[str, tuple[Ints, Ints]]:
    """For each baseline as many picks a customer as there are tastes: their rows and columns."""
    row = np.searchsorted(held.customers, whole.customers)
    there = (held.customers[np.minimum(row, len(held.customers) - 1)] == whole.customers)[whole.row]
    cells = np.flatnonzero(there & (whole.column >= 0))
    rows, columns = row[whole.row[cells]], whole.column[cells]
    often, late = -whole.amount[cells], -whole.latest[cells]
    frequent, recent = first_of(rows, (often, late, columns), most), first_of(rows, (late, often, columns), most)
    starts = np.repeat(np.cumsum(most) - most, most)
    return {
        "popularity": (np.repeat(np.arange(len(most)), most), np.arange(int(most.sum())) - starts),
        "frequency": (rows[frequent], columns[frequent]),
        "recency": (rows[recent], columns[recent]),
    }


@dataclass(frozen=True, slots=True)
class _Came:
    """What was bought after the cut: days by customer and item, of each customer in all, and each item's share."""

    days: Any
    total: Floats
    share: Floats

    @classmethod
    def of(cls, customers: npt.NDArray[np.int32], came: Taken, items: int) -> _Came:
        from scipy import sparse

        place = np.searchsorted(came.customers, customers)
        there = np.append(came.customers, -1)[place] == customers
        chosen = sparse.csr_matrix(
            (np.ones(int(there.sum())), (np.flatnonzero(there), place[there])),
            shape=(len(customers), len(came.customers)),
        )
        days = came.matrix(items)
        share = np.asarray(days.sum(axis=0)).ravel() / max(float(came.amount.sum()), 1.0)
        return cls(chosen @ days, chosen @ came.totals, share)

    def kept(self, row: Ints, column: Ints, most: Ints) -> Tally:
        """Of the picks of customers who are judged: of how many the lean was kept, by customer."""
        judged = most[row] > 0
        row, column = row[judged], column[judged]
        days = np.asarray(self.days[row, column]).ravel()
        return Tally.by(row, days > self.total[row] * self.share[column], len(most))

    def measures(self, who: str, row: Ints, column: Ints, most: Ints) -> list[Measure]:
        """Of the picks of customers who are judged: the share whose lean was kept, and the share bought at all."""
        mine = most[row] > 0
        row, column = row[mine], column[mine]
        days = np.asarray(self.days[row, column]).ravel()
        kept = wilson(int((days > self.total[row] * self.share[column]).sum()), len(row))
        bought = wilson(int((days > 0).sum()), len(row))
        n = int((most > 0).sum())
        return [Measure(who, what, *found, n=n) for what, found in (("lean kept", kept), ("bought again", bought))]
