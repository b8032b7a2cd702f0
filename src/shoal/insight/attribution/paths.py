"""Paths of touches, laid out in arrays."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """Touches by path, in the order of time. A conversion without a touch is a path without touches.

    Args:
        begins: where each path begins among the touches, and their number at the end.
        channel: of each touch, the place of its name.
        age: of each touch, days before its path's end.
        converted: of each path.
        value: of each path's conversion; 0 without one.
        names: of the channels.
        customer: of each path; by default each has one of its own.
        until: the instant at which each path ends: that of its conversion, or of its last touch.
        turn: how many conversions of its customer came before it.
        margin: of each path's conversion, 0 without one and NaN where its cost isn't known; None where no cost is known.
    """

    begins: Ints
    channel: Ints
    age: Floats
    converted: Bools
    value: Floats
    names: Sequence[str]
    customer: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    until: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    turn: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    margin: Floats | None = None

    def __post_init__(self) -> None:
        many = len(self.begins) - 1
        usual = {"customer": np.arange(many), "until": np.zeros(many, np.int64), "turn": np.zeros(many, np.int64)}
        for name, values in usual.items():
            if len(getattr(self, name)) != many:
                object.__setattr__(self, name, values)

    @property
    def lengths(self) -> Ints:
        """How many touches each path has."""
        return np.diff(self.begins)

    @property
    def path(self) -> Ints:
        """The path of each touch."""
        return np.repeat(np.arange(len(self.begins) - 1), self.lengths)

    @property
    def touched(self) -> Bools:
        """Of each path, whether it is a conversion that follows a touch."""
        return np.asarray(self.converted & (self.lengths > 0))

    @property
    def untouched(self) -> tuple[int, float]:
        """Conversions without a touch, and their value."""
        alone = self.converted & (self.lengths == 0)
        return int(alone.sum()), float(self.value[alone].sum())

    def only(self, kept: Bools) -> Paths:
        """Some of the paths, by a mask over them."""
        touch = kept[self.path]
        return replace(
            self,
            begins=np.append(0, np.cumsum(self.lengths[kept])).astype(np.int64),
            channel=self.channel[touch], age=self.age[touch], converted=self.converted[kept], value=self.value[kept],
            customer=self.customer[kept], until=self.until[kept], turn=self.turn[kept],
            margin=None if self.margin is None else self.margin[kept],
        )  # fmt: skip

    def between(self, start: int | None, end: int | None) -> Paths:
        """The paths that end in a span of instants, without its end; None is open."""
        low = np.iinfo(np.int64).min if start is None else start
        high = np.iinfo(np.int64).max if end is None else end
        return self.only((self.until >= low) & (self.until < high))

    def trimmed(self) -> Paths:
        """Without the names of channels that no touch of these paths bears."""
        used = np.bincount(self.channel, minlength=len(self.names)) > 0
        names = [name for name, there in zip(self.names, used.tolist(), strict=True) if there]
        return replace(self, channel=(np.cumsum(used) - 1)[self.channel], names=names)

    @classmethod
    def of(cls, paths: Sequence[tuple[Sequence[str], float | None]]) -> Paths:
        """From names of channels with the value of the conversion that they led to, or None; all of one age."""
        names = sorted({name for channels, _ in paths for name in channels})
        place = {name: i for i, name in enumerate(names)}
        lengths = [len(channels) for channels, _ in paths]
        channel = np.array([place[name] for channels, _ in paths for name in channels], np.int64)
        return cls(
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), channel, np.zeros(len(channel)),
            np.array([value is not None for _, value in paths], bool),
            np.array([value or 0.0 for _, value in paths], np.float64), names,
        )  # fmt: skip
