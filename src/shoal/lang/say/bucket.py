"""The stable random share of a customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.nodes import MICRO
from shoal.lang.say.literals import number_words
from shoal.lang.say.voice import quoted, says

if TYPE_CHECKING:
    from shoal.lang.nodes import CompareOp
    from shoal.lang.say.voice import Voice


@says(n.Bucket)
def say_bucket(node: n.Bucket, voice: Voice) -> str:
    return f"the fixed random share (from 0 to 1) in the split {quoted(node.salt)}"


def bucket_words(bucket: n.Bucket, op: CompareOp, share: n.Number) -> str | None:
    """``is in the first 5% of the random split “spring”`` for ``<`` and ``>=``; None for the rest."""
    if not 0 < share.micro < MICRO or op not in ("<", ">="):
        return None
    end, part = ("first", share.micro) if op == "<" else ("last", MICRO - share.micro)
    return f"is in the {end} {number_words(part * 100)}% of the random split {quoted(bucket.salt)}"
