"""How a trait that measures worth spreads over customers: a histogram in equal ratios, and who holds how much of the sum.

Worked out in the store: nothing leaves it but some tens of rows, however many customers there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.customers.profiles import current_values
from shoal.lang.schema import Kind
from shoal.sql.registry import Registry

if TYPE_CHECKING:
    from shoal.sql.store import Store

STEPS = 30
TOP = (1, 5, 10, 20)
_MICRO = 1e6
_FIT = 1e-3
_FAR = 100
"""Values of the outermost thousandth, and those so many times beyond a quartile, share the outermost steps: a few odd
ones would squeeze all others."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """A trait's spread over the customers who have it.

    Args:
        trait: its name.
        customers: who have a value.
        without: of them, those whose value is 0 or less.
        total: the sum of the values above 0.
        quantiles: median, and the value above which the best tenth lie; of all customers who have a value.
        steps: ``low``, ``high``, ``customers``, ``value``: ends in equal ratios, values above 0 only. The outermost
            steps hold what lies beyond them too.
        curve: ``percent`` (1 to 100), ``customers``, ``value``, ``share``: what the best so many per cent hold.
    """

    trait: str
    customers: int
    without: int
    total: float
    quantiles: tuple[float, float]
    steps: tuple[dict[str, Any], ...]
    curve: tuple[dict[str, Any], ...]

    def held_by(self, percent: int) -> float:
        """The share of the sum that the best so many per cent of customers hold."""
        return next(float(row["share"]) for row in self.curve if row["percent"] == percent)


def holdings(store: Store, trait: str, at: int, steps: int = STEPS) -> Holdings | None:
    """The spread of a numeric trait at an instant; None where there is no such trait, or nobody has a value above 0.

    Args:
        store: the workspace's store.
        trait: the name of a customers' trait.
        at: the instant.
        steps: of the histogram.
    """
    known = Registry.load(store).trait(trait)
    if known is None or known.kind is not Kind.NUMBER:
        return None
    # Sums are of whole millionths: those of floats depend on the order in which rows come.
    values = (
        f"(SELECT owner, value AS raw, value / {_MICRO} AS value FROM ({current_values(store, known, at)}) "
        "WHERE value IS NOT NULL)"
    )
    ((customers, above, total, low, high, middle, tenth),) = store.rows(
        "SELECT count(*), count(CASE WHEN value > 0 THEN 1 END), "
        f"CAST(sum(CASE WHEN value > 0 THEN raw END) AS DOUBLE) / {_MICRO}, "
        f"greatest(quantile_cont(value, {_FIT}) FILTER (WHERE value > 0), "
        f"quantile_cont(value, 0.25) FILTER (WHERE value > 0) / {_FAR}), "
        f"least(quantile_cont(value, {1 - _FIT}) FILTER (WHERE value > 0), "
        f"quantile_cont(value, 0.75) FILTER (WHERE value > 0) * {_FAR}), "
        f"quantile_cont(value, 0.5), quantile_cont(value, 0.9) FROM {values}"
    )
    if not above:
        return None
    return Holdings(
        trait, customers, customers - above, float(total), (float(middle), float(tenth)),
        _steps(store, values, float(low), float(high), steps), _curve(store, values),
    )  # fmt: skip


def means(store: Store, trait: str, by: str, at: int) -> dict[str, float]:
    """The mean of a numeric trait over the customers who share a value of another trait, a text.

    Args:
        store: the workspace's store.
        trait: the number.
        by: the text.
        at: the instant of both.

    Returns:
        By text the mean; nothing where one of the traits isn't there. Customers without one of them don't count.
    """
    registry = Registry.load(store)
    number, text = registry.trait(trait), registry.trait(by)
    if number is None or text is None or number.kind is not Kind.NUMBER or text.kind is not Kind.TEXT:
        return {}
    rows = store.rows(
        f"SELECT t.value, CAST(sum(n.value) AS DOUBLE) / {_MICRO} / count(n.value) "
        f"FROM ({current_values(store, text, at)}) t JOIN ({current_values(store, number, at)}) n ON n.owner = t.owner "
        "WHERE t.value IS NOT NULL AND n.value IS NOT NULL GROUP BY t.value ORDER BY t.value"
    )
    return {str(value): float(mean) for value, mean in rows}


def _steps(store: Store, values: str, low: float, high: float, steps: int) -> tuple[dict[str, Any], ...]:
    from math import exp, log

    width = log(high / low) / steps if high > low else 0.0
    if width < 1e-9:
        low, width, steps = low / 1.05, log(1.05**2), 1
    place = f"greatest(0, least({steps - 1}, CAST(floor(ln(value / {low!r}) / {width!r}) AS INTEGER)))"
    found = {
        row[0]: row[1:]
        for row in store.rows(
            f"SELECT {place}, count(*), CAST(sum(raw) AS DOUBLE) FROM {values} WHERE value > 0 GROUP BY ALL"
        )
    }
    return tuple(
        {"low": low * exp(width * i), "high": low * exp(width * (i + 1)),
         "customers": found.get(i, (0, 0.0))[0], "value": found.get(i, (0, 0.0))[1] / _MICRO}
        for i in range(steps)
    )  # fmt: skip


def _curve(store: Store, values: str) -> tuple[dict[str, Any], ...]:
    """The share of customers is rounded up to whole ones, and who has nothing holds nothing."""
    rows = store.rows(
        "WITH o AS (SELECT row_number() OVER (ORDER BY value DESC, owner) AS place, "
        "sum(greatest(raw, 0)) OVER (ORDER BY value DESC, owner ROWS UNBOUNDED PRECEDING) AS running, "
        f"count(*) OVER () AS n, sum(greatest(raw, 0)) OVER () AS total FROM {values}), "
        "p AS (SELECT unnest(range(1, 101)) AS percent) "
        f"SELECT p.percent, o.place, CAST(o.running AS DOUBLE) / {_MICRO}, CAST(o.running AS DOUBLE) / CAST(o.total AS DOUBLE) "
        "FROM p JOIN o "
        "ON o.place = (p.percent * o.n + 99) // 100 ORDER BY p.percent"
    )
    return tuple({"percent": p, "customers": n, "value": v, "share": s} for p, n, v, s in rows)
