"""RFM: how recently, how often and for how much each customer bought, and the eleven groups made of it.

The groups are an explicit table of 5 × 5 cells, R by FM, where FM is the mean of F and M rounded up. Published rule
sets overlap and leave holes; a table can do neither. Equal values get equal scores: a score's lower bound is the
smallest value seen above the quantile, so that ties never straddle it. Cut points are frozen until someone
recalibrates.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from shoal.errors import Unsupported
from shoal.wording import noun

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shoal.insight.sales import Sales
    from shoal.sql.store import Store

GROUPS = (
    "Champions",
    "Loyal",
    "Potential Loyalist",
    "New",
    "Promising",
    "Need Attention",
    "About To Sleep",
    "At Risk",
    "Can't Lose",
    "Hibernating",
    "Lost",
)
"""The names in the order in which they are shown."""

GRID: tuple[tuple[str, str, str, str, str], ...] = (
    ("Lost", "Lost", "At Risk", "Can't Lose", "Can't Lose"),
    ("Hibernating", "Hibernating", "At Risk", "At Risk", "At Risk"),
    ("About To Sleep", "About To Sleep", "Need Attention", "Loyal", "Loyal"),
    ("Promising", "Potential Loyalist", "Loyal", "Champions", "Champions"),
    ("New", "Potential Loyalist", "Loyal", "Champions", "Champions"),
)
"""Row R − 1, column FM − 1."""

MEANING: dict[str, str] = {
    "Champions": "They bought lately, buy often and spend most. Thank them, and ask them to bring others.",
    "Loyal": "They buy regularly and well. Offer more of what they like.",
    "Potential Loyalist": "They bought lately and more than once. The next orders decide.",
    "New": "They bought lately, and little so far next to others. Make the next order easy.",
    "Promising": "They bought a little, not long ago. Show them the range.",
    "Need Attention": "Middling in all, and slipping. Remind them with something that fits.",
    "About To Sleep": "They buy little and haven't for a while. A light reminder.",
    "At Risk": "They were good customers and have been silent for long. Win them back personally.",
    "Can't Lose": "The best of the past, gone silent. Call them.",
    "Hibernating": "Few orders, long ago. Low cost contact only.",
    "Lost": "Few orders, longest ago. Leave them be, or clean the list.",
}
"""What each group means and what to do about it."""

FULL_BUYERS, FULL_DAYS, LEAST_BUYERS = 500, 180, 30
MEASURES = ("recency", "frequency", "monetary")


def group(r: int, fm: int) -> str:
    """The group of a cell.

    >>> group(5, 5), group(1, 5), group(5, 1)
    ('Champions', "Can't Lose", 'New')
    """
    return GRID[r - 1][fm - 1]


def cells(name: str) -> list[tuple[int, int]]:
    """The cells (R, FM) of a group."""
    return [(r, fm) for r in range(1, 6) for fm in range(1, 6) if group(r, fm) == name]


def where(name: str) -> str:
    """A group as a condition over the traits ``rfm_r`` and ``rfm_fm``, taken from the table.

    >>> where("Champions")
    'rfm_r between 4 and 5 and rfm_fm between 4 and 5'
    """
    boxes = [
        f"{_range('rfm_r', low, high)} and {_range('rfm_fm', left, right)}"
        for low, high, left, right in _boxes(cells(name))
    ]
    return boxes[0] if len(boxes) == 1 else " or ".join(f"({box})" for box in boxes)


def _range(trait: str, low: int, high: int) -> str:
    return f"{trait} = {low}" if low == high else f"{trait} between {low} and {high}"


def _boxes(found: Iterable[tuple[int, int]]) -> list[tuple[int, int, int, int]]:
    """Cells as few rectangles (R from, to, FM from, to): a run in each row, joined with equal runs below."""
    rows: dict[int, list[int]] = {}
    for r, fm in found:
        rows.setdefault(r, []).append(fm)
    boxes: list[tuple[int, int, int, int]] = []
    for r in sorted(rows):
        left, right = min(rows[r]), max(rows[r])
        if boxes and boxes[-1][1:] == (r - 1, left, right):
            boxes[-1] = (boxes[-1][0], r, left, right)
        else:
            boxes.append((r, r, left, right))
    return boxes


@dataclass(frozen=True, slots=True)
class CutPoints:
    """Where the scores change: the smallest value of each higher bin, None where no value was beyond the quantile.

    Recency is in whole days, frequency in orders, monetary in the workspace's currency.

    Args:
        recency: bounds between the bins, ascending; the lowest bin is the best.
        frequency: bounds between the bins, ascending.
        monetary: bounds between the bins, ascending.
        at: the instant that they were taken at.
        buyers: how many customers they were taken from.
        note: why there are fewer than five bins, or empty.
    """

    recency: tuple[float | None, ...]
    frequency: tuple[float | None, ...]
    monetary: tuple[float | None, ...]
    at: int = 0
    buyers: int = 0
    note: str = ""

    @property
    def bins(self) -> int:
        """How many scores there can be."""
        return len(self.frequency) + 1

    def to_document(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> CutPoints:
        """The cut points of a JSON form."""
        recency, frequency, monetary = (tuple(document[measure]) for measure in MEASURES)
        return cls(recency, frequency, monetary, document["at"], document["buyers"], document["note"])

    def empty_scores(self) -> dict[str, list[int]]:
        """By measure, the scores that nobody can have, since neighbouring bounds are equal or nothing lies beyond."""
        return {m: gaps for m in MEASURES if (gaps := self._gaps(getattr(self, m), reverse=m == "recency"))}

    def _gaps(self, bounds: tuple[float | None, ...], *, reverse: bool) -> list[int]:
        # The bin below bound i is empty if bound i − 1 is the same; the bin above it if there is no such value.
        empty = [i for i in range(1, len(bounds)) if bounds[i] is not None and bounds[i] == bounds[i - 1]]
        empty += [i + 1 for i, bound in enumerate(bounds) if bound is None]
        scores = [1 + i * self._step for i in set(empty)]
        return sorted(6 - score if reverse else score for score in scores)

    @property
    def _step(self) -> int:
        return 4 // (self.bins - 1)

    def score_sql(self, measure: str, value: str) -> str:
        """The SQL of a score 1 to 5 of a value in the measure's unit."""
        bounds = [bound for bound in getattr(self, measure) if bound is not None]
        beyond = " + ".join(f"CASE WHEN {value} >= {bound!r} THEN {self._step} ELSE 0 END" for bound in bounds) or "0"
        return f"(5 - ({beyond}))" if measure == "recency" else f"(1 + {beyond})"


def per_buyer(sales: Sales) -> str:
    """A relation (customer, recency, frequency, monetary) of everyone with an order, for a FROM clause.

    Recency is whole local days since the newest order, monetary the net revenue in currency units.
    """
    return (
        f"(SELECT customer, {sales.today} - max(CASE WHEN is_order THEN day END) AS recency, "
        "sum(CASE WHEN is_order THEN 1 ELSE 0 END) AS frequency, CAST(sum(revenue) AS DOUBLE) / 1e6 AS monetary "
        f"FROM {sales.table} GROUP BY customer HAVING max(CASE WHEN is_order THEN 1 ELSE 0 END) = 1)"
    )


def calibrate(sales: Sales, *, bins: int | None = None) -> CutPoints:
    """Cut points at the quantiles (R type 7) of today's buyers.

    Five bins from 500 buyers and 180 days of orders on, three below.

    Args:
        sales: the lines to take them from.
        bins: 3 or 5, to overrule that choice.

    Raises:
        Unsupported: for fewer than 30 buyers.
    """
    buyers, span = sales.store.rows(
        f"SELECT count(DISTINCT customer), max(day) - min(day) FROM {sales.table} WHERE is_order"
    )[0]
    if buyers < LEAST_BUYERS:
        raise Unsupported(
            f"RFM scores need at least {LEAST_BUYERS} customers with an order; there {noun(buyers, 'is', 'are')} {buyers}.",
            fix="Load more orders, or segment on the orders themselves.",
        )
    note = ""
    if bins is None and (buyers < FULL_BUYERS or span < FULL_DAYS):
        bins = 3
        note = (
            f"Three scores (1, 3, 5) instead of five: {buyers} buyers and {span} days of orders, "
            f"where five need {FULL_BUYERS} and {FULL_DAYS}."
        )
    recency, frequency, monetary = (_bounds(sales.store, per_buyer(sales), m, bins or 5) for m in MEASURES)
    return CutPoints(recency, frequency, monetary, sales.at, buyers, note)


def _bounds(store: Store, buyers: str, measure: str, bins: int) -> tuple[float | None, ...]:
    """For each quantile the smallest value above it."""
    shares = [i / bins for i in range(1, bins)]
    found = store.rows(
        f"WITH b AS (SELECT CAST({measure} AS DOUBLE) AS x FROM {buyers}), "
        f"q AS (SELECT unnest(quantile_cont(x, {shares})) AS q, unnest(range({bins - 1})) AS i FROM b) "
        "SELECT (SELECT min(x) FROM b WHERE x > q.q) FROM q ORDER BY i"
    )
    return tuple(bound for (bound,) in found)


def scores(sales: Sales, cuts: CutPoints, buyers: str | None = None) -> str:
    """A relation (customer, recency, frequency, monetary, r, f, m, fm, segment) of every buyer, for a FROM clause.

    Args:
        sales: the lines.
        cuts: where the scores change.
        buyers: what ``per_buyer`` gives, where it was laid out before.
    """
    r, f, m = (cuts.score_sql(measure, measure) for measure in MEASURES)
    arms = " ".join(
        f"WHEN r = {row + 1} AND fm = {column + 1} THEN '{name.replace(chr(39), chr(39) * 2)}'"
        for row, names in enumerate(GRID)
        for column, name in enumerate(names)
    )
    scored = f"SELECT *, {r} AS r, {f} AS f, {m} AS m FROM {buyers or per_buyer(sales)}"
    return f"(SELECT *, CASE {arms} END AS segment FROM (SELECT *, (f + m + 1) // 2 AS fm FROM ({scored})))"
