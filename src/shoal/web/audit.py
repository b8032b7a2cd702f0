"""Noting who changed what: every route that changes something calls ``note``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.web.people import now, person_of, service_of

if TYPE_CHECKING:
    from fastapi import Request


def note(
    request: Request, action: str, about: str = "", detail: str = "", *, customer: str | None = None, person: str = ""
) -> None:
    """Add an entry to the audit.

    Args:
        request: whose sender did it.
        action: what, in the past, as ``segment changed``.
        about: to what it was done, as a slug. Nothing of a customer may stand there.
        detail: more of it; nothing of a customer may stand there either.
        customer: the id of the customer whom it was about; the audit keeps the store's number of them alone.
        person: the id of who did it, where it isn't who is signed in.
    """
    who = person_of(request)
    by = person or (who.id if who is not None else "")
    service_of(request).audit.note(by, action, about, detail, now=now(), customer=customer)
