"""Webhooks against a real receiver and a real store: what isn't taken, a store that refuses, and a clock of the past."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from shoal.clock import Clock, StoppedClock
from shoal.live.changes import Change
from shoal.sql.duck import DuckStore, create_store
from shoal.workspace.live.stream import Stream
from shoal.workspace.live.webhooks import Webhooks, signature

PAUSES = (0.02, 0.05)


class Receiver:
    """Keeps what it takes, in order; ``refusing`` so many requests first."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.refusing = 0
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                refused, owner.refusing = owner.refusing > 0, max(0, owner.refusing - 1)
                if not refused:
                    owner.taken.append((self.headers["shoal-signature"], body))
                self.send_response(503 if refused else 204)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/changes"

    def numbers(self) -> list[int]:
        """The numbers of the changes that were taken."""
        return [int(change["id"]) for _, body in self.taken for change in json.loads(body)["changes"]]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckStore]:
    with create_store(tmp_path / "store.duckdb", zone="UTC", now=0) as made:
        yield made


@pytest.fixture
def stream() -> Stream:
    return Stream(lambda after, most: [])


def publish(stream: Stream, number: int) -> None:
    """A change of a membership."""
    stream.put([number], [Change("ann", "buyers", "entered", number, "event Order Completed")])


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_isnt_taken_can_be_replayed_and_the_rest_goes_on(
    receiver: Receiver, store: DuckStore, stream: Stream
) -> None:
    """Breaks if a receiver that is down for long loses a change, or holds up all that come after it."""
    hooks = Webhooks(store.cursor(), stream, Clock(), PAUSES)
    made = hooks.create(receiver.url)
    receiver.refusing = len(PAUSES) + 1
    publish(stream, 1)
    wait_until(lambda: hooks.dead == 1)
    publish(stream, 2)
    wait_until(lambda: receiver.numbers() == [2])
    (letter,) = hooks.dead_letters(made.id)
    assert (letter["position"], letter["attempts"], letter["reason"]) == (1, len(PAUSES) + 1, "status 503")
    assert hooks.replay(made.id) == (1, 0)
    assert (receiver.numbers(), hooks.dead) == ([2, 1], 0)
    hooks.close()


def test_a_store_that_refuses_doesnt_silence_a_webhook(receiver: Receiver, store: DuckStore, stream: Stream) -> None:
    """Breaks if a webhook stops for good, and nobody is told, where its position can't be written for a moment."""
    hooks = Webhooks(store.cursor(), stream, Clock(), PAUSES)
    made = hooks.create(receiver.url)
    other = store.cursor()
    with suppress(KeyError), other.transaction():
        # Another transaction has the cell, so that the webhook's own is refused.
        other.execute("UPDATE webhooks SET position = -1 WHERE id = ?", [made.id])
        publish(stream, 1)
        wait_until(lambda: receiver.numbers()[:2] == [1, 1])
        raise KeyError("undoes it")
    wait_until(lambda: hooks.all()[0].position == 1)
    publish(stream, 2)
    wait_until(lambda: receiver.numbers()[-1] == 2)
    assert set(receiver.numbers()) == {1, 2}
    hooks.close()
    other.close()


def test_signatures_are_of_this_moment(receiver: Receiver, store: DuckStore, stream: Stream) -> None:
    """Breaks if the changes of a workspace whose time is the data's end are refused as old."""
    hooks = Webhooks(store.cursor(), stream, StoppedClock(instant=1_300_000_000_000_000), PAUSES)
    made = hooks.create(receiver.url)
    publish(stream, 1)
    wait_until(lambda: bool(receiver.taken))
    ((signed, body),) = receiver.taken
    seconds = int(signed.split(",")[0].removeprefix("t="))
    assert abs(seconds - time.time()) < 60
    assert signed == signature(made.secret, seconds * 1_000_000, body)
    hooks.close()
