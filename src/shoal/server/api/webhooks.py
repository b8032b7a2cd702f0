"""Webhooks over HTTP: add, list, remove, and what couldn't be delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from shoal.server.api.app import live_of, needs

if TYPE_CHECKING:
    from shoal.workspace.live.webhooks import Webhook

router = APIRouter(prefix="/v1/webhooks", tags=["changes"], dependencies=[needs("admin")])
Id = Annotated[str, Path(max_length=64)]


class WebhookBody(BaseModel):
    """Where to send changes, and of which segments."""

    model_config = ConfigDict(extra="forbid")
    url: str = Field(max_length=2_000)
    segments: list[str] = Field(default_factory=list, description="slugs; empty for all")
    after: int | None = Field(
        None, ge=0, lt=1 << 63, description="send the changes after this number; None: from now on"
    )


@router.get("", summary="All webhooks")
def listed(request: Request) -> dict[str, Any]:
    """The webhooks in force, without their secrets."""
    return {"webhooks": [_document(one) for one in live_of(request).webhooks.all()]}


@router.post("", summary="Add a webhook", status_code=201)
def create(request: Request, body: WebhookBody) -> dict[str, Any]:
    """The secret that signs is shown this once."""
    made = live_of(request).webhooks.create(body.url, body.segments, body.after)
    return {**_document(made), "secret": made.secret}


@router.delete("/{webhook}", summary="Remove a webhook", status_code=204)
def remove(request: Request, webhook: Id) -> None:
    """Nothing more is sent to it."""
    live_of(request).webhooks.remove(webhook)


@router.get("/{webhook}/dead-letters", summary="What wasn't taken")
def dead_letters(request: Request, webhook: Id) -> dict[str, Any]:
    """Batches that the receiver refused after all attempts."""
    return {"dead_letters": live_of(request).webhooks.dead_letters(webhook)}


@router.post("/{webhook}/replay", summary="Send dead letters again")
def replay(request: Request, webhook: Id) -> dict[str, int]:
    """Each once more; those that are taken are dead letters no more."""
    taken, left = live_of(request).webhooks.replay(webhook)
    return {"taken": taken, "left": left}


def _document(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "segments": sorted(webhook.segments),
        "position": webhook.position,
    }
