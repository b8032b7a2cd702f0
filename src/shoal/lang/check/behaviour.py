"""What customers did: counts, sequences, absences, first times, regularity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang.check.bounds import COUNT
from shoal.lang.check.events import events_faults
from shoal.lang.check.scope import SCALARS, an, only, property_faults
from shoal.lang.check.windows import duration_faults, window_faults
from shoal.lang.references import event_names

if TYPE_CHECKING:
    from shoal.lang import nodes as n
    from shoal.lang.check.scope import Faults, Scope


def did_faults(node: n.Did, scope: Scope) -> Faults:
    """Faults of ``did A [n times] [window]``."""
    yield from events_faults(node.events, scope)
    if node.times is not None:
        yield from _times_faults(node.times, scope)
    if node.window is not None:
        yield from window_faults(node.window, scope)


def sequence_faults(node: n.Sequence, scope: Scope) -> Faults:
    """Faults of the steps; an absence stands last and needs to know how long to wait."""
    yield from events_faults(node.first, scope, newest=False)
    if not node.steps:
        yield scope.fault(node, "A sequence has two steps or more.", 'Write did "A" then "B" within 1 day.')
    before = node.first
    for step in node.steps:
        yield from _step_faults(step, before, scope)
        if step.absent and step is not node.steps[-1]:
            yield scope.fault(
                step, '"then not" is the last step of a sequence.', 'Use without "…" for what may not stand between.'
            )
        before = step.events
    if node.window is not None:
        yield from window_faults(node.window, scope)


def not_after_faults(node: n.NotAfter, scope: Scope) -> Faults:
    """Faults of ``did A not after B within W``."""
    yield from events_faults(node.events, scope, newest=False)
    yield from events_faults(node.before, scope, newest=False)
    yield from duration_faults(node.within, scope)
    if node.window is not None:
        yield from window_faults(node.window, scope)


def first_faults(node: n.DidFirst, scope: Scope) -> Faults:
    """Faults of ``did first A in W``."""
    yield from events_faults(node.events, scope, newest=False)
    yield from window_faults(node.window, scope)


def regular_faults(node: n.Regularly, scope: Scope) -> Faults:
    """Faults of ``at least n times in k of last m periods of W``: n ≥ 1 and 1 ≤ k ≤ m."""
    yield from events_faults(node.events, scope, newest=False)
    if not 1 <= node.times <= COUNT:
        yield scope.fault(node, f"The number of times goes from 1 to {COUNT:,}.", "Write at least 1 times.")
    if node.periods < 1:
        yield scope.fault(
            node, "At least 1 of the periods has to be asked for.", f"Write 1 of last {node.of_last} periods."
        )
    elif node.periods > node.of_last:
        problem = f"{node.periods} of the last {node.of_last} periods can never hold."
        yield scope.fault(node, problem, f"Ask for at most {node.of_last}.")
    yield from duration_faults(node.length, scope, node.of_last)


def _times_faults(times: n.Times, scope: Scope) -> Faults:
    least = 1 if times.op == "at least" else 0
    if not least <= times.n <= COUNT:
        problem = f'The number of times after "{times.op}" goes from {least} to {COUNT:,}.'
        yield scope.fault(times, problem, "At least 0 times holds for everyone." if times.n == 0 else None)


def _step_faults(step: n.Step, before: n.Events, scope: Scope) -> Faults:
    yield from events_faults(step.events, scope, newest=False)
    if step.without is not None:
        yield from events_faults(step.without, scope, newest=False)
    if step.within is not None:
        yield from duration_faults(step.within, scope)
    if step.absent and step.within is None:
        fix = f'Write then not "{step.events.name}" within 1 day.'
        yield scope.fault(step, '"then not" needs a time to wait for.', fix)
    if step.absent and step.without is not None:
        yield scope.fault(step, '"without" can\'t stand beside "then not".', "Leave one of them out.")
    for key in step.same:
        yield from _key_faults(step, key, before, scope)


def _key_faults(step: n.Step, key: str, before: n.Events, scope: Scope) -> Faults:
    """The property after ``with same`` is on both steps, a single value, of one type."""
    kinds = []
    for events in (before, step.events):
        if not event_names(events.name, scope.schema.events):
            return
        inside = scope.in_filter(events.name)
        yield from property_faults(step, key, inside)
        kinds.append(only(inside.properties(key)))
    one, two = kinds
    if one is None or two is None:
        return
    if one is not two:
        problem = f'"{key}" is {an(one)} of "{before.name}" and {an(two)} of "{step.events.name}".'
        yield scope.fault(step, problem, "Use a property of one type, or declare the types.")
    elif one not in SCALARS:
        yield scope.fault(step, f'"with same" needs a single value, and "{key}" is {an(one)}.')
