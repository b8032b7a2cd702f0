"""The collection over bare sockets: requests as unusual clients, proxies and broken lines send them.

The short way of calls from the parser to the collection must answer as uvicorn's own way does, and in the same order.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from shoal.errors import StoreError
from shoal.server.settings import CollectSettings

from .recording import KEY, PATIENCE, Running, running

AUTH = b"authorization: Basic " + b64encode(f"{KEY}:".encode()) + b"\r\n"
CALL = b'{"userId":"u","event":"E"}'


def request(
    body: bytes = CALL, *, path: str = "/v1/track", head: bytes = AUTH, start: bytes = b"", length: int | None = None
) -> bytes:
    """A request's bytes."""
    start = start or f"POST {path} HTTP/1.1\r\n".encode()
    return (
        start + b"host: x\r\n" + head + b"content-length: %d\r\n\r\n" % (len(body) if length is None else length) + body
    )


def track(name: str) -> bytes:
    return request(json.dumps({"userId": "u", "event": name}).encode())


@pytest.fixture(params=["short", "plain"])
def live(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A server with the short way, and one that has a collection as it has any app: both must do the same."""
    with running(plain=request.param == "plain") as served:
        yield served


class Line:
    """A connection, and the answers that came over it."""

    def __init__(self, live: Running) -> None:
        host, _, port = live.address.removeprefix("http://").partition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._got = b""

    def send(self, *pieces: bytes) -> Line:
        """Send pieces that the other side gets one by one."""
        for piece in pieces:
            self.socket.sendall(piece)
            if len(pieces) > 1:
                time.sleep(0.01)
        return self

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer: its status, headers and body."""
        while b"\r\n\r\n" not in self._got:
            self._more()
        head, _, self._got = self._got.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        many = int(headers.get("content-length", 0))
        while len(self._got) < many:
            self._more()
        body, self._got = self._got[:many], self._got[many:]
        return int(first.split()[1]), headers, body

    def statuses(self, many: int) -> list[int]:
        return [self.answer()[0] for _ in range(many)]

    def ended(self) -> bool:
        """Whether the server ends the connection, and has said no more."""
        return self._got == b"" and self.socket.recv(1) == b""

    def _more(self) -> None:
        got = self.socket.recv(65_536)
        assert got, f"the connection ended after {self._got!r}"
        self._got += got


@contextmanager
def line(live: Running) -> Iterator[Line]:
    made = Line(live)
    with made.socket:
        yield made


async def api(scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
    """An app behind the collection; it reads what it is sent, and tells where it was asked."""
    if scope["type"] != "http":
        raise RuntimeError("no lifespan here")
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = f"{scope['method']} {scope['path']} {size}".encode()
    await send({"type": "http.response.start", "status": 299, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def test_many_requests_over_one_connection(live: Running) -> None:
    """Breaks when what is known of one request is held of the next: its length, its key, its page, its kind."""
    page = b"origin: https://a.example\r\n"
    with line(live) as one:
        for number in range(5):
            name = f"E{'x' * number}"
            assert one.send(track(name)).answer()[0] == 200
            assert live.intake.calls[-1].name == name
        status, headers, _ = one.send(request(head=AUTH + page)).answer()
        assert (status, headers["access-control-allow-origin"]) == (200, "https://a.example")
        assert "access-control-allow-origin" not in one.send(request()).answer()[1]
        assert one.send(request(head=b"")).answer()[0] == 401
        assert one.send(request(path="/v1/page")).answer()[0] == 200
        assert live.intake.calls[-1].kind == "page"
        assert one.send(request(b"{")).answer()[0] == 400
        assert one.send(request(b"")).answer()[0] == 400
        assert one.send(request(path=f"/v1/t?writeKey={KEY}", head=b"")).answer()[0] == 200
        assert one.send(request(path="/v1/t?writeKey=other", head=b"")).answer()[0] == 401
        assert one.send(request(head=AUTH + b"user-agent: x bot/1\r\n")).answer()[0] == 200
    assert len(live.intake.calls) == 9
    assert live.app.counts.bots == 1
    assert live.app.counts.requests == {200: 10, 400: 2, 401: 2}
    assert live.app.counts.refused == {"no-key": 1, "unknown-key": 1, "bad-json": 2}


def test_requests_that_don_t_wait_for_answers_are_answered_in_order(live: Running) -> None:
    """Breaks when pipelined calls are lost, change places, or the answer to a later one comes first."""
    live.intake.delay = 0.05
    with line(live) as one:
        one.send(track("A") + request(b"{") + track("B") + track("C"))
        assert one.statuses(4) == [200, 400, 200, 200]
        one.send(track("D"), track("E"), track("F")[:20], track("F")[20:])
        assert one.statuses(3) == [200, 200, 200]
    assert [call.name for call in live.intake.calls] == list("ABCDEF")


def test_a_call_and_a_question_in_one_segment_are_answered_in_order() -> None:
    """Breaks when a request of the API overtakes a call whose entry isn't on disk yet, or waits for it for ever."""
    question = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    with running(otherwise=api) as live, line(live) as one:
        live.intake.delay = 0.05
        one.send(track("A") + question + track("B") + question)
        answers = [one.answer() for _ in range(4)]
        assert [status for status, _, _ in answers] == [200, 299, 200, 299]
        assert answers[1][2] == b"GET /healthz 0"
        # And the other way round, with a body in between.
        one.send(request(b"x" * 70_000, path="/v1/import/rows", head=b"") + track("C"))
        assert one.answer()[2] == b"POST /v1/import/rows 70000"
        assert one.answer()[0] == 200
        assert one.send(track("D")).answer()[0] == 200
        assert [call.name for call in live.intake.calls] == list("ABCD")


@pytest.mark.parametrize("size", [1, 7, 50])
def test_a_request_in_pieces_is_put_together(live: Running, size: int) -> None:
    """Breaks when a head or a body that comes in pieces is cut, on a fresh connection or on one that was used."""
    whole = track("Signed Up")
    with line(live) as one:
        for _ in range(2):
            one.send(*(whole[at : at + size] for at in range(0, len(whole), size)))
            assert one.answer()[0] == 200
            one.send(whole[:-5], whole[-5:] + whole[:10], whole[10:])
            assert one.statuses(2) == [200, 200]
    assert [call.name for call in live.intake.calls] == ["Signed Up"] * 6


def test_a_large_batch_in_many_pieces(live: Running) -> None:
    """Breaks when a body of several reads is cut or put together in another order."""
    calls = [{"type": "track", "userId": "u", "event": f"E{n}", "properties": {"x": "y" * 300}} for n in range(1_000)]
    body = json.dumps({"batch": calls}).encode()
    with line(live) as one:
        for _ in range(2):
            whole = request(body, path="/v1/batch")
            one.send(*(whole[at : at + 30_000] for at in range(0, len(whole), 30_000)))
            assert one.answer()[0] == 200
    assert [call.name for call in live.intake.calls] == [f"E{n}" for n in range(1_000)] * 2


def test_a_sender_that_hangs_up_early_harms_nobody(live: Running) -> None:
    """Breaks when a lost connection loses a call that came whole, keeps half of one, or fails the next answer."""
    live.intake.delay = 0.1
    with line(live) as one:
        one.send(track("Whole"))
    with line(live) as one:
        one.send(track("Half")[:-3])
    with line(live) as one:
        assert one.send(track("Next")).answer()[0] == 200
    assert [call.name for call in live.intake.wait_for(2)] == ["Whole", "Next"]


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_connection_that_is_to_end_ends(live: Running, version: bytes) -> None:
    """Breaks when a client that reads until the end waits for ever, or what it sends after its last word is taken."""
    start = b"POST /v1/track HTTP/%b\r\n" % version
    with line(live) as one:
        one.send(request(head=AUTH + b"connection: close\r\n", start=start))
        status, headers, body = one.answer()
        assert (status, headers["connection"], body) == (200, "close", b'{"success":true}')
        assert one.ended()
    with line(live) as one:
        assert one.send(track("Before")).answer()[0] == 200
        one.send(request(head=AUTH + b"connection: close\r\n"))
        assert one.answer()[0] == 200
        assert one.ended()
    assert len(live.intake.calls) == 3


def test_other_methods_get_their_answers(live: Running) -> None:
    """Breaks when a browser's question, or a look with HEAD, gets the answer to a call."""
    with line(live) as one:
        assert one.send(track("A")).answer()[0] == 200
        asks = b"origin: https://a.example\r\naccess-control-request-method: POST\r\n"
        status, headers, _ = one.send(b"OPTIONS /v1/track HTTP/1.1\r\nhost: x\r\n" + asks + b"\r\n").answer()
        assert (status, headers["access-control-allow-origin"]) == (204, "https://a.example")
        assert one.send(b"GET /v1/track HTTP/1.1\r\nhost: x\r\n\r\n").answer()[0] == 405
        assert one.send(request(start=b"PUT /v1/track HTTP/1.1\r\n")).answer()[0] == 405
        assert one.send(track("B")).answer()[0] == 200
        one.send(b"HEAD /v1/track HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        told = b""
        while got := one.socket.recv(65_536):
            told += got
        assert told.startswith(b"HTTP/1.1 405 ")
        assert told.endswith(b"\r\n\r\n")


def test_a_body_of_chunks_is_taken(live: Running) -> None:
    """Breaks when a body without a length isn't read to its end, or the next request is read as a part of it."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (CALL[:5], CALL[5:])) + b"0\r\n\r\n"
    head = b"POST /v1/track HTTP/1.1\r\nhost: x\r\n" + AUTH + b"transfer-encoding: chunked\r\n\r\n"
    with line(live) as one:
        one.send(track("A"), head + chunks + track("B"))
        assert one.statuses(3) == [200, 200, 200]
    assert [call.name for call in live.intake.calls] == ["A", "E", "B"]


def test_a_sender_that_asks_first_is_told_to_go_on(live: Running) -> None:
    """Breaks when a client that waits for 100 before it sends the body waits for ever."""
    whole = request(head=AUTH + b"expect: 100-continue\r\n")
    head, _, body = whole.partition(b"\r\n\r\n")
    with line(live) as one:
        assert one.send(track("A")).answer()[0] == 200
        assert one.send(head + b"\r\n\r\n").answer()[0] == 100
        assert one.send(body).answer()[0] == 200


def test_what_is_too_large_is_refused_before_it_is_read(live: Running) -> None:
    """Breaks when a body that is said to be too large is read and held first, on a fresh connection or on one that was used."""
    with line(live) as one:
        one.send(request(b"", path="/v1/batch", length=2_000_000_000))
        assert one.answer()[0] == 413
    with line(live) as one:
        assert one.send(track("A")).answer()[0] == 200
        one.send(request(b"", length=32 * 1_024 + 1))
        assert one.answer()[0] == 413
    with line(live) as one:
        # Who may not send is told so before the body has come, too.
        one.send(request(b"", head=b"authorization: Basic " + b64encode(b"other:") + b"\r\n", length=100))
        assert one.answer()[0] == 401
    assert live.app.counts.refused == {"too-large": 2, "unknown-key": 1}


@pytest.mark.parametrize(
    "head",
    [
        AUTH + b"x: " + b"y" * 200_000 + b"\r\n",
        AUTH + b"content-length: 3\r\n",
        AUTH + b"transfer-encoding: chunked\r\n",
        AUTH + b"connection: upgrade\r\nupgrade: h2c\r\n",
        AUTH + b"no colon\r\n",
        AUTH + b"x: a\x00b\r\n",
        AUTH + b"x: a\nb: c\r\n",
    ],
    ids=["long", "two lengths", "length and chunks", "upgrade", "no colon", "zero byte", "bare line feed"],
)
def test_a_head_that_can_be_read_in_two_ways_gets_what_uvicorn_says(head: bytes) -> None:
    """Breaks when a head that hides a second request is taken on a connection that was used, and not on a fresh one."""

    def told(before: bytes, plain: bool) -> tuple[int, dict[str, str], int]:
        with running(plain=plain) as live, line(live) as one:
            if before:
                assert one.send(before).answer()[0] == 200
            status, headers, _ = one.send(request(head=head)).answer()
            headers.pop("date")
            return status, headers, len(live.intake.calls) - bool(before)

    assert told(b"", False) == told(request(), False) == told(b"", True)


def test_trouble_is_told_and_the_connection_goes_on(live: Running) -> None:
    """Breaks when an error that comes late, or one that nobody foresaw, leaves a sender without an answer."""
    with line(live) as one:
        live.intake.busy_once(2.3)
        status, headers, _ = one.send(track("A")).answer()
        assert (status, headers["retry-after"]) == (429, "3")
        live.intake.late.append(StoreError("The disk is full."))
        assert one.send(track("B")).answer()[0] == 503
        live.intake.late.append(ValueError("something else"))
        assert one.send(track("C")).answer()[0] == 500
        assert one.send(track("D")).answer()[0] == 200
        live.intake.troubles.append(ValueError("a fault of ours"))
        status, headers, _ = one.send(track("E")).answer()
        assert (status, headers["connection"]) == (500, "close")
        assert one.ended()
    assert [call.name for call in live.intake.calls] == ["D"]


def test_requests_under_way_are_answered_before_the_server_ends() -> None:
    """Breaks when a stop cuts off a sender whose calls are kept, or waits for one who sends nothing."""
    with running() as live, line(live) as idle, line(live) as asked, line(live) as half:
        assert idle.send(track("A")).answer()[0] == 200
        live.intake.delay = 0.4
        asked.send(track("B"))
        half.send(track("C")[:-3])
        time.sleep(0.1)
        ending = threading.Thread(target=live.stop)
        begun = time.monotonic()
        ending.start()
        assert idle.ended()
        half.send(track("C")[-3:])
        for one in (asked, half):
            status, headers, _ = one.answer()
            assert (status, headers["connection"]) == (200, "close")
            assert one.ended()
        ending.join(PATIENCE)
        assert time.monotonic() - begun < 5
    assert sorted(call.name for call in live.intake.calls) == ["A", "B", "C"]


def test_a_connection_that_nobody_uses_ends() -> None:
    """Breaks when connections that are idle stay for ever, or one that was used lately is ended."""
    with running(keep_alive=1) as live, line(live) as one:
        for _ in range(4):
            assert one.send(track("A")).answer()[0] == 200
            time.sleep(0.4)
        begun = time.monotonic()
        assert one.ended()
        assert time.monotonic() - begun < 3


def test_settings_that_change_count_for_connections_that_are_open(live: Running) -> None:
    """Breaks when a connection goes on by the limits and origins of when it began."""
    with line(live) as one:
        page = request(head=AUTH + b"origin: https://a.example\r\n")
        assert one.send(page).answer()[0] == 200
        live.app.adopt(CollectSettings(origins=("https://b.example",), call_bytes=20))
        assert one.send(page).answer()[0] == 403
        assert one.send(request()).answer()[0] == 413
    assert len(live.intake.calls) == 1


def test_a_client_that_reads_late_gets_all_its_answers(live: Running) -> None:
    """Breaks when answers to a sender that reads late are lost, or hold up its connection for ever."""
    many = 20_000
    with line(live) as one:
        one.socket.settimeout(PATIENCE)
        sending = threading.Thread(target=one.socket.sendall, args=(track("A") * many,), daemon=True)
        sending.start()
        sending.join(2)
        assert set(one.statuses(many)) == {200}
        sending.join(PATIENCE)
    assert len(live.intake.calls) == many
