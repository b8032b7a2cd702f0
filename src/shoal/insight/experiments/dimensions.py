"""By what customers are divided for an experiment: segments and traits as they were when it began, never after an exposure."""

from __future__ import annotations

import itertools
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.errors import Refused, UnknownName
from shoal.insight.models.asof import MICRO
from shoal.lang.schema import Kind
from shoal.sql.encode import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shoal.insight.models.asof import AsOf
    from shoal.lang.nodes import Definition
    from shoal.sql.registry import Trait

MOST_VALUES = 12
"""Of a trait with more values, the rarer ones are one group."""
_FEW = 8
"""A number with so few values is divided by them, else by quarters."""
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Divided:
    """Customers by group.

    Args:
        name: of the segment or trait.
        table: ``who`` (INTEGER) and ``code`` (place among the labels); whoever isn't in it has the last label.
        labels: of the groups.
    """

    name: str
    table: str
    labels: tuple[str, ...]

    def rows(self, exposed: str) -> str:
        """The SQL after FROM of exposures with their ``code``, as ``e``."""
        none = len(self.labels) - 1
        return f"(SELECT x.*, coalesce(d.code, {none}) AS code FROM {exposed} x LEFT JOIN {self.table} d ON d.who = x.who) e"


@contextmanager
def divided(known: AsOf, at: int, names: Sequence[str], segments: Mapping[str, Definition]) -> Iterator[list[Divided]]:
    """Lay out some divisions as of the start.

    Args:
        known: the store.
        at: the instant of the start.
        names: of segments (name or slug) or traits.
        segments: by slug.

    Yields:
        One each; their tables are gone afterwards.

    Raises:
        UnknownName: neither a segment nor a trait.
        Refused: a trait that can't divide, or of which nothing was known at the start.
    """
    with ExitStack() as held:
        then = held.enter_context(known.before(min(at, known.at)))
        yield [_one(then, held, name, segments) for name in dict.fromkeys(names)]


def _one(then: AsOf, held: ExitStack, name: str, segments: Mapping[str, Definition]) -> Divided:
    folded = name.casefold()
    found = next((one for slug, one in segments.items() if folded in (slug.casefold(), one.name.casefold())), None)
    if found is not None:
        columns = held.enter_context(then.columns({"held": found.where}))
        body = f"SELECT k AS who, CAST(held AS SMALLINT) AS code FROM {columns}"
        return _laid(then, held, found.name, body, ("no", "yes", "unknown"))
    trait = next((one for one in then.traits if one.name.casefold() == folded), None)
    if trait is None:
        raise UnknownName("segment or trait", name, [*segments, *(one.name for one in then.traits)])
    return _by_trait(then, held, trait)


def _laid(then: AsOf, held: ExitStack, name: str, body: str, labels: tuple[str, ...]) -> Divided:
    table = held.enter_context(then.temporary(f"divided_{next(_numbers)}", body))
    return Divided(name, table, labels)


def _by_trait(then: AsOf, held: ExitStack, trait: Trait) -> Divided:
    values = f"SELECT owner, value FROM ({then.trait(trait)}) v WHERE value IS NOT NULL"
    code, labels = _codes(then, trait, values)
    if not labels:
        raise Refused(
            f"Nobody had {trait.name!r} when the experiment began; what came to be known afterwards may be its effect.",
            fix="Divide by what was known before: give the trait's source a column at:, or take another.",
        )
    return _laid(
        then,
        held,
        trait.name,
        f"SELECT owner AS who, CAST({code} AS SMALLINT) AS code FROM ({values}) v",
        (*labels, "unknown"),
    )


def _codes(then: AsOf, trait: Trait, values: str) -> tuple[str, tuple[str, ...]]:
    """The SQL of a group's place, and the names of the groups."""
    if trait.kind is Kind.YESNO:
        return "value::INTEGER", ("no", "yes") if _counts(then, values) else ()
    if trait.kind is Kind.TEXT:
        return _by_text(_counts(then, values))
    if trait.kind is Kind.NUMBER:
        return _by_size(then, values)
    raise Refused(
        f"{trait.name} is {trait.kind.value}: customers aren't divided by it.",
        fix="Take a text, a yes/no, a number or a segment.",
    )


def _by_text(found: Sequence[object]) -> tuple[str, tuple[str, ...]]:
    kept = [str(value) for value in found[:MOST_VALUES]]
    if not kept:
        return "0", ()
    cases = " ".join(f"WHEN {quoted(value)} THEN {place}" for place, value in enumerate(kept))
    code = f"CASE value {cases} ELSE {len(kept)} END"
    return code, tuple(kept) if len(found) == len(kept) else (*kept, "other")


def _counts(then: AsOf, values: str) -> list[object]:
    """The values, the most frequent first; one more than are kept."""
    table = then.arrow(
        f"SELECT value, count(*) AS n FROM ({values}) v GROUP BY value ORDER BY n DESC, value LIMIT {MOST_VALUES + 1}"
    )
    found: list[object] = table["value"].to_pylist()
    return found


def _by_size(then: AsOf, values: str) -> tuple[str, tuple[str, ...]]:
    few = sorted(int(str(value)) for value in _counts(then, values))
    if len(few) <= _FEW:
        cases = " ".join(f"WHEN {value} THEN {place}" for place, value in enumerate(few))
        return (f"CASE value {cases} END" if few else "0"), tuple(_plain(value) for value in few)
    table = then.arrow(f"SELECT quantile_disc(value, [0.25, 0.5, 0.75]) AS cuts FROM ({values}) v")
    cuts = sorted({int(cut) for cut in table["cuts"].to_pylist()[0]})
    code = " + ".join(f"(value > {cut})::INTEGER" for cut in cuts)
    names = [f"up to {_plain(cuts[0])}"]
    names += [f"above {_plain(low)} up to {_plain(high)}" for low, high in itertools.pairwise(cuts)]
    return code, (*names, f"above {_plain(cuts[-1])}")


def _plain(stored: int) -> str:
    return f"{stored / MICRO:,.6g}"
