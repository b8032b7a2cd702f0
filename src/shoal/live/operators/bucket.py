"""A stable share of each customer for a salt."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.live.registry import values
from shoal.live.values import Micro, Valued

if TYPE_CHECKING:
    from shoal.live.scope import Scope


@values(n.Bucket)
def bucket(node: n.Bucket, s: Scope) -> Valued:
    """The first 15 hex digits of SHA-256(salt, a zero byte, customer id), mod 1,000,000, in millionths."""
    customer = s.state.people.ids[s.row]
    digest = hashlib.sha256(node.salt.encode() + b"\0" + customer.encode()).hexdigest()
    return Valued(Micro(int(digest[:15], 16) % 1_000_000))
