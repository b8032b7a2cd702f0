"""The pipeline, run until nothing changes any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang.rewrite.dedupe import dedupe
from shoal.lang.rewrite.did_to_count import did_to_count
from shoal.lang.rewrite.double_negation import double_negation
from shoal.lang.rewrite.flatten import flatten
from shoal.lang.rewrite.fold_constants import fold_constants
from shoal.lang.rewrite.push_not import push_not
from shoal.lang.rewrite.whole_counts import whole_counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoal.lang.nodes import Condition

PASSES: tuple[Callable[[Condition], Condition], ...] = (
    fold_constants,
    did_to_count,
    double_negation,
    push_not,
    whole_counts,
    flatten,
    dedupe,
)


def rewrite(condition: Condition) -> Condition:
    """The same question in the form that the engines share work on: ``rewrite(rewrite(c)) == rewrite(c)``."""
    while True:
        before = condition
        for one_pass in PASSES:
            condition = one_pass(condition)
        if condition == before:
            return condition
