"""The collection endpoint: raw ASGI, as every layer between the socket and the log costs more than the work itself."""

from __future__ import annotations

import base64
import binascii
import math
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qs

import msgspec

from shoal.clock import SECOND, Clock
from shoal.errors import ShoalError
from shoal.server import calls as forms
from shoal.server.body import Gone, read, too_large, too_many, unpacked
from shoal.server.bots import robots
from shoal.server.cors import Origins
from shoal.server.counts import Counts
from shoal.server.faults import Fault, Refused
from shoal.server.intake import Busy, Intake, Starting, WriteKeys
from shoal.server.routes import BATCH, POSTS, source_settings
from shoal.server.vendors import rudder_config, segment_settings
from shoal.server.when import instant_of

if TYPE_CHECKING:
    from shoal.customers.tracking import Call
    from shoal.server.body import App, Receive, Scope, Send
    from shoal.server.cors import Headers
    from shoal.server.plan import Plan
    from shoal.server.settings import CollectSettings

_JSON = (b"content-type", b"application/json")
_FINE = b'{"success":true}'
_STARTING_SECONDS = 2


Head: TypeAlias = "dict[bytes, bytes]"
"""A request's headers, names in lower case."""


class Collection:
    """The ASGI app that takes tracking calls; what isn't its own goes to ``otherwise``.

    ``plan`` may be replaced at any time by one of a newer schema; ``counts`` says what came in.
    """

    def __init__(
        self,
        intake: Intake,
        keys: WriteKeys,
        settings: CollectSettings,
        *,
        clock: Clock,
        plan: Plan | None = None,
        otherwise: App | None = None,
    ) -> None:
        self.plan = plan
        self.counts = Counts()
        self._intake = intake
        self._keys = keys
        self._clock = clock
        self._otherwise = otherwise
        self.adopt(settings)

    def adopt(self, settings: CollectSettings) -> None:
        """Take calls by these settings from now on."""
        self._settings = settings
        self._origins = Origins(settings.origins)
        self._is_robot = robots(settings.bots)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            kind = POSTS.get(scope["path"])
            method = scope["method"]
            if kind is not None and method == "POST":
                return await self._collect(kind, scope, receive, send)
            if kind is not None and method == "OPTIONS":
                return await self._preflight(scope, send)
            wanted = source_settings(scope["path"])
            if wanted is not None and method in ("GET", "OPTIONS"):
                return await self._source(wanted, scope, send)
            if kind is not None and scope["path"].startswith("/v1/"):
                return await self._foreign(scope, receive, send)
        if self._otherwise is not None:
            return await self._otherwise(scope, receive, send)
        return await self._foreign(scope, receive, send)

    # ------------------------------------------------------------ the paths

    async def _collect(self, kind: str, scope: Scope, receive: Receive, send: Send) -> None:
        head = dict(scope["headers"])
        try:
            answer = await self._take(kind, head, scope, receive)
        except Refused as refused:
            self.counts.refused[refused.fault.code] += 1
            return await self._refuse(send, head, refused)
        except Gone:
            return None
        return await self._answer(send, 200, answer, self._origins.headers(head.get(b"origin", b"")))

    async def _preflight(self, scope: Scope, send: Send) -> None:
        head = dict(scope["headers"])
        await self._answer(
            send,
            204,
            b"",
            self._origins.preflight(head.get(b"origin", b""), head.get(b"access-control-request-headers", b"")),
        )

    async def _source(self, wanted: tuple[str, str], scope: Scope, send: Send) -> None:
        head = dict(scope["headers"])
        if scope["method"] == "OPTIONS":
            return await self._preflight(scope, send)
        vendor, key = wanted
        key = key or _basic_user(head.get(b"authorization", b"")) or _query_key(scope)
        try:
            self._admit(head, key)
        except Refused as refused:
            return await self._refuse(send, head, refused)
        build = segment_settings if vendor == "segment" else rudder_config
        headers = [*self._origins.headers(head.get(b"origin", b"")), (b"cache-control", b"private, max-age=60")]
        return await self._answer(send, 200, build(key, self._address(scope, head)), headers)

    async def _foreign(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await _live(receive, send)
        if scope["type"] != "http":
            return None
        known = scope["path"] in POSTS
        fault = (
            Fault("method", "Calls are sent with POST.", scope["method"], "Use POST.")
            if known
            else Fault("not-found", "There is nothing under this path.", scope["path"][:200], "Calls go to /v1/batch.")
        )
        return await self._refuse(send, dict(scope["headers"]), Refused(405 if known else 404, fault))

    # ------------------------------------------------------------ taking calls

    async def _take(self, kind: str, head: Head, scope: Scope, receive: Receive) -> bytes:
        """Decode, check and hand over what a request brings; the body of the answer."""
        settings, find = self._settings, head.get
        received = self._clock.now()
        limit = settings.batch_bytes if kind == BATCH else settings.call_bytes
        key = _basic_user(find(b"authorization", b""))
        if key or not self._origins.allow(find(b"origin", b"")):
            self._admit(head, key)
        body = await read(receive, find(b"content-length", b""), limit)
        body = unpacked(body, find(b"content-encoding", b"").lower(), limit)
        plan = self.plan
        arrival = forms.Arrival(
            received, settings.ahead_seconds * SECOND, settings.most_values,
            ip=_peer(scope) if settings.keep_ip else None, plan=plan,
            strict=settings.strict or (plan is not None and plan.strict),
        )  # fmt: skip
        if kind == BATCH:
            return await self._take_batch(forms.decode_batch(body), key, arrival, head, scope)
        wire = forms.decode_single(body, kind)
        if not key:
            self._admit(head, wire.write_key or _query_key(scope))
        if self._is_robots(find(b"user-agent", b"")) or self._tells_robot(wire, arrival):
            self.counts.bots += 1
            return _FINE
        await self._submit([forms.kept(wire, arrival)])
        return _FINE

    async def _take_batch(
        self, batch: forms.Batch, key: str, arrival: forms.Arrival, head: Head, scope: Scope
    ) -> bytes:
        if not key:
            self._admit(head, batch.write_key or _query_key(scope) or _key_within(batch))
        if len(batch.batch) > self._settings.batch_calls:
            raise too_many(self._settings.batch_calls)
        arrival.sent, arrival.context = instant_of(batch.sent_at), forms.decode_context(batch.context)
        good: list[Call] = []
        refused: list[tuple[int, Fault]] = []
        robots = 0
        from_robot = self._is_robots(head.get(b"user-agent", b""))
        for index, raw in enumerate(batch.batch):
            try:
                wire = self._item(raw)
                if from_robot or self._tells_robot(wire, arrival):
                    robots += 1
                else:
                    good.append(forms.kept(wire, arrival))
            except Refused as error:
                refused.append((index, error.fault.within(f"batch[{index}]")))
        if refused and not good and not robots:
            raise Refused(400, refused[0][1])
        if good:
            await self._submit(good)
        # Counted only now: a batch that is answered with 429 comes again, whole.
        self.counts.bots += robots
        for _, fault in refused:
            self.counts.refused[fault.code] += 1
        return _partly(refused) if refused else _FINE

    def _item(self, raw: msgspec.Raw) -> forms.Wire:
        limit = self._settings.call_bytes
        if len(memoryview(raw)) > limit:
            raise too_large(limit)
        return forms.decode_item(raw)

    async def _submit(self, calls: list[Call]) -> None:
        try:
            await self._intake.submit(calls)
        except Busy as busy:
            fault = Fault("busy", "The server has fallen behind.", "server", "Send the same again after Retry-After.")
            raise Refused(429, fault, busy.retry_after_seconds) from None
        except (Starting, ShoalError) as error:
            starting = isinstance(error, Starting)
            fault = Fault(
                "starting" if starting else "unavailable",
                "The server is starting." if starting else "The server can't keep calls at the moment.",
                "server", "Send the same again after Retry-After.",
            )  # fmt: skip
            raise Refused(503, fault, _STARTING_SECONDS) from error
        for call in calls:
            self.counts.calls[call.kind] += 1
            if call.marks:
                self.counts.mark(call.name, call.marks)

    def _is_robots(self, agent: bytes) -> bool:
        return self._settings.drop_bots and self._is_robot(agent.decode("latin-1"))

    def _tells_robot(self, wire: forms.Wire, arrival: forms.Arrival) -> bool:
        """Whether a call says that it was passed on from a robot: a server sends its visitor's user agent."""
        context = wire.context or arrival.context
        told = context.user_agent if context is not None else None
        return told is not None and self._settings.drop_bots and self._is_robot(told)

    def _admit(self, head: Head, key: str) -> None:
        """Let a write key in.

        Raises:
            Refused: there is none, or it isn't known; or the page may not send.
        """
        if not self._origins.allow(head.get(b"origin", b"")):
            fix = "Add the origin to those that the server lets in."
            raise Refused(403, Fault("origin", "Pages of this origin may not send.", "origin", fix))
        if not key:
            fix = "Send it as the user name of HTTP basic authentication, or as writeKey in the body."
            raise Refused(401, Fault("no-key", "The request bears no write key.", "authorization", fix))
        if not self._keys.accepts(key):
            fix = "Copy it anew; the server's owner can list and make keys."
            raise Refused(401, Fault("unknown-key", "The write key isn't known.", "authorization", fix))

    # ------------------------------------------------------------ answering

    def _address(self, scope: Scope, head: Head) -> str:
        if self._settings.address:
            return self._settings.address.rstrip("/")
        scheme = head.get(b"x-forwarded-proto", b"").decode("latin-1").partition(",")[0].strip() or scope.get(
            "scheme", "http"
        )
        return f"{'https' if scheme == 'https' else 'http'}://{head.get(b'host', b'').decode('latin-1')}"

    async def _refuse(self, send: Send, head: Head, refused: Refused) -> None:
        allowed = self._origins.allow(head.get(b"origin", b""))
        headers = self._origins.headers(head.get(b"origin", b"")) if allowed else []
        if refused.retry_after is not None:
            headers = [*headers, (b"retry-after", str(max(1, math.ceil(refused.retry_after))).encode())]
        if refused.status == 405:
            headers = [*headers, (b"allow", b"POST, OPTIONS")]
        body = msgspec.json.encode({"success": False, **msgspec.to_builtins(refused.fault)})
        await self._answer(send, refused.status, body, headers)

    async def _answer(self, send: Send, status: int, body: bytes, headers: Headers) -> None:
        self.counts.requests[status] += 1
        length = (b"content-length", str(len(body)).encode())
        all_headers = [_JSON, length, *headers] if status != 204 else headers
        await send({"type": "http.response.start", "status": status, "headers": all_headers})
        await send({"type": "http.response.body", "body": body})


def _partly(refused: list[tuple[int, Fault]]) -> bytes:
    errors = [{"index": index, **msgspec.to_builtins(fault)} for index, fault in refused]
    return msgspec.json.encode({"success": True, "refused": len(errors), "errors": errors[:20]})


@lru_cache(maxsize=1_024)
def _basic_user(header: bytes) -> str:
    """The user name of HTTP basic authentication, empty where there is none."""
    scheme, _, given = header.partition(b" ")
    if scheme.lower() != b"basic":
        return ""
    try:
        return base64.b64decode(given.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _query_key(scope: Scope) -> str:
    """The write key in the address: beacons can set no header."""
    query = scope.get("query_string", b"")
    if not query:
        return ""
    found = parse_qs(query.decode("latin-1")).get("writeKey")
    return str(found[0]) if found else ""


def _key_within(batch: forms.Batch) -> str:
    """The write key of a batch's first call: some libraries put it there alone."""
    if not batch.batch:
        return ""
    try:
        return forms.decode_item(batch.batch[0]).write_key or ""
    except Refused:
        return ""


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        phase = message["type"].rpartition(".")[2]
        await send({"type": f"lifespan.{phase}.complete"})
        if phase == "shutdown":
            return
