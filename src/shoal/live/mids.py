"""Message ids of a table's base, which order entries of one instant: eight bytes each where they are sixteen hex digits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


class Mids:
    """A list of texts that doesn't grow.

    Args:
        numbers: each text as the number of its sixteen hex digits.
        raw: or all texts in one, …
        ends: … and where each ends.
    """

    def __init__(
        self,
        numbers: npt.NDArray[np.uint64] | None = None,
        raw: bytes = b"",
        ends: npt.NDArray[np.int64] | None = None,
    ) -> None:
        self.numbers, self.raw, self.ends = numbers, raw, ends

    @classmethod
    def of(cls, texts: Sequence[str] | Mids) -> Mids:
        """The texts, as they fit."""
        if isinstance(texts, Mids):
            return texts
        raw = [text.encode() for text in texts]
        if raw and all(len(one) == 16 and _is_hex(one) for one in raw):
            return cls(np.array([int(one, 16) for one in raw], np.uint64))
        return cls(None, b"".join(raw), np.cumsum(np.fromiter(map(len, raw), np.int64, len(raw))))

    def __len__(self) -> int:
        found: npt.NDArray[Any] | None = self.ends if self.numbers is None else self.numbers
        return 0 if found is None else len(found)

    def __getitem__(self, index: int) -> str:
        if self.numbers is not None:
            return f"{int(self.numbers[index]):016x}"
        assert self.ends is not None
        begin = int(self.ends[index - 1]) if index else 0
        return self.raw[begin : int(self.ends[index])].decode()

    @property
    def nbytes(self) -> int:
        """What they take in memory."""
        arrays: list[Any] = [a for a in (self.numbers, self.ends) if a is not None]
        return len(self.raw) + sum(int(a.nbytes) for a in arrays)


def _is_hex(raw: bytes) -> bool:
    return not raw.strip(b"0123456789abcdef")
