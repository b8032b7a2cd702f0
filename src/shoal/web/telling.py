"""Saying what was done, at the foot of the page: with an answer to htmx at once, else on the page that follows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from fastapi import Response

COOKIE = "told"
SECONDS = 30
"""So long the page that follows may take to read it."""


def tell(answer: Response, text: str, *, undo: str = "", bad: bool = False) -> Response:
    """Let an answer say what was done.

    Args:
        answer: to htmx, or a redirect.
        text: one sentence.
        undo: the path to which a POST takes it back.
        bad: it went wrong, and stays until it is closed.
    """
    said: dict[str, str | bool] = {"text": text}
    if undo:
        said["undo"] = undo
    if bad:
        said["bad"] = True
    if 300 <= answer.status_code < 400:
        # The page's script reads it, shows it, and takes it away.
        answer.set_cookie(COOKIE, quote(json.dumps(said), safe=""), max_age=SECONDS, path="/", samesite="lax")
    else:
        answer.headers["HX-Trigger"] = json.dumps({"told": said})
    return answer
