"""Which channels conversions are credited to: by rules over the touches before each, or by what a channel's removal takes away.

A path is the touches of one customer up to a conversion: those after the conversion before, and not older than a window. What
led to no conversion is a path too, which the removal effect needs. No model here is causal: each shares out what happened, and
an experiment says what would have happened without.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shoal.clock import DAY
from shoal.errors import Refused, UnknownName
from shoal.lang.schema import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from shoal.insight.models.asof import AsOf
    from shoal.sql.registry import EventType

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Bools = npt.NDArray[np.bool_]

WINDOW = 30
"""Days before a conversion in which a touch counts."""
HALF_LIFE = 7.0
"""Days after which a touch counts half, for time decay."""
ENDS = 0.4
"""What the first and the last touch get each, by position; the others share the rest."""
_REST = 1 - 2 * ENDS


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """Touches by path, in the order of time.

    Args:
        begins: where each path begins among the touches, and their number at the end.
        channel: of each touch, the place of its name.
        age: of each touch, days before its path's end.
        converted: of each path.
        value: of each path's conversion; 0 without one.
        names: of the channels.
        untouched: conversions without a touch, and their value.
    """

    begins: Ints
    channel: Ints
    age: Floats
    converted: Bools
    value: Floats
    names: Sequence[str]
    untouched: tuple[int, float] = (0, 0.0)

    @property
    def path(self) -> Ints:
        """The path of each touch."""
        return np.repeat(np.arange(len(self.begins) - 1), np.diff(self.begins))

    @classmethod
    def of(cls, paths: Sequence[tuple[Sequence[str], float | None]]) -> Paths:
        """From names of channels with the value of the conversion that they led to, or None; all of one age."""
        names = sorted({name for channels, _ in paths for name in channels})
        place = {name: i for i, name in enumerate(names)}
        lengths = [len(channels) for channels, _ in paths]
        channel = np.array([place[name] for channels, _ in paths for name in channels], np.int64)
        return cls(
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), channel, np.zeros(len(channel)),
            np.array([value is not None for _, value in paths], bool),
            np.array([value or 0.0 for _, value in paths], np.float64), names,
        )  # fmt: skip


class Credit(NamedTuple):
    """What a channel is credited with.

    Args:
        channel: its name.
        conversions: may be fractions; over channels they add up to the conversions that had a touch.
        value: the same of their value.
        touches: how many there were on all paths.
    """

    channel: str
    conversions: float
    value: float
    touches: int


def credits_of(paths: Paths, model: str, *, half_life: float = HALF_LIFE) -> list[Credit]:
    """What each channel is credited with.

    Args:
        paths: of all customers.
        model: ``last``, ``first``, ``linear``, ``position``, ``time-decay`` or ``markov``.
        half_life: days, for time decay.

    Raises:
        UnknownName: another model.
        Refused: there is no touch, or no conversion after one.
    """
    if not len(paths.channel) or not paths.converted.any():
        raise Refused(
            "No conversion follows a touch.", fix="Name the events that are touches, or take a longer window."
        )
    many = len(paths.names)
    touches = np.bincount(paths.channel, minlength=many)
    if model == "markov":
        share = removal_effects(paths)
        share = share / share.sum()
        conversions, value = share * paths.converted.sum(), share * paths.value.sum()
    else:
        weights = _rule(model, half_life)(paths) * paths.converted[paths.path]
        conversions = np.bincount(paths.channel, weights=weights, minlength=many)
        value = np.bincount(paths.channel, weights=weights * paths.value[paths.path], minlength=many)
    rows = zip(paths.names, conversions.tolist(), value.tolist(), touches.tolist(), strict=True)
    return [Credit(*row) for row in rows]


def _rule(model: str, half_life: float) -> Callable[[Paths], Floats]:
    rules: Mapping[str, Callable[[Paths], Floats]] = {
        "last": _last, "first": _first, "linear": _linear, "position": _position,
        "time-decay": partial(_decayed, half_life=half_life),
    }  # fmt: skip
    found = rules.get(model)
    if found is None:
        raise UnknownName("attribution model", model, [*rules, "markov"])
    return found


# --------------------------------------------------------------------------- rules: the weight of each touch in its path


def _last(paths: Paths) -> Floats:
    found = np.zeros(len(paths.channel))
    found[paths.begins[1:][np.diff(paths.begins) > 0] - 1] = 1.0
    return found


def _first(paths: Paths) -> Floats:
    found = np.zeros(len(paths.channel))
    found[paths.begins[:-1][np.diff(paths.begins) > 0]] = 1.0
    return found


def _linear(paths: Paths) -> Floats:
    return np.asarray(1.0 / np.diff(paths.begins)[paths.path])


def _position(paths: Paths) -> Floats:
    """40 % to each end and 20 % between; of two touches half each, and one has all."""
    length = np.diff(paths.begins)[paths.path]
    ends = _first(paths) + _last(paths)
    middle = np.where(length > 2, _REST / np.maximum(length - 2, 1), 0.0)
    each = np.where(length > 2, ENDS, 1.0 / length)
    return np.where(ends > 0, each, middle)


def _decayed(paths: Paths, half_life: float) -> Floats:
    if not half_life > 0:
        raise Refused(f"A half-life is above 0 days, not {half_life:g}.")
    nearest = np.minimum.reduceat(paths.age, paths.begins[:-1][np.diff(paths.begins) > 0])
    filled = np.flatnonzero(np.diff(paths.begins) > 0)
    base = np.zeros(len(paths.begins) - 1)
    base[filled] = nearest
    # Against the newest touch of the path: weights of old paths don't vanish.
    weights = 0.5 ** ((paths.age - base[paths.path]) / half_life)
    return np.asarray(weights / np.bincount(paths.path, weights=weights, minlength=len(base))[paths.path])


# --------------------------------------------------------------------------- removal effects


def removal_effects(paths: Paths) -> Floats:
    """By how much fewer paths convert where a channel leads nowhere, as a share (Anderl, Becker, von Wangenheim & Schumann
    2016, doi:10.1016/j.ijresmar.2016.03.001): an absorbing Markov chain of first order over the channels.

    Returns:
        A share of each channel; they needn't add up to 1.

    >>> removal_effects(Paths.of([(["C1", "C2", "C3"], 1.0), (["C1"], None), (["C2", "C3"], None)])).round(3).tolist()
    [0.5, 1.0, 1.0]
    """
    many = len(paths.names)
    start, moves, ends = _transitions(paths)
    whole = _reached(start, moves, ends)
    if whole == 0:
        raise Refused("No path converts.", fix="Take a longer window.")
    found = np.empty(many)
    for channel in range(many):
        left = np.arange(many) != channel
        # Moves to the channel lead nowhere: the chance to convert from the others lacks what went through it.
        found[channel] = 1 - _reached(start[left], moves[np.ix_(left, left)], ends[left]) / whole
    return found


def _transitions(paths: Paths) -> tuple[Floats, Floats, Floats]:
    """The chance to begin at each channel, to go from one to another, and to convert right after it."""
    many, filled = len(paths.names), np.diff(paths.begins) > 0
    firsts, lasts = paths.channel[paths.begins[:-1][filled]], paths.channel[paths.begins[1:][filled] - 1]
    inner = np.ones(len(paths.channel), bool)
    inner[paths.begins[1:][filled] - 1] = False
    here = np.flatnonzero(inner)
    pairs = np.bincount(paths.channel[here] * many + paths.channel[here + 1], minlength=many * many).reshape(many, many)
    converted = np.bincount(lasts[paths.converted[filled]], minlength=many)
    out = pairs.sum(axis=1) + np.bincount(lasts, minlength=many)
    start = np.bincount(firsts, minlength=many) / filled.sum()
    return start, pairs / np.maximum(out, 1)[:, None], converted / np.maximum(out, 1)


def _reached(start: Floats, moves: Floats, ends: Floats) -> float:
    return float(start @ np.linalg.solve(np.eye(len(start)) - moves, ends)) if len(start) else 0.0


# --------------------------------------------------------------------------- from the store


def paths_of(
    known: AsOf, touches: Mapping[str, str | None], conversion: str, *, value: str | None = None, days: int = WINDOW
) -> Paths:
    """The paths of all customers, up to the instant.

    Args:
        known: the store as of an instant.
        touches: by event, the text property that names the channel; None where the event is itself one.
        conversion: the event.
        value: its number property; each counts 1 without one.
        days: a touch counts so long before a conversion.

    Raises:
        UnknownName: there is no such event.
        Refused: it has no such property.
    """
    asked = [_touches(known, event, prop) for event, prop in touches.items()]
    ends, worth = _event(known, conversion), "1.0"
    if value is not None:
        worth = f"{_column(ends, value, Kind.NUMBER)} / 1e6"
    # A touch belongs to the next conversion of its customer; at one instant the touch is the cause.
    table = known.arrow(
        f"WITH t AS ({' UNION ALL '.join(asked)}), "
        "a AS (SELECT customer, ts, 0 AS ends, channel, NULL AS value FROM t WHERE channel IS NOT NULL UNION ALL "
        f"SELECT customer, ts, 1, NULL, coalesce({worth}, 0.0) FROM ({known.event(conversion)})), "
        "n AS (SELECT *, sum(ends) OVER (PARTITION BY customer ORDER BY ts, ends ROWS UNBOUNDED PRECEDING) - ends AS turn "
        "FROM a), "
        "p AS (SELECT customer, turn, max(CASE WHEN ends = 1 THEN ts END) AS until, max(value) AS value FROM n "
        "GROUP BY customer, turn) "
        "SELECT n.customer, CAST(n.turn AS BIGINT) AS turn, n.ends = 1 AS ends, n.channel, p.value, "
        f"coalesce(p.until - n.ts <= {days * DAY}, FALSE) AS counts, (p.until - n.ts) / {DAY}.0 AS age "
        "FROM n JOIN p USING (customer, turn) ORDER BY n.customer, n.turn, counts, n.ts, n.ends, n.channel"
    )
    return _laid_out(table)


def _laid_out(table: pa.Table) -> Paths:
    customer, turn = (table[name].to_numpy() for name in ("customer", "turn"))
    ends, counts = (table[name].to_numpy(zero_copy_only=False).astype(bool) for name in ("ends", "counts"))
    value = np.nan_to_num(table["value"].cast("float64").to_numpy(zero_copy_only=False))
    words = table["channel"].combine_chunks().dictionary_encode()
    touch = ~ends
    names = words.dictionary.to_pylist()
    place = words.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    # What counts for a conversion, and what came to nothing, are paths of their own.
    of_path = np.stack([customer, turn, counts])[:, touch]
    new = np.ones(of_path.shape[1], bool)
    new[1:] = (of_path[:, 1:] != of_path[:, :-1]).any(axis=0)
    begins = np.append(np.flatnonzero(new), len(new)).astype(np.int64)
    converted, worth = counts[touch][new], value[touch][new]
    age = np.nan_to_num(table["age"].cast("float64").to_numpy(zero_copy_only=False))[touch]
    missed = int(ends.sum() - converted.sum()), float(value[ends].sum() - worth[converted].sum())
    order = np.argsort(np.array(names, dtype=object)) if names else np.empty(0, np.int64)
    renamed = np.empty(len(names), np.int64)
    renamed[order] = np.arange(len(names))
    return Paths(
        begins,
        renamed[place[touch]],
        age,
        converted,
        np.where(converted, worth, 0.0),
        [names[i] for i in order],
        missed,
    )


def _touches(known: AsOf, event: str, prop: str | None) -> str:
    found = _event(known, event)
    name = event.replace("'", "''")
    channel = f"'{name}'" if prop is None else _column(found, prop, Kind.TEXT)
    return f"SELECT customer, ts, {channel} AS channel FROM ({known.event(event)})"


def _event(known: AsOf, name: str) -> EventType:
    found = known.events.get(name)
    if found is None:
        raise UnknownName("event", name, known.events)
    return found


def _column(event: EventType, name: str, kind: Kind) -> str:
    found = event.properties.get(name)
    if found is None or found.kind is not kind:
        there = ", ".join(p.name for p in event.properties.values() if p.kind is kind)
        raise Refused(f'"{event.name}" has no {kind.value} {name!r}.', fix=f"It has: {there or 'none'}.")
    return found.col
