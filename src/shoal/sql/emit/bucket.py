"""``bucket "salt"``: the first 15 hex digits of SHA-256 of salt, a zero byte and the customer's id, mod a million."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.sql import terms as s
from shoal.sql.emit.registry import emits_value
from shoal.sql.values import MICROS, Rational

if TYPE_CHECKING:
    from shoal.sql.scopes import Scope

_DIGITS = 15


@emits_value(n.Bucket)
def bucket(node: n.Bucket, scope: Scope) -> Rational:
    """A share in millionths; the id is that of the surviving customer."""
    salted = s.joined("||", s.text(node.salt), s.call("chr", s.integer(0)), s.column("id", scope.subject))
    digits = s.call("substr", s.call("sha256", salted), s.integer(1), s.integer(_DIGITS))
    drawn = s.cast(s.joined("||", s.text("0x"), digits), "BIGINT")
    return Rational(MICROS, s.joined("%", drawn, s.integer(1_000_000)))
