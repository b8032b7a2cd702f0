"""Changes of memberships to other systems by HTTP: signed, in order, tried again with growing pauses, never dropped.

Each webhook reads the stream of changes from the position that it has reached. What a receiver doesn't take after all
attempts becomes a dead letter, which can be replayed, and the rest goes on. A receiver may see a change twice after a
crash; its id is the same then.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
from dataclasses import dataclass
from threading import Event as Flag
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from shoal.clock import Clock, iso
from shoal.errors import ConfigError, UnknownName

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shoal.sql.store import Store
    from shoal.workspace.live.core import Numbered
    from shoal.workspace.live.stream import Stream

BATCH = 100
"""Changes in one request."""
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Seconds between attempts; after the last one the batch is a dead letter."""
TIMEOUT = 10.0
LONGEST_HOST = 253
_logger = logging.getLogger("shoal.webhooks")


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where changes are sent.

    Args:
        id: of the webhook.
        url: that takes them.
        secret: that signs them.
        segments: whose changes; empty for all.
        position: the number of the last change that is done with.
    """

    id: str
    url: str
    secret: str
    segments: frozenset[str]
    position: int


def signature(secret: str, at: int, body: bytes) -> str:
    """``t=SECONDS,v1=HEX``: HMAC-SHA256 of the seconds since 1970, a dot and the body, as receivers check it."""
    seconds = at // 1_000_000
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


def _is_http(url: str) -> bool:
    """Whether a request can be made to an address."""
    import httpx

    try:
        read = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        return False
    return read.scheme in ("http", "https") and 0 < len(read.host) <= LONGEST_HOST and "%" not in read.host


def document(numbered: Numbered) -> dict[str, Any]:
    """A change as JSON says it, to webhooks and over HTTP."""
    change = numbered.change
    return {
        "id": str(numbered.seq),
        "customer": change.customer,
        "segment": change.segment,
        "change": change.what,
        "at": iso(change.at),
        "because": change.because,
    }


class Webhooks:
    """The webhooks of a live workspace, each on a thread of its own.

    Args:
        store: a connection that nobody else uses.
        stream: of the changes.
        clock: the workspace's.
        pauses: seconds between attempts.
    """

    def __init__(self, store: Store, stream: Stream, clock: Clock, pauses: Sequence[float] = PAUSES) -> None:
        self._store, self._stream, self._clock, self._pauses = store, stream, clock, tuple(pauses)
        self._lock = Lock()
        self._running: dict[str, tuple[Flag, Thread]] = {}

    def start(self) -> None:
        """Begin to send."""
        for webhook in self.all():
            self._run(webhook)

    def close(self) -> None:
        """Stop; what isn't sent yet is sent after the next start."""
        for flag, _ in self._running.values():
            flag.set()
        for _, thread in self._running.values():
            thread.join()
        self._running.clear()

    # ------------------------------------------------------------ managing

    def all(self) -> list[Webhook]:
        """The webhooks in force."""
        with self._lock:
            rows = self._store.rows(
                "SELECT id, url, secret, segments, position FROM webhooks WHERE disabled IS NULL ORDER BY created, id"
            )
        return [Webhook(one, url, secret, frozenset(json.loads(of)), at) for one, url, secret, of, at in rows]

    def create(self, url: str, segments: Iterable[str] = (), after: int | None = None) -> Webhook:
        """Add a webhook; it gets the changes after a number, from now on by default.

        Raises:
            ConfigError: the address isn't one of HTTP.
        """
        if not _is_http(url):
            raise ConfigError(f"{url!r} is no HTTP address.", fix="Write it as https://example.com/changes.")
        begin = self._stream.last if after is None else after
        made = Webhook(secrets.token_hex(6), url, secrets.token_urlsafe(24), frozenset(segments), begin)
        with self._lock:
            self._store.execute(
                "INSERT INTO webhooks (id, url, secret, segments, position, created) VALUES (?, ?, ?, ?, ?, ?)",
                [made.id, url, made.secret, json.dumps(sorted(made.segments)), begin, self._clock.now()],
            )
        self._run(made)
        return made

    def remove(self, webhook: str) -> None:
        """Send to a webhook no more.

        Raises:
            UnknownName: there is no such webhook.
        """
        if webhook not in {one.id for one in self.all()}:
            raise UnknownName("webhook", webhook, [one.id for one in self.all()])
        flag, thread = self._running.pop(webhook)
        flag.set()
        thread.join()
        self._write("UPDATE webhooks SET disabled = ? WHERE id = ?", [self._clock.now(), webhook])

    def dead_letters(self, webhook: str) -> list[dict[str, Any]]:
        """What a webhook's receiver didn't take, and wasn't replayed since."""
        with self._lock:
            rows = self._store.rows(
                "SELECT id, position, body, reason, attempts, received FROM dead_letters "
                "WHERE webhook = ? AND replayed IS NULL ORDER BY id",
                [webhook],
            )
        names = ("id", "position", "body", "reason", "attempts", "received")
        return [dict(zip(names, row, strict=True)) for row in rows]

    @property
    def dead(self) -> int:
        """How many dead letters there are that weren't replayed since."""
        with self._lock:
            ((many,),) = self._store.rows("SELECT count(*) FROM dead_letters WHERE replayed IS NULL")
        return int(many)

    def replay(self, webhook: str) -> tuple[int, int]:
        """Send a webhook's dead letters again, each once; how many were taken, and how many weren't."""
        target = next((one for one in self.all() if one.id == webhook), None)
        if target is None:
            raise UnknownName("webhook", webhook, [one.id for one in self.all()])
        taken = 0
        letters = self.dead_letters(webhook)
        for letter in letters:
            if self._post(target, letter["body"].encode()) is None:
                taken += 1
                self._write("UPDATE dead_letters SET replayed = ? WHERE id = ?", [self._clock.now(), letter["id"]])
        return taken, len(letters) - taken

    # ------------------------------------------------------------ sending

    def _run(self, webhook: Webhook) -> None:
        flag = Flag()
        thread = Thread(target=self._send_all, args=(webhook, flag), name=f"webhook {webhook.id}", daemon=True)
        self._running[webhook.id] = (flag, thread)
        thread.start()

    def _send_all(self, webhook: Webhook, stop: Flag) -> None:
        position = webhook.position
        while not stop.is_set():
            try:
                position = self._send_next(webhook, position, stop)
            except Exception:
                # As where the disk is full: without its thread a webhook would be silent until the next start.
                _logger.exception("webhook %s: is tried again", webhook.id)
                stop.wait(self._pauses[-1])

    def _send_next(self, webhook: Webhook, position: int, stop: Flag) -> int:
        """Send what comes after a number; returns the number of the last change that is done with."""
        found = self._stream.after(position, BATCH)
        if not found:
            self._stream.wait(position, 0.5)
            return position
        wanted = [n for n in found if not webhook.segments or n.change.segment in webhook.segments]
        if wanted and not self._deliver(webhook, wanted, stop):
            return position
        self._write("UPDATE webhooks SET position = ? WHERE id = ?", [found[-1].seq, webhook.id])
        return found[-1].seq

    def _write(self, sql: str, parameters: list[object]) -> None:
        with self._lock:
            self._store.execute(sql, parameters)

    def _deliver(self, webhook: Webhook, changes: list[Numbered], stop: Flag) -> bool:
        """Send until it is taken or is a dead letter; False where it was stopped in between."""
        body = json.dumps({"changes": [document(n) for n in changes]}, ensure_ascii=False).encode()
        reason: str | None = None
        for pause in (*self._pauses, None):
            reason = self._post(webhook, body)
            if reason is None:
                return True
            if pause is None:
                break
            if stop.wait(pause):
                return False
        self._bury(webhook, changes[-1].seq, body, reason or "")
        return True

    def _post(self, webhook: Webhook, body: bytes) -> str | None:
        """Send once; why it wasn't taken, or None."""
        import httpx

        headers: Mapping[str, str] = {
            "Content-Type": "application/json",
            # By real time, also where the workspace's stands at the data's end: receivers refuse what is old.
            "Shoal-Signature": signature(webhook.secret, Clock().now(), body),
        }
        try:
            answer = httpx.post(webhook.url, content=body, headers=headers, timeout=TIMEOUT)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            return type(error).__name__
        return None if answer.is_success else f"status {answer.status_code}"

    def _bury(self, webhook: Webhook, position: int, body: bytes, reason: str) -> None:
        _logger.warning("webhook %s: a dead letter after %d attempts: %s", webhook.id, len(self._pauses) + 1, reason)
        self._write(
            "INSERT INTO dead_letters SELECT coalesce(max(id), 0) + 1, ?, ?, ?, ?, ?, ?, NULL FROM dead_letters",
            [webhook.id, position, body.decode(), reason, len(self._pauses) + 1, self._clock.now()],
        )
