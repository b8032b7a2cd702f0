"""Long questions of pages: asked of a warm process, and their charts answered; parts of the report shown as parts of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import HTTPException

from shoal.errors import ShoalError
from shoal.server.api.app import live_of
from shoal.server.asking import Busy
from shoal.views import theme
from shoal.web.charts import ChartWidth, answer, empty
from shoal.web.people import service_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import Request, Response

    from shoal.server.asking import Asking

    Told = dict[str, Any]


def asking_of(request: Request) -> Asking:
    """Who answers long questions.

    Raises:
        HTTPException: 503 while the workspace starts.
    """
    live_of(request)
    found = service_of(request).asking
    if found is None:
        raise HTTPException(503, "The workspace isn't ready.", {"Retry-After": "1"})
    return found


def asked(request: Request, question: str, /, **said: Any) -> Told:
    """The answer to one of ``workspace.questions``.

    Raises:
        ShoalError: as the question's door raises it.
    """
    return asking_of(request).ask(question, said)


def changed(request: Request, question: str, /, **said: Any) -> Told:
    """The same for a question that changes something.

    Raises:
        ShoalError: as the question's door raises it.
    """
    return asking_of(request).change(question, said)


def chart(request: Request, question: str, /, *, width: int, **said: Any) -> Response:
    """The chart that a question draws for a width; what can't be drawn says so in its place."""
    return _drawn(width, lambda: asked(request, question, width=width, **said))


def chart_of(request: Request, question: str, name: str, /, *, width: int, **said: Any) -> Response:
    """One of the charts among the blocks that a question answers: asked as the blocks were, so that they share one answer."""

    def find() -> Told:
        for block in asked(request, question, **said).get("blocks", ()):
            if block.get("id") == name and "spec" in block:
                return dict(block) | {
                    "spec": _fitted(block["narrow"] if width <= theme.NARROW else block["spec"], width)
                }
        raise HTTPException(404, "There is no such chart.")

    return _drawn(width, find)


def _fitted(spec: Told, width: int) -> Told:
    """A definition in the width of its place; one that is put together of several keeps its own."""
    return spec | {"width": width} if "width" in spec else spec


def _drawn(width: int, find: Callable[[], Told]) -> Response:
    try:
        found = find()
    except Busy:
        raise
    except ShoalError as error:
        return empty(" ".join(filter(None, (error.problem, error.fix))), width)
    return answer(found["spec"], found["rows"] or None, found.get("heads"))


def address(path: str, **parameters: Any) -> str:
    """A path with the parameters that say something.

    >>> address("/kpis", grain="week", by="", segment=["a", "b"])
    '/kpis?grain=week&segment=a&segment=b'
    """
    said = urlencode([pair for pair in _pairs(parameters) if pair[1]])
    return f"{path}?{said}" if said else path


def _pairs(parameters: Told) -> list[tuple[str, str]]:
    found = []
    for name, value in parameters.items():
        found += [
            (name, str(one)) for one in (value if isinstance(value, list | tuple) else [value]) if one is not None
        ]
    return found


__all__ = ["ChartWidth", "address", "asked", "asking_of", "changed", "chart", "chart_of"]
