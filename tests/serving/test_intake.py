"""The door for calls over a real log: who is told what, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from shoal.customers.tracking import Call, decode
from shoal.errors import StoreError
from shoal.log import Log
from shoal.server.intake import Busy
from shoal.workspace.live.intake import MOST_TOGETHER, Acknowledgements, LiveIntake, Queue


def call(number: int, **properties: object) -> Call:
    return Call("track", {"user_id": str(number)}, 1, f"m{number}", 1, "E", properties)


class Door:
    """An intake over a log in a folder; ``told`` says in which order senders learnt what."""

    def __init__(self, folder: Path) -> None:
        self.log = Log.open(folder)
        self.busy: BaseException | None = None
        self.erased: set[str] = set()
        self.told: list[tuple[str, BaseException | None]] = []
        self.durable: list[int] = []
        self.queue, self.acknowledgements = Queue(self.log), Acknowledgements(self.log)
        self.intake = LiveIntake(self.queue, self.acknowledgements, lambda: self.busy, self._kept)

    def _kept(self, calls: Sequence[Call]) -> Sequence[Call]:
        return [call for call in calls if call.message_id not in self.erased]

    def sender(self, name: str) -> Callable[[BaseException | None], None]:
        def done(error: BaseException | None) -> None:
            self.told.append((name, error))
            self.durable.append(self.log.committed)

        return done

    async def until(self, many: int) -> None:
        """Wait until so many senders know."""
        async with asyncio.timeout(20):
            while len(self.told) < many:
                await asyncio.sleep(0.001)

    @property
    def kept(self) -> list[list[str]]:
        """The messages of each entry of the log."""
        return [[call.message_id for call in decode(entry.payload)] for entry in self.log.read()]


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    made = Door(tmp_path / "log")
    yield made
    made.acknowledgements.close()
    made.queue.close()
    made.log.close()


def test_requests_of_one_moment_become_one_entry(door: Door) -> None:
    """Breaks when each request costs an entry, or a sender is told before the entry is on disk, twice, or never."""

    async def send() -> None:
        for number in range(20):
            door.intake.submit([call(number)], door.sender(str(number)))
        assert door.told == []
        await door.until(20)
        await asyncio.sleep(0.02)

    asyncio.run(send())
    assert door.told == [(str(number), None) for number in range(20)]
    assert set(door.durable) == {1}
    assert door.kept == [[f"m{number}" for number in range(20)]]
    assert door.queue.waiting_calls == 20


def test_an_entry_is_sent_when_it_is_full(door: Door) -> None:
    """Breaks when what comes at once becomes one entry without end."""

    async def send() -> None:
        for first in range(0, 3 * MOST_TOGETHER, 100):
            door.intake.submit([call(first + n) for n in range(100)], door.sender(str(first)))
        await door.until(3 * MOST_TOGETHER // 100)

    asyncio.run(send())
    assert [len(entry) for entry in door.kept] == [MOST_TOGETHER] * 3


def test_a_call_that_no_entry_takes_costs_the_others_nothing(door: Door) -> None:
    """Breaks when one request fails all those that came in the same moment."""

    async def send() -> None:
        door.intake.submit([call(1)], door.sender("good"))
        door.intake.submit([call(2, odd=object())], door.sender("bad"))
        door.intake.submit([call(3), call(4)], door.sender("also good"))
        await door.until(3)

    asyncio.run(send())
    told = dict(door.told)
    assert (told["good"], told["also good"], type(told["bad"])) == (None, None, TypeError)
    assert door.kept == [["m1"], ["m3", "m4"]]


def test_one_answer_that_fails_holds_up_no_other(door: Door) -> None:
    """Breaks when an error while one sender is answered leaves those behind it waiting."""

    def broken(error: BaseException | None) -> None:
        raise OSError("gone")

    async def send() -> None:
        door.intake.submit([call(1)], broken)
        door.intake.submit([call(2)], door.sender("next"))
        await door.until(1)
        door.intake.submit([call(3)], door.sender("later"))
        await door.until(2)

    asyncio.run(send())
    assert door.told == [("next", None), ("later", None)]


def test_what_is_refused_or_left_out_reaches_no_entry(door: Door) -> None:
    """Breaks when a busy server takes calls, a sender of erased people's calls waits for ever, or the door stays shut."""

    async def send() -> None:
        door.busy = Busy(1.0)
        with pytest.raises(Busy):
            door.intake.submit([call(1)], door.sender("refused"))
        door.busy, door.erased = None, {"m2"}
        door.intake.submit([call(2)], door.sender("erased"))
        assert door.told == [("erased", None)]
        door.intake.submit([call(2), call(3)], door.sender("partly"))
        await door.until(2)

    asyncio.run(send())
    assert door.kept == [["m3"]]


def test_a_log_that_takes_no_more_is_told_to_each_sender(door: Door) -> None:
    """Breaks when senders whose calls can't be kept are told nothing, or that all is well."""

    async def send() -> None:
        door.log.close()
        door.intake.submit([call(1)], door.sender("one"))
        door.intake.submit([call(2)], door.sender("two"))
        await door.until(2)

    asyncio.run(send())
    assert [(name, type(error)) for name, error in door.told] == [("one", StoreError), ("two", StoreError)]
