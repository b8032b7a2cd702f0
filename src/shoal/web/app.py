"""The pages put together: added to the app of the HTTP interface, behind what guards them."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from shoal.web import accounts as accounts_pages
from shoal.web import pages as all_pages
from shoal.web.faults import add_faults
from shoal.web.guard import Guard
from shoal.web.limits import Attempts
from shoal.web.people import may, open_to_all
from shoal.web.render import environment
from shoal.web.static import PATH, Static
from shoal.web.tokens import checked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from shoal.server.access import Access
    from shoal.server.body import App
    from shoal.server.service import Service

router = APIRouter(include_in_schema=False)


@router.get("/", dependencies=[Depends(may("view"))])
def home() -> RedirectResponse:
    """Where one begins."""
    return RedirectResponse("/overview", 303)


@router.get(PATH + "/{name:path}", dependencies=[Depends(open_to_all)])
def static(request: Request, name: str) -> Response:
    """A script, style or picture."""
    held: Static = request.app.state.static
    return held.answer(request, name)


def routers() -> Iterator[APIRouter]:
    """The routers of all pages: ``router`` of each module in ``web/pages`` and ``web/accounts``."""
    yield router
    for package in (accounts_pages, all_pages):
        for found in sorted(one.name for one in iter_modules(package.__path__)):
            made = getattr(import_module(f"{package.__name__}.{found}"), "router", None)
            if isinstance(made, APIRouter):
                yield made


def pages(app: FastAPI, service: Service, access: Access) -> App:
    """Add the pages.

    Args:
        app: of the HTTP interface.
        service: the workspace, which may be starting still.
        access: of keys, which the page of keys speaks of.

    Returns:
        The app that stands before it then.
    """
    app.state.static = Static()
    app.state.templates = environment(service, app.state.static)
    app.state.attempts = Attempts()
    add_faults(app)
    for each in routers():
        app.include_router(each, include_in_schema=False, dependencies=[Depends(checked)])
    return Guard(app)
