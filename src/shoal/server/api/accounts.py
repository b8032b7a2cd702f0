"""Accounts over HTTP: what is known of one, and the customers who belong to it, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from shoal.customers.accounts import account, known_accounts, members
from shoal.server.api.app import live_of, needs
from shoal.workspace.live.profile import account_document

if TYPE_CHECKING:
    from shoal.workspace.live import Live

router = APIRouter(prefix="/v1/accounts", tags=["accounts"])
Id = Annotated[str, Path(max_length=1000, description="the account's id, as a group call or a file names it")]
After = Annotated[str, Query(max_length=1000, description="the last id of the page before")]
Limit = Annotated[int, Query(ge=1, le=10_000)]


@router.get("", summary="All accounts, page by page", dependencies=[needs("read")])
def listed(request: Request, after: After = "", limit: Limit = 1_000) -> dict[str, Any]:
    """Ids in the order of their text; ``next`` is where to go on."""
    found = live_of(request).read(lambda store: known_accounts(store, after, limit + 1))
    return {"accounts": found[:limit], "next": found[limit - 1] if len(found) > limit else None}


@router.get("/{account_id}", summary="One account", dependencies=[needs("read")])
def one(request: Request, account_id: Id, after: After = "", limit: Limit = 100) -> dict[str, Any]:
    """Its traits, how many customers belong to it, and a page of them."""
    live = live_of(request)
    found = live.read(lambda store: account(store, account_id, live.core.engine.now))
    return {**account_document(found), "size": found.size, **_page(live, account_id, after, limit)}


@router.get("/{account_id}/members", summary="Customers of an account, page by page", dependencies=[needs("read")])
def belonging(request: Request, account_id: Id, after: After = "", limit: Limit = 1_000) -> dict[str, Any]:
    """Ids in the order of their text, so that pages stay stable while customers come and go."""
    live = live_of(request)
    live.read(lambda store: account(store, account_id, live.core.engine.now))
    return _page(live, account_id, after, limit)


def _page(live: Live, account_id: str, after: str, limit: int) -> dict[str, Any]:
    found = live.read(lambda store: members(store, account_id, live.core.engine.now))
    rest = [one for one in found if one > after]
    return {"members": rest[:limit], "next": rest[limit - 1] if len(rest) > limit else None}
