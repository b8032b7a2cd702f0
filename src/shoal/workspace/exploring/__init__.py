"""Pages that are explored: figures, each with the customers it is of.

A figure that the segment language can say bears that text (``where``); of the others ``members`` finds the customers by their
mark, to be put on a list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.errors import UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shoal.workspace.opening import Workspace


def explored(workspace: Workspace, page: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a page shows, JSON-ready.

    Args:
        workspace: where.
        page: ``rfm``, ``lifecycle``, ``cohorts``, ``funnel``, ``paths``, ``migration``, ``map`` or
            ``compare``.
        asked: its arguments.

    Raises:
        UnknownName: there is no such page.
        ShoalError: as the page's function raises it.
    """
    from shoal.workspace.exploring import beside, grid, moves, places, standing, steps

    pages: dict[str, Callable[..., dict[str, Any]]] = {
        "rfm": grid.grid, "lifecycle": standing.lifecycle, "cohorts": standing.cohorts, "funnel": steps.funnel,
        "paths": steps.paths, "migration": moves.moves, "map": places.places, "compare": beside.beside,
    }  # fmt: skip
    if page not in pages:
        raise UnknownName("page", page, pages)
    return pages[page](workspace, **asked)


def members(workspace: Workspace, page: str, mark: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Who is in a mark that the segment language can't say.

    Args:
        workspace: where.
        page: ``funnel``, ``paths``, ``migration`` or ``map``.
        mark: as the page's rows have it.
        asked: the page's arguments.

    Raises:
        UnknownName: there is no such page.
        Refused: they are too many for a list.
    """
    from shoal.workspace.exploring import moves, places, steps

    pages: dict[str, Callable[..., list[str]]] = {
        "funnel": steps.came_to, "paths": steps.took, "migration": moves.moved, "map": places.placed,
    }  # fmt: skip
    if page not in pages:
        raise UnknownName("page", page, pages)
    return {"ids": pages[page](workspace, mark, **asked)}


EXPLORED: dict[str, Callable[..., dict[str, Any]]] = {"explored": explored, "explored members": members}
"""Questions that a server has answered in a process of its own."""
