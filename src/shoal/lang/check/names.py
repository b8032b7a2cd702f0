"""Names of segments, lists and purposes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang.check.windows import window_faults

if TYPE_CHECKING:
    from shoal.lang import nodes as n
    from shoal.lang.check.scope import Faults, Scope


def segment_faults(node: n.MemberOf | n.Entered | n.Left, scope: Scope) -> Faults:
    """A segment is named by its slug; for a display name the error tells the slug."""
    known = scope.schema.segments
    if node.segment in known or node.segment == scope.slug:
        return  # a segment that names itself is a circle, which is said elsewhere
    slugs = [slug for slug, d in sorted(known.items()) if d.name.casefold() == node.segment.casefold()]
    if slugs:
        problem = f'"{node.segment}" is the display name of a segment.'
        yield scope.fault(node, problem, f'Use its slug: "{slugs[0]}".', at=node.segment)
    else:
        yield scope.unknown(node, "segment", node.segment, known)


def recorded_faults(node: n.Entered | n.Left, scope: Scope) -> Faults:
    """``entered`` and ``left`` look back into recorded history."""
    yield from segment_faults(node, scope)
    if node.window is not None:
        yield from window_faults(node.window, scope)


def list_faults(node: n.ListedIn, scope: Scope) -> Faults:
    """A list of customers that the store doesn't hold."""
    if node.name not in scope.schema.lists:
        yield scope.unknown(node, "list", node.name, scope.schema.lists)


def consent_faults(node: n.Consents, scope: Scope) -> Faults:
    """A purpose that ``shoal.yaml`` doesn't name."""
    if node.purpose not in scope.schema.purposes:
        yield scope.unknown(node, "purpose", node.purpose, scope.schema.purposes)
