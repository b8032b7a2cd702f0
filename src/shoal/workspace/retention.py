"""Retention of contracts in an open workspace: what is asked for, or what ``contracts:`` in ``shoal.yaml`` says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal import clock
from shoal.config.contracts import PAIRS, contract_rule
from shoal.errors import Refused, UnknownName
from shoal.lang.schema import Kind
from shoal.shapes import ContractRule
from shoal.workspace.frames import as_form

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import altair as alt

    from shoal.insight.contracts import Retention, Spells
    from shoal.insight.models.asof import AsOf
    from shoal.workspace.frames import Form
    from shoal.workspace.moments import When
    from shoal.workspace.opening import Workspace


_SETTINGS = ("start", "end", "tenure", "left", "period")


@dataclass(frozen=True, slots=True)
class Retained:
    """The retention of contracts at an instant.

    Args:
        at: the instant.
        rule: what it was read by.
        found: curves, tests and projection.
    """

    at: int
    rule: ContractRule
    found: Retention

    def table(self, form: Form = "arrow") -> Any:
        """All curves at whole periods: ``group`` (None: all customers), ``period``, ``here``, ``low``, ``high``, ``followed``.

        Raises:
            Unsupported: for a form that there isn't, or whose library isn't installed.
        """
        import pyarrow as pa

        return as_form(pa.Table.from_pylist(self.found.rows()), form)

    def chart(self, width: int | None = None) -> alt.Chart:
        """The curves with their intervals; without groups, the projection too."""
        from shoal.views import theme
        from shoal.views.charts.survival import survival_curves

        return survival_curves(self.found, width=theme.WIDE if width is None else width)

    def document(self) -> dict[str, Any]:
        """JSON-ready, without customers."""
        return {"as_of": clock.iso(self.at), **self.found.document()}


def retention(
    workspace: Workspace,
    *,
    by: str | None = None,
    segments: Collection[str] = (),
    ahead: int | None = None,
    as_of: When = None,
    **rule: str | None,
) -> Retained:
    """Who under contract stays how long.

    Args:
        workspace: where.
        by: a trait whose values are compared.
        segments: names or slugs of segments, each of which is compared with everybody else.
        ahead: how many periods to project.
        as_of: the instant; now by default.
        rule: ``start`` and ``end``, or ``tenure`` and ``left``, and ``period``, over what ``contracts:`` says.

    Raises:
        ConfigError: the rule isn't one.
        UnknownName: there is no such trait, event or segment.
        Refused: nothing says who is under contract, or the data doesn't suffice.
    """
    from shoal.insight.contracts import read, retention

    told = _rule(workspace, rule)
    if by and segments:
        raise Refused("Customers are compared by a trait or by segments, not both.", fix="Leave one out.")
    by = None if segments else by or told.by or None
    found = [workspace.segments.known(as_of).find(name) for name in segments]
    at = workspace.instant(as_of)
    with workspace.models.as_of(as_of) as known:
        spells = read(known, told)
        values = None if by is None else (by, _values(known, spells, by))
        masks = known.holds({one.slug: one for one in found}) if found else {}
        place, _ = known.rows(spells.customers)
        named = {one.name: masks[one.slug][place] for one in found}
    return Retained(at, told, retention(spells, values=values, segments=named, ahead=ahead))


def _rule(workspace: Workspace, given: Mapping[str, str | None]) -> ContractRule:
    """What is asked for, over what the workspace says."""
    for key in given:
        if key not in _SETTINGS:
            raise UnknownName("setting of contracts", key, _SETTINGS)
    said = {key: value for key, value in given.items() if value}
    known = workspace.config.contracts
    if any(key in said for pair in PAIRS for key in pair):
        usual = {"period": known.period} if known else {}
        return contract_rule({**usual, **said})
    if known is None:
        from shoal.insight.contracts.reading import CHURN

        raise Refused(
            "Nothing says when a contract begins and ends. From orders alone that can't be told: who ordered last may order "
            "again.",
            fix="Name start and end (events, or traits with a date), or tenure and left (traits); see docs/predictions.md. "
            f"{CHURN}",
        )
    return ContractRule(known.start, known.end, known.tenure, known.left, said.get("period", known.period), known.by)


def _values(known: AsOf, spells: Spells, by: str) -> list[str | None]:
    """What each customer has of a trait now, as text."""
    import numpy as np

    trait = known.registry.trait(by)
    if trait is None:
        raise UnknownName("trait", by, [t.name for t in known.traits])
    shown = {Kind.TEXT: "value", Kind.YESNO: "CASE WHEN value THEN 'yes' ELSE 'no' END"}.get(trait.kind)
    if trait.kind is Kind.NUMBER:
        shown = "CAST(CAST(value AS DOUBLE) / 1000000 AS VARCHAR)"
    if shown is None:
        raise Refused(
            f"{by} is {trait.kind.value}: its values can't be groups.", fix="Take a text, a yes/no or a number."
        )
    table = known.arrow(f"SELECT owner, {shown} AS value FROM ({known.trait(trait)}) WHERE value IS NOT NULL")
    held = np.full(len(known.customers), None, dtype=object)
    place, there = known.rows(np.asarray(table["owner"].to_numpy()))
    held[place[there]] = np.array(table["value"].to_pylist(), dtype=object)[there]
    rows, _ = known.rows(spells.customers)
    found: list[str | None] = held[rows].tolist()
    return [value.removesuffix(".0") if value else None for value in found] if trait.kind is Kind.NUMBER else found
