"""The collection endpoint: raw ASGI, as every layer between the socket and the log costs more than the work itself.

Beneath the ASGI app lies a door without ASGI, ``begin`` and ``take``: our own server (``protocol``) goes through it.
"""

from __future__ import annotations

import base64
import binascii
import logging
import math
from asyncio import Future, get_running_loop
from functools import lru_cache, partial
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qs

import msgspec

from shoal.clock import SECOND, Clock
from shoal.errors import ShoalError
from shoal.server import calls as forms
from shoal.server.answers import Answer, as_json
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
    from collections.abc import Callable, Sequence

    from shoal.customers.tracking import Call
    from shoal.server.body import App, Receive, Scope, Send
    from shoal.server.plan import Plan
    from shoal.server.settings import CollectSettings

_FINE = b'{"success":true}'
_STARTING_SECONDS = 2
_logger = logging.getLogger("shoal.server")


Head: TypeAlias = "dict[bytes, bytes]"
"""A request's headers, names in lower case."""


class Request(msgspec.Struct, gc=False):
    """A request that was let in.

    Args:
        kind: of its call, or ``batch``.
        head: its headers, which say nothing of the body's length.
        key: the write key that was let in; empty where it is in the body or the address.
        query: of its address.
        peer: the sender's IP address, empty where there is none.
    """

    kind: str
    head: Head
    key: str
    query: bytes
    peer: str


class Taken(msgspec.Struct, gc=False):
    """What a request brought: the calls to keep, how many were robots', and what was refused, with its place in the batch."""

    calls: list[Call]
    robots: int = 0
    refused: Sequence[tuple[int, Fault]] = ()


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
            key = self.begin(kind, head, head.get(b"content-length", b""))
            body = await read(receive, self._limit(kind))
        except Refused as refused:
            return await self._refused(head, refused).send(send)
        except Gone:
            return None
        answered: Future[Answer] = get_running_loop().create_future()
        request = Request(kind, head, key, scope.get("query_string", b""), _peer(scope))
        self.take(request, body, partial(_give, answered))
        return await (await answered).send(send)

    async def _preflight(self, scope: Scope, send: Send) -> None:
        head = dict(scope["headers"])
        asked = head.get(b"access-control-request-headers", b"")
        await self._answer(Answer(204, b"", self._origins.preflight(head.get(b"origin", b""), asked))).send(send)

    async def _source(self, wanted: tuple[str, str], scope: Scope, send: Send) -> None:
        head = dict(scope["headers"])
        if scope["method"] == "OPTIONS":
            return await self._preflight(scope, send)
        vendor, key = wanted
        key = key or _basic_user(head.get(b"authorization", b"")) or _query_key(scope.get("query_string", b""))
        try:
            self._admit(head, key)
        except Refused as refused:
            return await self._refusal(head, refused).send(send)
        build = segment_settings if vendor == "segment" else rudder_config
        headers = [*self._origins.headers(head.get(b"origin", b"")), (b"cache-control", b"private, max-age=60")]
        return await self._answer(as_json(200, build(key, self._address(scope, head)), headers)).send(send)

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
        return await self._refusal(dict(scope["headers"]), Refused(405 if known else 404, fault)).send(send)

    # ------------------------------------------------------------ taking calls

    def begin(self, kind: str, head: Head, length: bytes) -> str:
        """Look at a request before its body has come.

        Args:
            kind: of the call, or ``batch``, as the path says.
            head: the headers.
            length: of the body, as the sender says; empty where it doesn't.

        Returns:
            The write key that was let in; empty where it is still to be found in the body or the address.

        Raises:
            Refused: the sender isn't let in, or says that the body is too large.
        """
        key = _basic_user(head.get(b"authorization", b""))
        if key or not self._origins.allow(head.get(b"origin", b"")):
            self._admit(head, key)
        if length.isdigit() and int(length[:18]) > self._limit(kind):
            raise too_large(self._limit(kind))
        return key

    def take(self, request: Request, body: bytes, done: Callable[[Answer], None]) -> None:
        """Decode, check and hand over what a request brings.

        Args:
            request: one that ``begin`` let in.
            body: as it was sent.
            done: gets the answer, at once or once the calls are safe on disk; in the event loop's thread.
        """
        try:
            taken = self._taken(request, body)
            if taken.calls:
                self._intake.submit(taken.calls, partial(self._settle, request, taken, done))
            else:
                done(self._settled(request, taken))
        except Refused as refused:
            done(self._refused(request.head, refused))
        except (Busy, Starting, ShoalError) as error:
            done(self._refused(request.head, _unkept(error)))

    def _settle(
        self, request: Request, taken: Taken, done: Callable[[Answer], None], error: BaseException | None
    ) -> None:
        """Go on with a request whose calls are on disk, or aren't."""
        done(self._settled(request, taken) if error is None else self._refused(request.head, _unkept(error)))

    def _settled(self, request: Request, taken: Taken) -> Answer:
        # Counted only now: what is answered with 429 comes again, whole.
        counts = self.counts
        counts.bots += taken.robots
        counts.take(taken.calls)
        for _, fault in taken.refused:
            counts.refused[fault.code] += 1
        origin = request.head.get(b"origin", b"")
        if not taken.refused:
            return self._answer(_fine(origin))
        return self._answer(as_json(200, _partly(taken.refused), self._origins.headers(origin)))

    def _limit(self, kind: str) -> int:
        return self._settings.batch_bytes if kind == BATCH else self._settings.call_bytes

    def _taken(self, request: Request, body: bytes) -> Taken:
        """What a request brings.

        Raises:
            Refused: nothing of it can be taken.
        """
        settings, head, kind, plan = self._settings, request.head, request.kind, self.plan
        body = unpacked(body, head.get(b"content-encoding", b"").lower(), self._limit(kind))
        arrival = forms.Arrival(
            self._clock.now(), settings.ahead_seconds * SECOND, settings.most_values,
            ip=request.peer if settings.keep_ip else None, plan=plan,
            strict=settings.strict or (plan is not None and plan.strict),
        )  # fmt: skip
        if kind == BATCH:
            return self._taken_batch(request, forms.decode_batch(body, settings.call_bytes), arrival)
        wire = forms.decode_single(body, kind)
        if not request.key:
            self._admit(head, wire.write_key or _query_key(request.query))
        told = wire.context.user_agent if wire.context is not None else None
        if self._is_robots(head.get(b"user-agent", b"")) or (told and self._tells_robot(told)):
            return Taken([], robots=1)
        return Taken([forms.kept(wire, arrival)])

    def _taken_batch(self, request: Request, batch: forms.Batch | forms.Pieces, arrival: forms.Arrival) -> Taken:
        head, items = request.head, batch.batch
        if not request.key:
            self._admit(head, batch.write_key or _query_key(request.query) or _key_within(items))
        if len(items) > self._settings.batch_calls:
            raise too_many(self._settings.batch_calls)
        arrival.sent, arrival.context = instant_of(batch.sent_at), forms.decode_context(batch.context)
        good: list[Call] = []
        refused: list[tuple[int, Fault]] = []
        robots = 0
        from_robot = self._is_robots(head.get(b"user-agent", b""))
        for index, item in enumerate(items):
            try:
                wire = self._item(item) if type(item) is msgspec.Raw else item
                context = wire.context or arrival.context
                if from_robot or (context is not None and context.user_agent and self._tells_robot(context.user_agent)):
                    robots += 1
                else:
                    good.append(forms.kept(wire, arrival))
            except Refused as error:
                refused.append((index, error.fault.within(f"batch[{index}]")))
        if refused and not good and not robots:
            raise Refused(400, refused[0][1])
        return Taken(good, robots, refused)

    def _item(self, raw: msgspec.Raw) -> forms.Wire:
        limit = self._settings.call_bytes
        if forms.size(raw) > limit:
            raise too_large(limit)
        return forms.decode_item(raw)

    def _is_robots(self, agent: bytes) -> bool:
        return self._settings.drop_bots and self._is_robot(agent.decode("latin-1"))

    def _tells_robot(self, agent: str) -> bool:
        """Whether a call says that it was passed on from a robot: a server sends its visitor's user agent."""
        return self._settings.drop_bots and self._is_robot(agent)

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

    def _refused(self, head: Head, refused: Refused) -> Answer:
        """The answer to calls that aren't taken."""
        self.counts.refused[refused.fault.code] += 1
        return self._refusal(head, refused)

    def _refusal(self, head: Head, refused: Refused) -> Answer:
        origin = head.get(b"origin", b"")
        headers = self._origins.headers(origin) if self._origins.allow(origin) else []
        if refused.retry_after is not None:
            headers = [*headers, (b"retry-after", str(max(1, math.ceil(refused.retry_after))).encode())]
        if refused.status == 405:
            headers = [*headers, (b"allow", b"POST, OPTIONS")]
        body = msgspec.json.encode({"success": False, **msgspec.to_builtins(refused.fault)})
        return self._answer(as_json(refused.status, body, headers))

    def _answer(self, answer: Answer) -> Answer:
        self.counts.requests[answer.status] += 1
        return answer


@lru_cache(maxsize=256)
def _fine(origin: bytes) -> Answer:
    """The answer to a request of which all was taken."""
    return as_json(200, _FINE, Origins.headers(origin))


def _unkept(error: BaseException) -> Refused:
    """What is said to a sender whose calls the intake didn't keep."""
    if isinstance(error, Busy):
        fault = Fault("busy", "The server has fallen behind.", "server", "Send the same again after Retry-After.")
        return Refused(429, fault, error.retry_after_seconds)
    if not isinstance(error, Starting | ShoalError):
        _logger.error("calls can't be kept", exc_info=error)
        return Refused(500, Fault("failed", "The server failed to keep the calls.", "server", "Look at its log."))
    starting = isinstance(error, Starting)
    fault = Fault(
        "starting" if starting else "unavailable",
        "The server is starting." if starting else "The server can't keep calls at the moment.",
        "server", "Send the same again after Retry-After.",
    )  # fmt: skip
    return Refused(503, fault, _STARTING_SECONDS)


def _give(answered: Future[Answer], answer: Answer) -> None:
    if not answered.done():
        answered.set_result(answer)


def _partly(refused: Sequence[tuple[int, Fault]]) -> bytes:
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


def _query_key(query: bytes) -> str:
    """The write key in the address: beacons can set no header."""
    if not query:
        return ""
    found = parse_qs(query.decode("latin-1")).get("writeKey")
    return str(found[0]) if found else ""


def _key_within(items: Sequence[forms.Wire | msgspec.Raw]) -> str:
    """The write key of a batch's first call: some libraries put it there alone."""
    if not items:
        return ""
    try:
        first = items[0]
        return (forms.decode_item(first) if isinstance(first, msgspec.Raw) else first).write_key or ""
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
