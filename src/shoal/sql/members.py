"""Recorded states of a customer: lists, consent, published membership. Those of merged customers are united."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.sql import terms as s
from shoal.sql.plan import Plan, Provider
from shoal.sql.rows import in_order, message_id

if TYPE_CHECKING:
    from sqlglot import exp

    from shoal.lang import nodes as n
    from shoal.sql.terms import Sql


def _of(column: str, table: str, value: str) -> Sql:
    return s.compared(s.column(column, table), "=", s.text(value))


class Listed(Provider):
    """Who is on a list: ``hit``. Each id's newest change counts; one id of a merged customer suffices."""

    def __init__(self, plan: Plan, name: str, list_: str) -> None:
        super().__init__(name)
        self._plan, self._list = plan, list_

    def query(self) -> exp.Select:
        """The ids whose newest change put them on the list, as their surviving customers."""
        frame = self._plan.frame
        columns = [
            s.named(s.column("ts", "e"), "ts"),
            s.named(s.column("received", "e"), "received"),
            s.named(s.column("customer", "e"), "one"),
            s.named(s.column("added", "e"), "added"),
        ]
        where = s.all_of([_of("list", "e", self._list), frame.received("e")])
        order = s.call("row", *(s.column(c, "c") for c in ("ts", "received", "added")))
        newest = s.named(s.call("arg_max", s.column("added", "c"), order), "added")
        rows = s.sub(frame.rows("list_changes", "customer", columns, where), "c")
        each = s.select([s.column("k", "c"), newest], rows).group_by(
            s.column("k", "c"), s.column("one", "c"), copy=False
        )
        return s.select(
            [s.column("k", "d"), s.named(s.true(), "hit")], s.sub(each, "d"), s.column("added", "d")
        ).distinct(copy=False)


class Consent(Provider):
    """What a customer said of a purpose: ``granted``. A refusal or withdrawal by any id of a merged customer wins."""

    def __init__(self, plan: Plan, name: str, purpose: str) -> None:
        super().__init__(name)
        self._plan, self._purpose = plan, purpose

    def query(self) -> exp.Select:
        """The newest word of each id, then whether all agree."""
        frame = self._plan.frame
        columns = [
            s.named(s.column("ts", "e"), "ts"),
            s.named(message_id(self._plan, ["consents"], "e"), "mid"),
            s.named(s.column("customer", "e"), "one"),
            s.named(s.column("granted", "e"), "granted"),
        ]
        where = s.all_of([_of("purpose", "e", self._purpose), frame.in_force("e")])
        order = in_order(self._plan, ["consents"], "c")
        newest = s.named(s.call("arg_max", s.column("granted", "c"), order), "granted")
        rows = s.sub(frame.rows("consents", "customer", columns, where), "c")
        each = s.select([s.column("k", "c"), newest], rows).group_by(
            s.column("k", "c"), s.column("one", "c"), copy=False
        )
        agreed = s.named(s.call("bool_and", s.column("granted", "d")), "granted")
        return s.select([s.column("k", "d"), agreed], s.sub(each, "d")).group_by(s.column("k", "d"), copy=False)


class Published(Provider):
    """Whether the recorded history of a segment holds an entering or leaving in a window: ``hit``."""

    def __init__(self, plan: Plan, name: str, segment: str, change: str, window: n.Window | None) -> None:
        super().__init__(name)
        self._plan, self._segment, self._change = plan, segment, change
        self._bounds = plan.frame.bounds(window, "r")

    def query(self) -> exp.Select:
        """The changes of that kind in the window."""
        frame = self._plan.frame
        where = s.all_of([_of("segment", "e", self._segment), _of("change", "e", self._change), frame.received("e")])
        rows = s.sub(frame.rows("membership_changes", "customer", [s.named(s.column("ts", "e"), "ts")], where), "r")
        inside = s.within(s.column("ts", "r"), *self._bounds)
        return s.select([s.column("k", "r"), s.named(s.true(), "hit")], rows, inside).distinct(copy=False)
