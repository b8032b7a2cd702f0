"""What is changed of customers by hand: merged, taken apart, handed out, erased; each is noted in the audit."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, RedirectResponse
from starlette.background import BackgroundTask

from shoal.server.api.app import live_of
from shoal.web.audit import note
from shoal.web.masking import shown_id
from shoal.web.pages.customers import link
from shoal.web.pages.customers_page import standing
from shoal.web.people import Person, may, service_of
from shoal.web.render import is_fragment
from shoal.web.telling import tell

router = APIRouter(prefix="/customers")
Editor = Annotated[Person, Depends(may("edit"))]
Officer = Annotated[Person, Depends(may("privacy"))]
Given = Annotated[str, Form(max_length=1000)]
Asked = Annotated[str, Query(max_length=1000)]
SAID = "a person said so"


def _done(request: Request, path: str, text: str, undo: str = "") -> Response:
    """To the page of the customer; where it is a step back on the page that is open, that is loaded again."""
    if is_fragment(request):
        return Response(status_code=204, headers={"HX-Refresh": "true"})
    return tell(RedirectResponse(path, 303), text, undo=undo)


@router.post("/unmerge")
def unmerge(request: Request, person: Editor, gone: Given = "", who: Asked = "") -> Response:
    """Take a merge back."""
    live, gone = live_of(request), gone or who
    kept = standing(live, gone)
    if kept == gone:
        raise HTTPException(409, "They stand for themselves already; nothing was changed.")
    live.command("unmerge", gone=gone)
    note(request, "customers taken apart", customer=kept)
    undo = f"/customers/merge?kept={_quoted(kept)}&gone={_quoted(gone)}"
    return _done(request, f"{link(kept)}/identity", f"{shown_id(person, gone)} stands by themselves again.", undo)


@router.post("/merge")
def merge(
    request: Request,
    person: Editor,
    one: Annotated[str, Form(max_length=1000)] = "",
    other: Annotated[str, Form(max_length=1000)] = "",
    kept: Asked = "",
    gone: Asked = "",
) -> Response:
    """Say that two customers are one."""
    live = live_of(request)
    stays, goes = standing(live, one or kept), standing(live, other or gone)
    if stays == goes:
        raise HTTPException(409, "They are one customer already; nothing was changed.")
    live.command("merge", kept=stays, gone=goes, because=SAID)
    note(request, "customers merged", customer=stays)
    undo = f"/customers/unmerge?who={_quoted(goes)}"
    return _done(
        request,
        f"{link(stays)}/identity",
        f"{shown_id(person, goes)} is a part of {shown_id(person, stays)} now.",
        undo,
    )


def _quoted(text: str) -> str:
    return link(text).rpartition("/")[2]


@router.post("/{customer:path}/export")
def export(request: Request, person: Officer, customer: str) -> Response:
    """All that is kept of them, as a ZIP with a page to read."""
    live = live_of(request)
    who = standing(live, customer)
    live.keeper.flush()
    handle, name = tempfile.mkstemp(suffix=".zip")
    os.close(handle)
    path = Path(name)
    try:
        with live.own:
            live.workspace.privacy.export_zip(f"id:{who}", path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    note(request, "customer exported", customer=who)
    return FileResponse(path, filename="person.zip", background=BackgroundTask(path.unlink, missing_ok=True))


@router.post("/{customer:path}/erase")
def erase(request: Request, person: Officer, customer: str, typed: Given = "") -> Response:
    """Erase them for good, where their id was typed."""
    live = live_of(request)
    who = standing(live, customer)
    if typed.strip() != who:
        answer = RedirectResponse(link(who), 303)
        return tell(answer, "Nothing was erased: what was typed isn't their id.", bad=True)
    done = service_of(request).forget(f"id:{who}")
    rows = sum(many for _, many in dict(done.erased.report).items())
    note(request, "customer erased", detail=f"{rows:,} rows")
    return tell(RedirectResponse("/customers", 303), f"They were erased: {rows:,} rows are gone for good.")
