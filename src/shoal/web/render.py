"""Templates to answers: a whole page, or a fragment of one for htmx."""

from __future__ import annotations

from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shoal import __version__
from shoal.web import tokens
from shoal.web.glossary import meaning
from shoal.web.navigation import current, navigation
from shoal.web.people import person_of, service_of
from shoal.web.sparks import spark
from shoal.web.words import filters

if TYPE_CHECKING:
    from fastapi import Request

    from shoal.server.service import Service
    from shoal.web.static import Static

TEMPLATES = Path(__file__).parent / "templates"
THEME = "theme"
"""The cookie in which a script of ours keeps the choice between light and dark."""
_asked: ContextVar[Request] = ContextVar("asked")
"""Whose page is being rendered, for the functions of templates: macros of other files don't see the page's values."""


def environment(service: Service, static: Static) -> Environment:
    """The templates of a served workspace, with their filters and functions.

    Args:
        service: its settings are read as they are when a page is rendered.
        static: says where a script or style is.
    """
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    made.filters |= filters(lambda: service.workspace.config)
    made.globals |= {
        "token": lambda: tokens.token(_asked.get()),
        "asset": static.address,
        "theme": lambda: _theme(_asked.get()),
        "version": __version__,
        "workspace": lambda: service.workspace.config.name,
        "zone": lambda: service.workspace.config.zone,
        "currency": lambda: service.workspace.config.currency,
        "now": service.clock.now,
        "spark": spark,
        "meaning": meaning,
    }
    return made


def _theme(request: Request) -> str:
    """``light`` or ``dark`` where the browser's owner chose one, else empty: as the system has it."""
    chosen = request.cookies.get(THEME, "")
    return chosen if chosen in ("light", "dark") else ""


def page(request: Request, template: str, *, title: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A whole page.

    Args:
        request: who asks.
        template: below ``templates/``; it extends ``base.html``.
        title: of the page, as the browser's tab shows it.
        status: of the answer.
        values: for the template. It has ``person`` (None where nobody is signed in), ``sections`` of the navigation,
            ``entry`` (the path of the navigation's entry that the page belongs to), ``path`` and ``query`` as well.
    """
    person = person_of(request)
    asking = service_of(request).asking
    if person is not None and asking is not None:
        # Parts of the page that ask long questions come next.
        asking.expect()
    held = {
        "title": title,
        "person": person,
        "sections": navigation(person),
        "entry": current(request.url.path),
        "path": request.url.path,
        "query": request.url.query,
    }
    return _answer(request, template, status, held | values)


def fragment(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A part of a page.

    Args:
        request: who asks.
        template: below ``templates/``, its name beginning with ``_``.
        status: of the answer.
        values: for the template; it has ``person`` as well.
    """
    return _answer(request, template, status, {"person": person_of(request), "path": request.url.path} | values)


def is_fragment(request: Request) -> bool:
    """Whether htmx asks for a part of a page, not the browser for a whole one."""
    return request.headers.get("hx-request") == "true" and request.headers.get("hx-boosted") != "true"


def _answer(request: Request, template: str, status: int, values: dict[str, Any]) -> HTMLResponse:
    made: Environment = request.app.state.templates
    mark = _asked.set(request)
    try:
        text = made.get_template(template).render(values)
    finally:
        _asked.reset(mark)
    answer = HTMLResponse(text, status)
    tokens.keep_visit(request, answer)
    return answer


__all__ = ["environment", "fragment", "is_fragment", "page", "service_of"]
