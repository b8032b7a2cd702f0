"""The audit: who changed what, searched and handed out as CSV."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from shoal.clock import iso
from shoal.web.audit import note
from shoal.web.people import Person, may, now, service_of
from shoal.web.render import page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.workspace.audit import Entry

router = APIRouter()
Officer = Annotated[Person, Depends(may("privacy"))]
_PAGE, _MOST = 100, 100_000
COMMAND_LINE = "the command line"


@router.get("/audit")
def listed(
    request: Request, person: Officer, search: str = "", before: Annotated[int | None, Query(ge=1)] = None
) -> Response:
    """Entries, the newest first, a page at a time."""
    found = _entries(request, search, before, _PAGE + 1)
    more = found[_PAGE - 1].seq if len(found) > _PAGE else None
    return page(
        request, "accounts/audit.html", title="Audit", rows=_told(request, found[:_PAGE]), search=search, more=more,
        before=before, real=now(),
    )  # fmt: skip


def _entries(request: Request, search: str, before: int | None, most: int) -> list[Entry]:
    people = service_of(request).people
    words = search.lower().split()
    named = [
        one.id for one in people.everybody() if words and all(w in f"{one.name} {one.address}".lower() for w in words)
    ]
    return service_of(request).audit.entries(search, people=named, before=before, most=most)


def _told(request: Request, entries: Sequence[Entry]) -> list[dict[str, object]]:
    """Entries in words: people by name, customers by id while they are there."""
    service = service_of(request)
    customers = service.audit.customers({one.customer for one in entries if one.customer is not None})
    found: list[dict[str, object]] = []
    for one in entries:
        by = service.people.get(one.person)
        customer = None if one.customer is None else customers.get(one.customer, "an erased customer")
        named = service.people.get(one.about)
        found.append({
            "seq": one.seq, "at": one.at, "person": by.name if by is not None else one.person or "nobody signed in",
            "action": one.action, "about": customer or (named.name if named is not None else one.about),
            "detail": one.detail,
        })  # fmt: skip
    return found


@router.get("/audit.csv")
def as_csv(request: Request, person: Officer, search: str = "") -> Response:
    """All entries that a search finds, up to a hundred thousand."""
    note(request, "audit exported")
    told = _told(request, _entries(request, search, None, _MOST))
    out = io.StringIO()
    written = csv.writer(out)
    written.writerow(["number", "time", "person", "action", "about", "detail"])
    for row in told:
        written.writerow([_plain(iso(v)) if k == "at" else _plain(v) for k, v in row.items()])  # type: ignore[arg-type]
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _plain(value: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value
