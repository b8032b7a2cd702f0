"""The models of a workspace that a server has open: fitted here, and their scores go through the server's log.

So neither a fit nor its scores hold up a call: the store is read beside the server, and what changes comes as entries of
about a thousand values, between which calls take effect.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shoal.insight.ranks import ranked
from shoal.workspace.live.scoring import changed, pieces
from shoal.workspace.models import SCORED, Models

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shoal.insight.models.model import Score
    from shoal.workspace.opening import Workspace
    from shoal.workspace.served.link import Link


class ServedModels(Models):
    """Models of a served workspace."""

    def __init__(self, workspace: Workspace, link: Link) -> None:
        super().__init__(workspace)
        self._link = link
        self._since = 0

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Nothing is paused and nothing is one transaction: each customer gets all that a model says of them at once."""
        self._ws.now()
        self._since = self._newest()
        yield

    def put(
        self,
        by: str,
        scores: Sequence[Score],
        at: int,
        note: Mapping[str, Any],
        *,
        whole: bool = True,
        complete: bool = True,
    ) -> tuple[dict[str, int], dict[str, str]]:
        self._ws.now()
        found, skipped = changed(self._ws.store, by, scores, at, note, whole=whole, complete=complete)
        for piece in pieces(found):
            self._link.ask("score", kept=True, body=piece.body())
        many = dict.fromkeys((s.name for s in scores if s.name not in skipped), 0)
        for row in found.rows:
            for place in row:
                many[found.columns[place].name] = many.get(found.columns[place].name, 0) + 1
        self._ws.now()
        self._ws.refresh()
        return many, skipped

    def publish(self) -> tuple[int, int]:
        """The server has published what each entry changed. Ranks are the exception: they are worked out of everybody."""
        if ranked(self._ws.definitions.values()):
            self._ws.segments.publish(because=SCORED)
        self._ws.now()
        told = dict(
            self._ws.store.rows(
                "SELECT change, count(*) FROM membership_changes WHERE seq > ? AND because = ? GROUP BY change",
                [self._since, SCORED],
            )
        )
        return told.get("entered", 0), told.get("left", 0)

    def _newest(self) -> int:
        ((last,),) = self._ws.store.rows("SELECT coalesce(max(seq), 0) FROM membership_changes")
        return int(last)
