"""The segment builder: its page, each edit of a definition, and saving it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.requests import ClientDisconnect

from shoal.errors import DefinitionError
from shoal.insight import definitions as files
from shoal.lang.files import slug_of
from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.lang.show import show
from shoal.web.audit import note
from shoal.web.builder.desk import FIELDS, asked_of, desk_of, today_of
from shoal.web.builder.draft import read
from shoal.web.builder.edits import Setting, edited
from shoal.web.builder.forms import options_of, tree
from shoal.web.builder.kinds import CONDITIONS, FILTERS
from shoal.web.builder.paths import path_text, read_path
from shoal.web.people import Person, may, now, service_of, signed_in
from shoal.web.render import fragment, page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.lang.schema import Schema
    from shoal.web.builder.desk import Desk
    from shoal.web.builder.draft import Reading

router = APIRouter(prefix="/segments")
Editor = Annotated[Person, Depends(may("edit"))]
KIND = "segment"


async def form_of(request: Request) -> dict[str, str]:
    """What a page sent, each field once."""
    try:
        sent = await request.form()
    except ClientDisconnect:
        # The page asked something newer meanwhile: nobody waits for this answer.
        raise HTTPException(400, "The question was taken back.") from None
    return {name: value for name, value in sent.items() if isinstance(value, str)}


Sent = Annotated[dict[str, str], Depends(form_of)]

# ---------------------------------------------------------------- the page


@router.get("/from")
def from_text(request: Request, person: Editor, where: str = "") -> Response:
    """A new segment of a text that another page links to."""
    return RedirectResponse(f"/segments/new?where={quote(where)}", 303)


@router.get("/new")
def new(request: Request, person: Editor, where: str = "", name: str = "", why: str = "", draft: str = "") -> Response:
    """The builder, for a segment that isn't there yet."""
    kept = _kept(request, person, draft)
    held = {"name": name, "why": why, "text": where, "purpose": _usual(request)} | kept
    return _builder(request, None, held, draft if kept else "")


@router.get("/{slug}/edit")
def edit(request: Request, person: Editor, slug: str, draft: str = "", version: int = 0) -> Response:
    """The builder, for a segment that is there; ``version`` begins with how it was defined then."""
    desk = desk_of(request)
    definition = desk.live.catalogue.find(slug)
    if definition.slug != slug:
        return RedirectResponse(f"/segments/{definition.slug}/edit", 303)
    held = _details(definition) | {"base": desk.live.catalogue.hashes.get(slug, "")}
    if version:
        held |= _of_version(request, slug, version)
    kept = _kept(request, person, draft)
    return _builder(request, definition, held | kept, draft if kept else "", version)


def _usual(request: Request) -> str:
    return service_of(request).workspace.config.default_purpose or ""


def _kept(request: Request, person: Person, draft: str) -> dict[str, Any]:
    """What was kept of a draft of theirs."""
    found = service_of(request).drafts.get(draft, person.id) if draft else None
    return dict(found.document) if found is not None else {}


def _of_version(request: Request, slug: str, version: int) -> dict[str, Any]:
    from shoal.web.pages.segment_versions import version_of

    found = version_of(request, slug, version)
    return {} if found is None else _details(found)


def _details(definition: Definition) -> dict[str, Any]:
    return {
        "text": show(definition.where), "name": definition.name, "why": definition.why, "owner": definition.owner,
        "purpose": definition.purpose or "", "always": definition.always or "", "never": definition.never or "",
        "tags": ", ".join(definition.tags),
    }  # fmt: skip


def _builder(
    request: Request, definition: Definition | None, held: Mapping[str, Any], draft: str, version: int = 0
) -> Response:
    desk = desk_of(request)
    values = dict.fromkeys((*FIELDS, "text", "base"), "") | dict(held)
    slug = definition.slug if definition else ""
    title = f"Change {definition.name}" if definition else "New segment"
    drafts = [] if draft else service_of(request).drafts.of(signed_in(request).id, KIND)
    config = service_of(request).workspace.config
    return page(
        request, "builder/builder.html", title=title, values=values, slug=slug, draft=draft, version=version,
        purposes=[(name, str(basis)) for name, basis in config.purposes.items()], lists=sorted(desk.schema.lists),
        mine=[one for one in drafts if one.about == slug], real=now(), definition=definition,
        condition_kinds=options_of(CONDITIONS), filter_kinds=options_of(FILTERS),
    )  # fmt: skip


# ---------------------------------------------------------------- edits


@router.post("/build/tree")
def build(request: Request, person: Editor, sent: Sent) -> Response:
    """A definition after an edit (``op``, ``path``, ``value``), or just read: its text, rows, faults and sentence."""
    desk = desk_of(request)
    text, slug = sent.get("text", ""), sent.get("slug", "")
    pending = _pending(sent)
    focus, refused = sent.get("focus", ""), None
    schema = desk.schema
    if sent.get("op"):
        where = read_path(sent.get("path", ""))
        try:
            done = edited(
                text, sent["op"], where, sent.get("value", ""), Setting(schema, today_of(desk)),
                [read_path(one) for one in pending],
            )  # fmt: skip
            pending.pop(sent.get("path", ""), None)
            moved = {path_text(old): path_text(new) for old, new in done.followed.items()}
            pending = {moved[path]: what for path, what in pending.items() if path in moved}
            text, focus = done.text, path_text(done.focus)
        except DefinitionError as error:
            refused = " ".join(filter(None, (error.problem, error.fix)))
            if sent["op"] == "set":
                pending[sent.get("path", "")] = {"raw": sent.get("value", ""), "problem": refused}
                focus = sent.get("path", "")
    found = read(text, schema, slug or None)
    return JSONResponse(_answer(request, found, schema, pending, focus, refused))


def _pending(sent: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What was typed into fields where it can't be written yet, by the field's place."""
    try:
        found = json.loads(sent.get("pending", "") or "{}")
    except ValueError:
        return {}
    return {str(path): what for path, what in found.items() if isinstance(what, dict)}


def _answer(
    request: Request,
    found: Reading,
    schema: Schema,
    pending: dict[str, dict[str, str]],
    focus: str,
    refused: str | None,
) -> dict[str, Any]:
    by_row: dict[str, list[Any]] = {}
    for fault in found.faults:
        by_row.setdefault(fault.path, []).append(fault)
    rows = fragment(
        request, "builder/_tree.html", item_=tree(found.root, schema), faults=by_row, pending=pending,
        broken=found.broken, places={one.place for one in found.faults if not one.doubt},
        first=found.faults[0] if found.broken else None,
    )  # fmt: skip
    return {
        "text": found.text,
        "html": bytes(rows.body).decode(),
        "sentence": found.sentence,
        "faults": [_fault(one) for one in found.faults],
        "whole": found.whole and not pending,
        "empty": found.root is None and not found.broken,
        "broken": found.broken,
        "countable": found.kept is not None,
        "pending": pending,
        "focus": focus,
        "refused": refused,
    }


def _fault(fault: Any) -> dict[str, Any]:
    return {
        "start": fault.start, "end": fault.end, "problem": fault.problem, "fix": fault.fix or "",
        "unfinished": fault.unfinished, "doubt": fault.doubt, "path": fault.path,
    }  # fmt: skip


# ---------------------------------------------------------------- drafts and saving


@router.post("/build/keep")
def keep(request: Request, person: Editor, sent: Sent) -> Response:
    """Keep a draft, so that nothing of it is lost."""
    document = {name: sent.get(name, "") for name in (*FIELDS, "text", "base")}
    drafts = service_of(request).drafts
    made = drafts.keep(person.id, KIND, sent.get("slug", ""), document, now(), sent.get("draft") or None)
    return JSONResponse({"draft": made})


@router.post("/build/save")
def save(request: Request, person: Editor, sent: Sent) -> Response:
    """Save a definition as a file of the workspace; refused where somebody else changed it meanwhile."""
    desk, slug = desk_of(request), sent.get("slug", "")
    name, errors = sent.get("name", "").strip(), {}
    if not name:
        errors["name"] = "Give it a name."
    asked = asked_of(desk, sent)
    wrong = next((one for one in asked.reading.faults if not one.doubt), None)
    if asked.reading.root is None or wrong is not None:
        errors["text"] = wrong.problem if wrong else "Add a condition first."
    if errors:
        return JSONResponse({"errors": errors})
    made = slug or _free(desk, slug_of(name))
    definition = Definition(
        made, name, parse(asked.text), sent.get("why", "").strip(), sent.get("purpose") or None,
        sent.get("owner", "").strip(), sent.get("always") or None, sent.get("never") or None,
        tuple(filter(None, (tag.strip() for tag in sent.get("tags", "").split(",")))),
    )  # fmt: skip
    base = sent.get("base") or None
    held = desk.live.catalogue.hashes.get(made)
    if slug and base and held is not None and held != base:
        return _conflict(desk, slug, held)
    try:
        files.save(desk.live.workspace.config.root, definition, desk.schema, base=base if slug else None, new=not slug)
    except DefinitionError as error:
        if "has changed since" in error.problem:
            desk.live.look_now()
            return _conflict(desk, slug, desk.live.catalogue.hashes.get(slug, ""))
        return JSONResponse({"errors": {error.key: str(error.problem)}})
    desk.live.look_now()
    note(request, "segment changed" if slug else "segment added", made, name)
    if sent.get("draft"):
        service_of(request).drafts.discard(sent["draft"], person.id)
    return JSONResponse({"href": f"/segments/{made}"})


def _free(desk: Desk, slug: str) -> str:
    """A slug that no segment has yet."""
    taken = {*desk.live.definitions, *desk.live.catalogue.faults}
    return next(one for i in range(1, 10_000) if (one := slug if i == 1 else f"{slug[:58]}-{i}") not in taken)


def _conflict(desk: Desk, slug: str, held: str) -> Response:
    """Somebody else saved it: nothing is written, and what they wrote is shown."""
    theirs = desk.live.definitions.get(slug)
    said = {"conflict": True, "base": held, "theirs": show(theirs.where) if theirs else ""}
    return JSONResponse(said)


@router.post("/{slug}/delete")
def delete(request: Request, person: Editor, slug: str) -> Response:
    """Delete a segment's file; refused while another segment names it."""
    desk = desk_of(request)
    definition = desk.live.catalogue.find(slug)
    files.remove(desk.live.workspace.config.root, definition.slug, desk.live.definitions)
    desk.live.look_now()
    note(request, "segment deleted", definition.slug, definition.name)
    return RedirectResponse("/segments", 303)
