"""The next best actions for the segments of a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.errors import Refused, UnknownName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shoal.insight.actions import Effect, Table
    from shoal.insight.actions.table import Segment
    from shoal.insight.actions.world import World
    from shoal.insight.feedback.members import Members
    from shoal.insight.models.asof import AsOf
    from shoal.workspace.moments import When
    from shoal.workspace.opening import Workspace

MICRO_SEGMENT = "micro_segment"
MICRO_SLUG = "micro:"


class Actions:
    """What to do next with the segments of an open workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace

    def __repr__(self) -> str:
        return "Actions(table, effects)"

    def table(self, names: Iterable[str] = (), *, as_of: When = None) -> Table:
        """For each segment, micro-segments too, the few actions that its profile suggests.

        Each says whom it fits, what it rests on, how many consent reaches, and what is at stake; a gain only where a
        trial under ``trials:`` measured one.

        Args:
            names: segments by slug or name; all, and all micro-segments, by default.
            as_of: the instant; now by default.

        Raises:
            UnknownName: there is no such segment.
            Refused: there is no segment, or no order.
        """
        ws = self._ws
        return self.of(ws.instant(as_of), ws.moment() if as_of is None else None, names)

    def of(self, at: int, consent_at: int | None, names: Iterable[str] = ()) -> Table:
        """As ``table``, of an instant.

        Args:
            at: the instant.
            consent_at: the instant whose consent counts; that of ``at`` where None.
            names: segments by slug or name; all by default.
        """
        from shoal.insight.actions import table
        from shoal.insight.actions.world import world

        ws = self._ws
        with ws.models.as_of(at) as known:
            if known.first_order is None:
                raise Refused(
                    f'There is no "{ws.config.revenue.orders}" yet, so that nothing says what to do.',
                    fix="Load orders first.",
                )
            seen = world(ws.store, known, ws.config.feedback)
            segments = [s for s in (*self._segments(known), *self._micro(seen)) if s.inside.any()]
            segments = self._chosen(segments, list(names))
            effects, missing = self._effects(known)
            notes = (*_unknown(seen), *missing)
            return table(ws.store, seen, segments, ws.config.purposes, effects, consent_at=consent_at, notes=notes)

    def effects(self, *, as_of: When = None) -> dict[str, Effect]:
        """By action, what the trial of it measured that is the surest to have an effect."""
        with self._ws.models.as_of(as_of) as known:
            return self._effects(known)[0]

    def _effects(self, known: AsOf) -> tuple[dict[str, Effect], list[str]]:
        from shoal.insight.actions import effect

        found: dict[str, Effect] = {}
        missing: list[str] = []
        for trial in self._ws.config.trials:
            try:
                measured = effect(known, trial)
            except Refused as refusal:
                missing.append(str(refusal))
                continue
            held = found.get(trial.action)
            # The largest trial of an action speaks for it: the one with the best figure would be picked for its luck.
            if held is None or measured.treated + measured.control > held.treated + held.control:
                found[trial.action] = measured
        return found, missing

    def _segments(self, known: AsOf) -> Iterator[Segment]:
        from shoal.insight.actions.table import Segment
        from shoal.insight.standing import unscored

        ws = self._ws
        inside = self._members(known)
        masks = inside.of(known.customers)
        unknown = unscored(ws.store, ws.definitions, known.at)
        for slug, definition in ws.definitions.items():
            if slug not in unknown:
                purpose = definition.purpose or ws.config.default_purpose
                yield Segment(slug, definition.name, masks[slug], purpose)

    def _members(self, known: AsOf) -> Members:
        from shoal.insight.feedback.members import members

        found = self._ws.segments.evaluate(as_of=known.at)
        try:
            return members(self._ws.store, found)
        finally:
            found.close()

    def _micro(self, seen: World) -> Iterator[Segment]:
        """The micro-segments by the recorded trait, by the names that their discovery gave them."""
        from shoal.insight.actions.table import Segment

        recorded = seen.text(MICRO_SEGMENT)
        if recorded is None:
            return
        names = self._names()
        for one in sorted({str(value) for value in recorded.tolist() if value}):
            yield Segment(MICRO_SLUG + one, names.get(one, one), recorded == one, self._ws.config.default_purpose)

    def _names(self) -> dict[str, str]:
        try:
            return {one.id: one.name for one in self._ws.discovery.found().segments}
        except Refused:
            return {}

    def _chosen(self, segments: list[Segment], names: list[str]) -> list[Segment]:
        if not names and not segments:
            raise Refused("There is no segment with customers.", fix="See ready ones with: shoal library")
        wanted = []
        for name in names:
            found = [s for s in segments if name in (s.slug, s.name, s.slug.removeprefix(MICRO_SLUG))]
            if not found:
                raise UnknownName("segment with customers", name, [s.slug for s in segments])
            wanted += found
        return wanted or segments


_MODELS = {
    "value": ("spend_expected_", "what each will spend"),
    "churn": ("churn_", "who falls silent"),
    "replenish": ("replenish_on", "when something is used up"),
    "category": ("p_buy_", "who will buy of a category"),
    "price": ("price_sensitivity", "who waits for discounts"),
}
"""By model, how its scores' names begin, and what it foretells."""


def _unknown(seen: World) -> Iterator[str]:
    """What no model says yet, with the command that lets it."""
    from shoal.insight.actions.foretold import DAYS

    scores = [t.name for t in seen.known.registry.traits.values() if t.score]
    scores += ["churn_"] * bool(seen.churn_name) + ["spend_expected_"] * bool(seen.value_name)
    missing = {
        model: what for model, (start, what) in _MODELS.items() if not any(name.startswith(start) for name in scores)
    }
    if missing:
        listed = ", ".join(missing.values())
        yield f"No model foretells yet: {listed}. Observed figures stand in. Fit them with: shoal predict {' '.join(missing)}"
    yield from seen.doubts
    if seen.churn is not None and seen.days != DAYS:
        yield (
            f"Of the scores of churn {seen.churn_name} is the one whose horizon is nearest to {DAYS} days: what is at stake is "
            f"counted over {seen.days} days."
        )
    if seen.then is None:
        yield f"Orders don't reach back {2 * seen.days} days, so that nothing is said of what is at stake where no model says it."
    if seen.nps is None:
        yield "Nobody was asked for a score of 0 to 10, so that promoters and detractors aren't known."
    if seen.shelves is None:
        yield "No category with an amount stands in the orders, or too few begin to buy one: no cross-selling is suggested."
