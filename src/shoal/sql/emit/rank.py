"""``in top q%``, ``in bottom q%``, ``between percentile a and b``: held against the thresholds of the last refresh."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.sql import terms as s
from shoal.sql.emit.registry import emits_condition, number
from shoal.sql.thresholds import ranks_of, recorded, value_text
from shoal.sql.values import Rational, compare

if TYPE_CHECKING:
    from shoal.sql.scopes import Scope
    from shoal.sql.terms import Sql


@emits_condition(n.Ranked)
def ranked(node: n.Ranked, scope: Scope) -> Sql:
    """At or beyond the threshold; none yet: false."""
    (limit,) = [threshold(node, rank, scope) for rank in ranks_of(node)]
    op = ">=" if node.end == "top" else "<="
    return compare(number(node.value, scope), op, limit, scope.plan.frame.zone)


@emits_condition(n.Percentile)
def percentile(node: n.Percentile, scope: Scope) -> Sql:
    """Between two thresholds, both ends in."""
    low, high = (threshold(node, rank, scope) for rank in ranks_of(node))
    value, zone = number(node.value, scope), scope.plan.frame.zone
    return s.all_of([compare(value, ">=", low, zone), compare(value, "<=", high, zone)])


def threshold(node: n.Ranked | n.Percentile, rank: str, scope: Scope) -> Rational:
    """The threshold in force: a constant at one instant, else a choice among those in force from some instant on."""
    frame = scope.plan.frame
    found = recorded(scope.plan.store, value_text(node.value), rank, frame.known_at)
    past = [r for r in found if r.ts <= frame.start] or scope.plan.assumed.get((value_text(node.value), rank), [])
    now = Rational(Fraction(1), s.null("HUGEINT")) if not past else Rational(Fraction(past[-1].num, past[-1].den))
    later = [r for r in found if r.ts > frame.start]
    if not frame.moments or not later:
        return now
    chosen = [*past[-1:], *later]
    t = frame.t(scope.subject)

    def at(part: str) -> Sql:
        pairs = [(s.compared(t, ">=", s.integer(r.ts)), s.huge(s.integer(getattr(r, part)))) for r in reversed(chosen)]
        return s.cases(pairs)

    return Rational(Fraction(1), at("num"), at("den"))
