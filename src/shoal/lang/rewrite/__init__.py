"""Other ways to ask the same question: each pass keeps the answer for every customer at every instant.

A pass is a function of a tree in a file of its own name; the pipeline is the tuple ``PASSES``. Logic has two values
here: a comparison with a missing value is false, so ``not age <= 30`` is not ``age > 30``, and no pass treats it so.
"""

from __future__ import annotations

from shoal.lang.rewrite.canonical import canonical, similar
from shoal.lang.rewrite.dedupe import dedupe
from shoal.lang.rewrite.did_to_count import did_to_count
from shoal.lang.rewrite.double_negation import double_negation
from shoal.lang.rewrite.flatten import flatten
from shoal.lang.rewrite.fold_constants import fold_constants
from shoal.lang.rewrite.passes import PASSES, rewrite
from shoal.lang.rewrite.push_not import push_not
from shoal.lang.rewrite.whole_counts import whole_counts

__all__ = [
    "PASSES",
    "canonical",
    "dedupe",
    "did_to_count",
    "double_negation",
    "flatten",
    "fold_constants",
    "push_not",
    "rewrite",
    "similar",
    "whole_counts",
]
