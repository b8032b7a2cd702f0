"""Segments over HTTP: list, read, members, preview, and changes of their definitions with optimistic locking."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from shoal.clock import iso
from shoal.insight import definitions as files
from shoal.lang.check import check_definition
from shoal.lang.document import from_document, to_document
from shoal.lang.files import definition_from_document
from shoal.lang.nodes import Definition, Node
from shoal.lang.parse import parse
from shoal.lang.say import say
from shoal.lang.show import show
from shoal.server.api.app import live_of, needs

if TYPE_CHECKING:
    from shoal.live.preview import Part
    from shoal.sql.store import Store
    from shoal.workspace.live import Live

router = APIRouter(prefix="/v1", tags=["segments"])
Slug = Annotated[str, Path(max_length=200, description="the segment's slug")]


class Draft(BaseModel):
    """A condition: text in the segment language, or its tree."""

    model_config = ConfigDict(extra="forbid")
    where: str | dict[str, Any] = Field(description="text in the segment language, or its tree as JSON")
    sample: int = Field(5, ge=0, le=100, description="how many members to show")


class SegmentBody(BaseModel):
    """A definition as it is written."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=200)
    where: str | dict[str, Any]
    why: str = ""
    purpose: str | None = None
    owner: str = ""
    always: str | None = None
    never: str | None = None
    tags: list[str] = Field(default_factory=list)


@router.get("/segments", summary="All segments with their size", dependencies=[needs("read")])
def listed(request: Request) -> dict[str, Any]:
    """The segments in force, and the faults of files that aren't accepted."""
    live = live_of(request)
    with live.lock:
        sizes = {slug: live.core.engine.size(slug) for slug in live.core.engine.plan.definitions}
        definitions = live.definitions
    return {
        "segments": [{"slug": slug, "name": d.name, "size": sizes[slug]} for slug, d in definitions.items()],
        "faults": {slug: str(fault) for slug, fault in live.catalogue.faults.items()},
    }


@router.get("/segments/{slug}", summary="One segment", dependencies=[needs("read")])
def one(request: Request, response: Response, slug: Slug) -> dict[str, Any]:
    """Its definition as text and tree, in plain words, and its size. The ETag is what a change has to name."""
    live = live_of(request)
    definition = _definition(live, slug)
    with live.lock:
        size = live.core.engine.size(slug)
    response.headers["ETag"] = _etag(definition)
    newest = live.read(lambda store: versions(store, slug))
    return {**_document(live, definition), "size": size, "version": newest[0]["version"] if newest else None}


@router.get("/segments/{slug}/versions", summary="How a segment was defined", dependencies=[needs("read")])
def history(request: Request, slug: Slug) -> dict[str, Any]:
    """All versions, the newest first, those of removed segments too: each with the instant from which it was in force."""
    live = live_of(request)
    found = live.read(lambda store: versions(store, slug))
    if not found:
        live.catalogue.find(slug)
    return {"versions": found}


def versions(store: Store, slug: str) -> list[dict[str, Any]]:
    """The versions of a segment as JSON, the newest first."""
    rows = store.rows(
        "SELECT version, received, removed, document FROM definitions WHERE kind = ? AND slug = ? ORDER BY version DESC",
        [files.KIND, slug],
    )
    found = []
    for version, received, removed, text in rows:
        said: dict[str, Any] = {"version": version, "at": iso(received), "removed": removed}
        if not removed:
            definition = definition_from_document(json.loads(text))
            said |= {"name": definition.name, "where": show(definition.where)}
        found.append(said)
    return found


@router.get("/segments/{slug}/members", summary="Members, page by page", dependencies=[needs("read")])
def members(
    request: Request,
    slug: Slug,
    after: Annotated[str | None, Query(max_length=1000, description="the last id of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> dict[str, Any]:
    """Ids of members in the order of their text, so that pages stay stable while members come and go.

    These are who is in; handing them out for a purpose goes by consent: ``shoal members``.
    """
    live = live_of(request)
    _definition(live, slug)
    with live.lock:
        engine = live.core.engine
        rows = engine.member_rows(slug)
    # A million texts take a while: calls take effect meanwhile.
    found = engine.ids_of(rows)
    rest = sorted(found if after is None else [one for one in found if one > after])
    page = rest[:limit]
    return {"members": page, "size": len(found), "next": page[-1] if len(rest) > limit else None}


@router.post("/preview", summary="What a condition would give", dependencies=[needs("read")])
def preview(request: Request, draft: Draft) -> dict[str, Any]:
    """The exact count, each condition's alone and in place, and some members."""
    live = live_of(request)
    definition = Definition("preview", "preview", _condition(draft.where))  # type: ignore[arg-type]
    _checked(live, definition)
    found = live.preview(definition, draft.sample)
    customers = len(live.core.engine.standing())
    return {
        "count": found.count,
        "customers": customers,
        "text": show(definition.where),
        "sentence": say(definition.where, live.core.schema),
        "parts": _part(found.parts),
        "sample": list(found.sample),
    }


@router.put("/segments/{slug}", summary="Add a segment or change it", dependencies=[needs("write")])
def put(request: Request, response: Response, slug: Slug, body: SegmentBody) -> dict[str, Any]:
    """Write the segment's file. A change of one that is there names its ETag in ``If-Match``."""
    live = live_of(request)
    document = {k: v for k, v in body.model_dump().items() if v not in (None, "", [])}
    definition = definition_from_document({**document, "slug": slug, "where": to_document(_condition(body.where))})
    _hold_match(request, live, slug)
    _checked(live, definition)
    files.save(live.workspace.config.root, definition, live.core.schema_with(live.definitions), base=None)
    live.look_now()
    response.headers["ETag"] = _etag(definition)
    return _document(live, definition)


@router.delete("/segments/{slug}", summary="Remove a segment", dependencies=[needs("write")], status_code=204)
def delete(request: Request, slug: Slug) -> None:
    """Delete the segment's file; refused while another segment names it."""
    live = live_of(request)
    _definition(live, slug)
    _hold_match(request, live, slug)
    files.remove(live.workspace.config.root, slug, live.definitions)
    live.look_now()


def _definition(live: Live, slug: str) -> Definition:
    return live.catalogue.find(slug)


def _condition(where: str | dict[str, Any]) -> Node:
    return parse(where) if isinstance(where, str) else from_document(where)


def _checked(live: Live, definition: Definition) -> None:
    check_definition(definition, live.core.schema_with({**live.definitions, definition.slug: definition}))


def _hold_match(request: Request, live: Live, slug: str) -> None:
    """A change must be of the version that the sender saw."""
    there, given = live.definitions.get(slug), request.headers.get("if-match")
    if there is None:
        if given is not None:
            raise HTTPException(412, "There is no such segment to change.")
        return
    if given is None:
        raise HTTPException(428, "Name the version that you change: If-Match with the segment's ETag.")
    if given != _etag(there):
        raise HTTPException(412, "The segment has changed since. Read it again.", {"ETag": _etag(there)})


def _part(part: Part) -> dict[str, Any]:
    """A condition with its size alone, and in place: how many of those before it in the same ``and`` remain with it."""
    return {
        "text": show(part.node),
        "alone": part.alone,
        "in_place": part.remaining,
        "parts": [_part(inner) for inner in part.parts],
    }


def _etag(definition: Definition) -> str:
    from shoal.lang.files import write_definition

    return f'"{hashlib.sha256(write_definition(definition).encode()).hexdigest()[:16]}"'


def _document(live: Live, definition: Definition) -> dict[str, Any]:
    return {
        "slug": definition.slug,
        "name": definition.name,
        "why": definition.why,
        "where": show(definition.where),
        "tree": to_document(definition.where),
        "sentence": say(definition.where, live.core.schema_with(live.definitions)),
        "purpose": definition.purpose,
        "owner": definition.owner,
        "always": definition.always,
        "never": definition.never,
        "tags": list(definition.tags),
    }
