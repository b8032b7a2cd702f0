"""Python objects for the conditions that begin with a word of their own: did, held, changed, member of …"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

from shoal.errors import DefinitionError
from shoal.lang import nodes as n
from shoal.lang.build_literals import duration_node, literal_node, micro, name_of, text_of
from shoal.lang.build_values import Condition, condition_node, events_node, trait_node, window_node
from shoal.lang.parse_conditions import is_plain

if TYPE_CHECKING:
    from typing import Literal

    from shoal.lang.build_literals import Plain
    from shoal.lang.build_values import Filter, Value
    from shoal.lang.nodes import Window


class Did(Condition):
    """``did A``, to which steps can be added: ``did("A").then("B", within=duration(1, "hour"))``."""

    def _sequence(self) -> n.Sequence:
        node = self.node
        if isinstance(node, n.Did) and node.times is None:
            return n.Sequence(node.events, (), node.window)
        if isinstance(node, n.Sequence) and not node.steps[-1].absent:
            return node
        raise DefinitionError(
            f"No step can follow {self.text}.", fix="Steps follow a plain did(…) or .then(…); .then_not(…) is the last."
        )

    def _with_step(self, step: n.Step) -> Did:
        before = self._sequence()
        return Did(dataclasses.replace(before, steps=(*before.steps, step)))

    def then(
        self,
        events: str | n.Events,
        *,
        within: n.Duration | None = None,
        without: str | n.Events | None = None,
        same: tuple[str, ...] | str = (),
    ) -> Did:
        """``then B``; ``without`` must not come in between; what is in ``same`` equals that of the step before."""
        return self._with_step(_step(events, within, same, without=without))

    def then_not(self, events: str | n.Events, *, within: n.Duration, same: tuple[str, ...] | str = ()) -> Did:
        """``then not B within W``; it is the last step."""
        return self._with_step(_step(events, within, same, absent=True))

    def not_after(self, events: str | n.Events, *, within: n.Duration) -> Condition:
        """``did A not after B within W``."""
        node = self.node
        if not isinstance(node, n.Did) or node.times is not None:
            raise DefinitionError(f"'not after' can't follow {self.text}.", fix="Begin with a plain did(…).")
        return Condition(n.NotAfter(node.events, events_node(events), duration_node(within), node.window))


def _step(
    events: str | n.Events,
    within: n.Duration | None,
    same: tuple[str, ...] | str,
    *,
    absent: bool = False,
    without: str | n.Events | None = None,
) -> n.Step:
    names = (same,) if isinstance(same, str) else tuple(same)
    return n.Step(
        events_node(events),
        None if within is None else duration_node(within),
        absent,
        None if without is None else events_node(without),
        tuple(name_of(name, "property") for name in names),
    )


def did(
    events: str | n.Events,
    *,
    at_least: int | None = None,
    at_most: int | None = None,
    exactly: int | None = None,
    within: Window | None = None,
) -> Did:
    """``did A``; one of ``at_least``, ``at_most`` and ``exactly`` counts, ``within`` is the window.

    Raises:
        DefinitionError: if more than one count is given.
    """
    given = [(op, number) for op, number in _counts(at_least, at_most, exactly) if number is not None]
    if len(given) > 1:
        raise DefinitionError("'did' takes one count.", fix="Join two with &, as did(…) & did(…).")
    times = None if not given else n.Times(given[0][0], _whole(given[0][1], 0))
    return Did(n.Did(events_node(events), times, window_node(within)))


def _counts(
    at_least: int | None, at_most: int | None, exactly: int | None
) -> tuple[tuple[Literal["at least", "at most", "exactly"], int | None], ...]:
    return ("at least", at_least), ("at most", at_most), ("exactly", exactly)


def _whole(number: object, least: int, most: int = 10**12) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
        raise DefinitionError(f"{number!r} can't stand here.", fix=f"Give a whole number of {least} or more.")
    return number


def did_first(events: str | n.Events, *, within: Window) -> Condition:
    """``did first A in W``: the earliest event that matches falls in the window."""
    return Condition(n.DidFirst(events_node(events), cast("Window", window_node(within))))


def did_regularly(events: str | n.Events, *, times: int, periods: int, of_last: int, length: n.Duration) -> Condition:
    """``did A at least n times in k of last m periods of W``."""
    most = _whole(of_last, 1)
    return Condition(
        n.Regularly(events_node(events), _whole(times, 1), _whole(periods, 1, most), most, duration_node(length))
    )


def all_of(*conditions: Filter) -> Condition:
    """``a and b and c``; inner groups stay as they are."""
    return _joined(n.And, conditions)


def any_of(*conditions: Filter) -> Condition:
    """``a or b or c``; inner groups stay as they are."""
    return _joined(n.Or, conditions)


def _joined(cls: type[n.And | n.Or], conditions: tuple[Filter, ...]) -> Condition:
    if len(conditions) < 2:
        raise DefinitionError(f"'{cls.kind}' joins two conditions or more.", fix="Give one condition as it is.")
    return Condition(cls(tuple(condition_node(c) for c in conditions)))


def any_item(items: str, where: Filter) -> Condition:
    """``any products ( … )``, in a filter: one item of the list for which all of it holds."""
    return Condition(n.AnyItem(name_of(items, "list of objects"), condition_node(where)))


def held(condition: Filter, length: n.Duration) -> Condition:
    """``held status = "onboarding" for 7 days``.

    Raises:
        DefinitionError: if it isn't a comparison of a trait.
    """
    node = condition_node(condition)
    if not is_plain(node):
        raise DefinitionError(
            "'held' takes a comparison of one trait with literals.", fix="Write held(trait('plan') == 'pro', …)."
        )
    return Condition(n.Held(node, duration_node(length)))


def changed(
    trait: Value | str, *, before: Plain | None = None, after: Plain | None = None, within: Window | None = None
) -> Condition:
    """``changed plan from "free" to "pro" in W``."""
    old = None if before is None else literal_node(before)
    new = None if after is None else literal_node(after)
    return Condition(n.Changed(trait_node(trait), old, new, window_node(within)))


def anniversary(trait: Value | str, *, days: int) -> Condition:
    """``anniversary of birthday in next 7 days``."""
    return Condition(n.Anniversary(trait_node(trait), _whole(days, 1, 366)))


def member_of(segment: str) -> Condition:
    """``member of "vip"``."""
    return Condition(n.MemberOf(text_of(segment, "the name of a segment")))


def listed_in(name: str) -> Condition:
    """``listed in "staff"``."""
    return Condition(n.ListedIn(text_of(name, "the name of a list")))


def entered(segment: str, *, within: Window | None = None) -> Condition:
    """``entered "vip" in W``."""
    return Condition(n.Entered(text_of(segment, "the name of a segment"), window_node(within)))


def left(segment: str, *, within: Window | None = None) -> Condition:
    """``left "trial" in W``."""
    return Condition(n.Left(text_of(segment, "the name of a segment"), window_node(within)))


def consents_to(purpose: str) -> Condition:
    """``consents to "email_marketing"``."""
    return Condition(n.Consents(text_of(purpose, "the name of a purpose")))


# ---------------------------------------------------------------- distance


@dataclasses.dataclass(frozen=True)
class Radius:
    """A distance to compare with: millionths of metres, kilometres or miles."""

    micro: int
    unit: Literal["m", "km", "mi"]


def radius(amount: Plain, unit: str) -> Radius:
    """A distance in ``m``, ``km`` or ``mi``.

    Raises:
        DefinitionError: for another unit or a negative amount.
    """
    if unit not in ("m", "km", "mi"):
        raise DefinitionError(
            f"{unit!r} is not a unit of distance.",
            fix="Write m, km or mi.",
        )
    length = micro(amount, "a distance")
    if length < 0:
        raise DefinitionError("A distance isn't negative.", fix="Give 0 or more.")
    return Radius(length, cast("Literal['m', 'km', 'mi']", unit))


class Distance:
    """The distance of a geo point to a place; compare it with a ``radius``."""

    def __init__(self, trait: n.Trait, latitude: int, longitude: int) -> None:
        self._place = (trait, latitude, longitude)

    def _compared(self, op: Literal["<", "<=", ">", ">="], other: Radius) -> Condition:
        if not isinstance(other, Radius):
            raise DefinitionError(f"{other!r} is not a distance.", fix="Write radius(10, 'km').")
        return Condition(n.Distance(*self._place, op, other.micro, other.unit))

    def __lt__(self, other: Radius) -> Condition:
        return self._compared("<", other)

    def __le__(self, other: Radius) -> Condition:
        return self._compared("<=", other)

    def __gt__(self, other: Radius) -> Condition:
        return self._compared(">", other)

    def __ge__(self, other: Radius) -> Condition:
        return self._compared(">=", other)

    def __eq__(self, other: object) -> Any:
        raise DefinitionError("A distance is never equal to another.", fix="Compare it with <, <=, > or >=.")

    __hash__ = None  # type: ignore[assignment]


def distance(trait: Value | str, latitude: Plain, longitude: Plain) -> Distance:
    """``distance of location to (lat, lon)``, in degrees."""
    north, east = micro(latitude, "a latitude"), micro(longitude, "a longitude")
    if abs(north) > 90 * n.MICRO or abs(east) > 180 * n.MICRO:
        raise DefinitionError(f"({latitude}, {longitude}) is not on Earth.", fix="Give latitude, then longitude.")
    return Distance(trait_node(trait), north, east)
