"""In the top or bottom part, or between percentiles, by thresholds that are refreshed now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.document import decimal_text
from shoal.lang.show import flat
from shoal.live.curve import Curve
from shoal.live.operators.compare import compare
from shoal.live.registry import answers, value
from shoal.live.values import FAR, Answer

if TYPE_CHECKING:
    from shoal.live.scope import Scope


def _beyond(node: n.Ranked | n.Percentile, rank: str, op: str, s: Scope) -> Answer:
    """The value against the threshold of a rank; false before the first refresh."""
    found, until = value(node.value, s)
    limit, following = s.state.threshold(flat(node.value), rank, s.t)
    until = min(until, FAR if following is None else following)
    if limit is None:
        return Answer(False, until)
    truth, certain = compare(found, op, Curve((limit.numerator,), (limit.denominator,)), s)
    return Answer(truth, min(until, certain))


@answers(n.Ranked)
def ranked(node: n.Ranked, s: Scope) -> Answer:
    """At or beyond the threshold."""
    rank = f"{node.end} {decimal_text(node.percent)}"
    return _beyond(node, rank, ">=" if node.end == "top" else "<=", s)


@answers(n.Percentile)
def percentile(node: n.Percentile, s: Scope) -> Answer:
    """Between two of them, both ends in."""
    low = _beyond(node, f"percentile {decimal_text(node.low)}", ">=", s)
    high = _beyond(node, f"percentile {decimal_text(node.high)}", "<=", s)
    return Answer(low.truth and high.truth, min(low.until, high.until))
