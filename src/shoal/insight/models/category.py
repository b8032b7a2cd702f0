"""The chance that a customer buys from a category within the horizon, for each of the categories that most buy from.

Each category has a classifier of its own, on what is known of the customer (see ``features``) and on when and how often
they bought from this category. Learnt and scored are customers who have ordered before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.clock import DAY
from shoal.errors import Refused
from shoal.insight.models import learnt as shared
from shoal.insight.models.features import Plan, Reader, bought_most, days_since, features, within
from shoal.insight.models.learning.table import Numbers, Table
from shoal.insight.models.learnt import BASE_RATE, Cases, Learnt
from shoal.insight.models.model import Evidence, Judged, Measure, Model, Score
from shoal.lang.schema import Kind
from shoal.lang.slug import slug_of
from shoal.sql.encode import quoted
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from shoal.insight.models.asof import AsOf
    from shoal.insight.models.contest import Contest
    from shoal.insight.models.learning.table import Column, Floats, Whole
    from shoal.insight.models.model import Settings

MOST, LIMIT = 8, 12
MOST_CUTS = 3
POPULARITY = "popularity"
_WINDOW = 90
_LONGEST = 40


@dataclass(frozen=True, slots=True, eq=False)
class Bought:
    """When and how often customers bought from one category, one value a row.

    Args:
        since: days since they last did; NaN for never.
        lately: orders with it in the last 90 days.
        share: the share of their orders with it.
    """

    since: Floats
    lately: Floats
    share: Floats

    def columns(self, category: str) -> list[Column]:
        """As columns to learn from."""
        recency, frequency, share = names_of(category)
        return [Numbers(recency, self.since), Numbers(frequency, self.lately), Numbers(share, self.share)]


def names_of(category: str) -> tuple[str, str, str]:
    """The columns of a category: recency, frequency, and its share of the customer's orders."""
    lately = f'orders with "{category}" in the last {_WINDOW} days'
    return f'days since "{category}" was bought', lately, f'share of orders with "{category}"'


class Category(Model):
    """The chance to buy from each category.

    Args:
        settings: what it was fitted with.
        evidence: what it rests on.
        plan: which columns are shared by all categories.
        learnt: by category, in the order of how many bought from it.
    """

    title = "who will buy of a category"
    by = "brier"  # The chances of several categories are compared with each other, so they must be right.
    higher = False

    def __init__(self, settings: Settings, evidence: Evidence, plan: Plan, learnt: Mapping[str, Learnt]) -> None:
        super().__init__(settings, evidence)
        self.plan, self.learnt = plan, dict(learnt)

    @classmethod
    def fitted(cls, known: AsOf, settings: Settings) -> Category:
        """Learn at earlier cuts; see the base class."""
        categories = _chosen(known, settings)
        cuts = shared.cuts(known, settings.horizon, most=MOST_CUTS)
        plan = Plan.of(known, shared.without(settings), since=cuts[0])
        parts = [_cases(known, plan, categories, settings.horizon, cut, len(cuts)) for cut in cuts]
        learnt: dict[str, Learnt] = {}
        measures: dict[str, tuple[Measure, ...]] = {}
        notes: list[str] = []
        for category in categories:
            cases = Cases.joined([part[category] for part in parts])
            try:
                taught = shared.teach(cases, settings, _baselines(category), settings.horizon)
            except Refused as refusal:
                notes.append(f"{category} is left out: {refusal.problem}")
                continue
            learnt[category] = taught.learnt
            measures[category] = tuple(replace(m, who=_traded(m.who)) for m in taught.measures)
            notes += [] if notes else taught.notes[:1]
        if not learnt:
            raise Refused(f"No category can be learnt. {' '.join(notes)}", fix="Take a longer horizon.")
        notes += shared.undated(known, cuts[0], plan)
        owners = np.unique(np.concatenate([part[categories[0]].owners for part in parts])).size
        evidence = _evidence(known, settings, cuts[0], learnt, int(owners), tuple(_means(measures)), notes)
        return cls(settings, evidence, plan, learnt)

    # ------------------------------------------------------------ scoring

    def scores(self, known: AsOf) -> tuple[Score, ...]:
        """A chance for each category, and the most probable one."""
        rows = _buyers(known)
        chances = self._chances(known, rows)
        owners = known.customers[rows]
        names = traits_of(self.learnt, self.settings.horizon)
        found = [Score(names[c], Kind.NUMBER, self._says(c), owners, told[shared.MODEL]) for c, told in chances.items()]
        likeliest = _likeliest({c: told[shared.MODEL] for c, told in chances.items()})
        says = f"The category that the customer most probably buys from within {self.settings.horizon} days, of {len(names)}."
        return (*found, Score(_next_name(self.settings), Kind.TEXT, says, owners, likeliest))

    def _says(self, category: str) -> str:
        said = self.learnt[category].classifier.said
        return f"The chance, 0 to 1, that the customer buys from {category} within {self.settings.horizon} days. {said}"

    def _chances(self, known: AsOf, rows: Whole) -> dict[str, dict[str, Floats]]:
        """By category, the chances of the model and of its baselines."""
        bought = _bought(known, rows, list(self.learnt))
        found: dict[str, dict[str, Floats]] = {category: {} for category in self.learnt}
        for here, table in shared.tables(known, self.plan, rows):
            for category, learnt in self.learnt.items():
                for who, told in learnt.everyone(_with(table, category, bought[category], here)).items():
                    found[category].setdefault(who, np.empty(rows.size))[here] = told
        return found

    def reasons(self, known: AsOf, customer: int) -> tuple[str, ...]:
        """What moves the chance of the customer's most probable category."""
        place, there = known.rows(np.array([customer], dtype=np.int32))
        if not there[0] or place[0] not in _buyers(known):
            return ("The customer hasn't ordered yet.",)
        told = {c: by[shared.MODEL] for c, by in self._chances(known, place).items()}
        (category,) = _likeliest(told)
        bought = _bought(known, place, [category])[category]
        table = _with(features(known, self.plan, place), category, bought, slice(0, 1))
        because = shared.in_full(self.learnt[category].classifier.explain(table)[0])
        return (f"Most probable is {category}, with a chance of {told[category][0]:.0%}.", *because)

    # ------------------------------------------------------------ judging

    def judged(self, before: AsOf, after: AsOf) -> Judged:
        """Against who bought from each category; the figures are means over the categories."""
        rows = _buyers(before)
        came = _came(after, before.at, before.customers[rows], list(self.learnt))
        chances = self._chances(before, rows)
        sound = [c for c in self.learnt if 0 < came[c].sum() < came[c].size and came[c].size >= shared.LEAST_JUDGED]
        if not sound:
            raise Refused(
                f"Of {counted(rows.size, 'customer')} nobody, or everybody, bought from each category: nothing can be judged.",
                fix="Wait for a longer history.",
            )
        each = {c: [m for who, told in chances[c].items() for m in _named(who, came[c], told)] for c in sound}
        hits = _hits(before, rows, came, chances)
        detail = [
            Measure(m.who, f"{m.what}, {c}", m.value, m.low, m.high, m.n)
            for c, found in each.items()
            for m in found
            if m.what in ("brier", "auc")
        ]
        y = np.concatenate([came[c] for c in sound])
        told = np.concatenate([chances[c][shared.MODEL] for c in sound])
        frames = shared.frames_of(y, told)
        return Judged(
            int(rows.size), (*_means(each), *hits, *detail), frames, _contest(before, rows, came, chances, sound)
        )

    # ------------------------------------------------------------ keeping

    def state(self) -> dict[str, Any]:
        """The plan, and a classifier with its baselines for each category."""
        learnt = [[category, one.document()] for category, one in self.learnt.items()]
        return {"plan": self.plan.document(), "learnt": learnt}

    @classmethod
    def restored(cls, settings: Settings, evidence: Evidence, state: Mapping[str, Any]) -> Category:
        """The model of ``state``."""
        learnt = {category: Learnt.from_document(one) for category, one in state["learnt"]}
        return cls(settings, evidence, Plan.from_document(state["plan"]), learnt)


def traits_of(categories: Mapping[str, Any], horizon: int) -> dict[str, str]:
    """The trait of each category; where two would have the same name, the later one bears a number."""
    found: dict[str, str] = {}
    used: dict[str, int] = {}
    for category in categories:
        slug = slug_of(category).replace("-", "_")[:_LONGEST].rstrip("_")
        used[slug] = used.get(slug, 0) + 1
        found[category] = f"p_buy_{slug}{'' if used[slug] == 1 else f'_{used[slug]}'}_{horizon}d"
    return found


def _next_name(settings: Settings) -> str:
    return "next_category" if settings.name == settings.kind else f"{settings.name}_next"


def _baselines(category: str) -> dict[str, str]:
    recency, frequency, _ = names_of(category)
    return {"recency": recency, "frequency": frequency}


def _named(who: str, outcome: Floats, chance: Floats) -> Iterator[Measure]:
    return shared.measures_of(_traded(who), outcome, chance)


def _traded(who: str) -> str:
    """A baseline's name in the trade: of a category, the base rate is its popularity."""
    return POPULARITY if who == BASE_RATE else who


def _evidence(
    known: AsOf,
    settings: Settings,
    since: int,
    learnt: Mapping[str, Learnt],
    customers: int,
    measures: Sequence[Measure],
    notes: Sequence[str],
) -> Evidence:
    marks = "".join(one.classifier.training.fingerprint for one in learnt.values())
    simpler = [f"{category}: {one.fallback}" for category, one in learnt.items() if one.fallback]
    label = (
        f"Whether a customer who has ordered before buys from a category within {settings.horizon} days, for each of "
        f"{', '.join(learnt)}."
    )
    print_ = sha256(marks.encode()).hexdigest()[:16]
    return Evidence(label, since, known.at, print_, customers, tuple(measures), tuple(notes), " ".join(simpler))


# ---------------------------------------------------------------- who bought what


def _chosen(known: AsOf, settings: Settings) -> list[str]:
    """The categories of the settings, or those that most customers bought from.

    Raises:
        Refused: no order says a category, or nothing was bought from those of the settings.
    """
    if known.lines is None or not known.lines.has_category:
        names = ", ".join(known.rule.purchases.category)
        raise Refused(
            f'No "{known.rule.orders}" says a category of what was bought.',
            fix=f"Load one as a property of the order or its items: {names}; or name yours under revenue: purchases: in "
            "shoal.yaml.",
        )
    wanted = [str(name) for name in settings.options.get("categories") or ()][:LIMIT]
    if not wanted:
        return _held(bought_most(known, min(int(settings.options.get("most") or MOST), LIMIT)))
    table = known.arrow(f"SELECT DISTINCT category FROM {known.lines.table} WHERE category IN ({_listed(wanted)})")
    there = set(table["category"].to_pylist())
    lack = [name for name in wanted if name not in there]
    if lack:
        raise Refused(f"Nothing was bought from {', '.join(lack)} yet.", fix="Write the categories as the orders do.")
    return wanted


def _held(categories: list[str]) -> list[str]:
    if not categories:
        raise Refused("No category was bought by 20 customers or more yet.", fix="Wait for more orders.")
    return categories


def _listed(names: Sequence[str]) -> str:
    return ", ".join(quoted(name) for name in names)


def _buyers(known: AsOf) -> Whole:
    """The places of those who have ordered."""
    table = known.arrow(f"SELECT DISTINCT customer FROM {known.sales.table} WHERE is_order")
    place, there = known.rows(np.asarray(table["customer"].to_numpy(), dtype=np.int32))
    return np.sort(place[there])


def _bought(known: AsOf, rows: Whole, categories: Sequence[str]) -> dict[str, Bought]:
    """When and how often each of the rows bought from each category."""
    reader, found = Reader(known, rows), {}
    counts = f"SELECT customer, count(DISTINCT ts) AS n FROM {known.sales.table} WHERE is_order GROUP BY customer"
    orders = np.maximum(reader.values(known.arrow(counts), "n", 0.0), 1.0)
    for category in categories:
        table = known.arrow(
            f"SELECT customer, {days_since('max(ts)', known)} AS since, count(DISTINCT ts) AS n, "
            f"count(DISTINCT ts) FILTER (WHERE {within(_WINDOW, known)}) AS lately "
            f"FROM {_lines(known)} WHERE category = {quoted(category)} GROUP BY customer"
        )
        found[category] = Bought(
            reader.values(table, "since"), reader.values(table, "lately", 0.0), reader.values(table, "n", 0.0) / orders
        )
    return found


def _lines(known: AsOf) -> str:
    """The lines of orders; none where nothing was ordered yet."""
    nothing = "(SELECT 0 AS customer, 0 AS ts, '' AS category WHERE false)"
    return nothing if known.lines is None else known.lines.table


def _came(after: AsOf, since: int, owners: npt.NDArray[Any], categories: Sequence[str]) -> dict[str, Floats]:
    """For each category who of the owners bought from it after an instant, 0 or 1."""
    place, there = after.rows(owners)
    found = {}
    for category in categories:
        table = after.arrow(
            f"SELECT DISTINCT customer FROM {_lines(after)} WHERE category = {quoted(category)} AND ts > {since:d}"
        )
        bought = np.asarray(table["customer"].to_numpy(), dtype=np.int32)
        mask = after.aligned(bought, np.ones(bought.size), 0.0)
        found[category] = np.where(there, mask[place], 0.0)
    return found


def _with(table: Table, category: str, bought: Bought, rows: slice) -> Table:
    """The shared columns with those of a category."""
    here = Bought(bought.since[rows], bought.lately[rows], bought.share[rows])
    return Table.of(table.keys, [*table.columns, *here.columns(category)])


def _cases(known: AsOf, plan: Plan, categories: Sequence[str], horizon: int, cut: int, cuts: int) -> dict[str, Cases]:
    """Rows of one cut, for each category."""
    with known.before(cut + horizon * DAY) as after, known.before(cut) as before:
        rows = shared.drawn(before.customers, _buyers(before), shared.MOST_ROWS // cuts)
        owners = before.customers[rows]
        table, bought = features(before, plan, rows), _bought(before, rows, categories)
        came = _came(after, cut, owners, categories)
        whole = slice(0, rows.size)
        return {c: Cases.of(_with(table, c, bought[c], whole), came[c], cut, owners) for c in categories}


# ---------------------------------------------------------------- figures over categories


def _contest(
    before: AsOf,
    rows: Whole,
    came: Mapping[str, Floats],
    chances: Mapping[str, Mapping[str, Floats]],
    sound: Sequence[str],
) -> Contest:
    """The squared errors over the categories that can be judged, by customer: each has as many, so that means agree."""
    whole = {who: np.concatenate([chances[c][who] for c in sound]) for who in chances[sound[0]]}
    owners, y = np.tile(before.customers[rows], len(sound)), np.concatenate([came[c] for c in sound])
    return shared.contest_of(owners, y, {_traded(who): told for who, told in whole.items()})


def _likeliest(chances: Mapping[str, Floats]) -> list[str]:
    """The category of the highest chance of each row; of equal chances the one that more customers bought from."""
    names = list(chances)
    best = np.argmax(np.column_stack(list(chances.values())), axis=1)
    return [names[i] for i in best.tolist()]


def _means(each: Mapping[str, Sequence[Measure]]) -> Iterator[Measure]:
    """The mean of each measure over the categories, the model's first."""
    keys = dict.fromkeys((m.who, m.what) for found in each.values() for m in found)
    for who, what in keys:
        found = [m for by in each.values() for m in by if (m.who, m.what) == (who, what) and m.value is not None]
        yield Measure(who, what, float(np.mean([m.value for m in found])), n=found[0].n)


def _hits(
    before: AsOf, rows: Whole, came: Mapping[str, Floats], chances: Mapping[str, Mapping[str, Floats]]
) -> Iterator[Measure]:
    """How often the most probable category was bought, of customers who bought from any of them."""
    names = list(chances)
    y = np.column_stack([came[c] for c in names])
    some = y.any(axis=1)
    if not some.any():
        return
    bought = _bought(before, rows, names)
    popular = np.argmax([chances[c][BASE_RATE][0] for c in names])
    # Who bought of none yet is given the most popular one.
    past = np.column_stack([bought[c].share for c in names]) + np.eye(len(names))[popular] * 1e-6
    picks = {
        shared.MODEL: np.argmax(np.column_stack([chances[c][shared.MODEL] for c in names]), axis=1),
        "own past": np.argmax(past, axis=1),
        POPULARITY: np.full(rows.size, popular),
    }
    for who, pick in picks.items():
        hit = y[np.arange(rows.size), pick][some]
        yield Measure(who, "hit of the next", float(hit.mean()), n=int(some.sum()))
