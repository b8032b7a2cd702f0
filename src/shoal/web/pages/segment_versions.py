"""How a segment was defined before: its versions, what each changed in words and in members, and the way back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from shoal.insight import definitions as files
from shoal.lang.files import definition_from_document
from shoal.lang.say import say
from shoal.lang.show import show
from shoal.web.audit import note
from shoal.web.builder.desk import asked_of, desk_of
from shoal.web.masking import shown_id
from shoal.web.people import Person, may
from shoal.web.render import fragment, page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.lang.nodes import Definition
    from shoal.sql.store import Store

router = APIRouter(prefix="/segments")
_SAMPLE = 8
_WIDTH = 72


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a segment; ``definition`` is None where it was removed."""

    number: int
    at: int
    definition: Definition | None
    lines: tuple[tuple[str, str], ...] = ()
    """Lines of its text, each with how it came: ``same``, ``new`` or ``gone`` since the version before."""
    sentence: str = ""


def versions(store: Store, slug: str) -> list[tuple[int, int, Definition | None]]:
    """Number, instant and definition of each version, the newest first."""
    rows = store.rows(
        "SELECT version, received, removed, document FROM definitions WHERE kind = ? AND slug = ? ORDER BY version DESC",
        [files.KIND, slug],
    )
    return [
        (number, at, None if removed else definition_from_document(json.loads(text)))
        for number, at, removed, text in rows
    ]


def version_of(request: Request, slug: str, number: int) -> Definition | None:
    """How a segment was defined in one version."""
    found = desk_of(request).live.read(lambda store: versions(store, slug))
    return next((definition for n, _, definition in found if n == number), None)


@router.get("/{slug}/versions")
def listed(request: Request, person: Annotated[Person, Depends(may("view"))], slug: str) -> Response:
    """All versions, the newest first, with what each changed."""
    desk = desk_of(request)
    found = desk.live.read(lambda store: versions(store, slug))
    if not found:
        desk.live.catalogue.find(slug)
        raise HTTPException(404, "This segment was never in force.")
    schema = desk.schema
    shown = []
    for i, (number, at, definition) in enumerate(found):
        older = next((d for _, _, d in found[i + 1 :] if d is not None), None)
        lines = tuple(_changed(older, definition)) if definition is not None else ()
        shown.append(Version(number, at, definition, lines, say(definition.where, schema) if definition else ""))
    now = desk.live.definitions.get(slug)
    last = next(d for _, _, d in found if d is not None)
    used_by = files.dependents(slug, desk.live.definitions)
    return page(
        request, "builder/versions.html", title=f"Versions of {(now or last).name}", versions=shown, slug=slug, now=now,
        last=last, used_by=[(one, desk.live.definitions[one].name) for one in used_by],
    )  # fmt: skip


def _changed(older: Definition | None, newer: Definition) -> Iterator[tuple[str, str]]:
    """The lines of a text, with those of the one before that went."""
    before = [] if older is None else show(older.where, width=_WIDTH).split("\n")
    after = show(newer.where, width=_WIDTH).split("\n")
    if older is None:
        yield from (("same", line) for line in after)
        return
    for what, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what == "equal":
            yield from (("same", line) for line in after[c:d])
        else:
            yield from (("gone", line) for line in before[a:b])
            yield from (("new", line) for line in after[c:d])


@router.get("/{slug}/versions/{number}/difference")
def difference(request: Request, person: Annotated[Person, Depends(may("view"))], slug: str, number: int) -> Response:
    """Who would enter and who would leave, if the segment were defined again as it was then."""
    desk, old = desk_of(request), version_of(request, slug, number)
    if old is None or slug not in desk.live.definitions:
        raise HTTPException(404, "There is no such version of a segment that is in force.")
    asked = asked_of(
        desk, {"text": show(old.where), "slug": slug, "always": old.always or "", "never": old.never or ""}
    )
    if asked.reading.kept is None or not asked.reading.whole:
        return fragment(request, "builder/_difference.html", found=None, shown=str)
    found = desk.sizer.against(asked.reading.kept, asked.details, slug, _SAMPLE)
    return fragment(
        request, "builder/_difference.html", found=found, shown=lambda customer: shown_id(person, customer),
    )  # fmt: skip


@router.post("/{slug}/versions/{number}/restore")
def restore(request: Request, person: Annotated[Person, Depends(may("edit"))], slug: str, number: int) -> Response:
    """Define the segment again as it was then; that makes a new version."""
    desk, old = desk_of(request), version_of(request, slug, number)
    if old is None:
        raise HTTPException(404, "There is no such version.")
    files.save(desk.live.workspace.config.root, old, desk.schema, base=None)
    desk.live.look_now()
    note(request, "segment restored", slug, f"version {number}")
    return RedirectResponse(f"/segments/{slug}/versions", 303)
