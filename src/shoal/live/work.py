"""What the atoms of some segments ask for, so that customers are gone through once: bounds, marks, and comparisons of marks.

A mark is the instant of the k-th newest match, or of the one by which the newest amounts come to k; of traits it is the value
that stands. See ``loops.block``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from shoal.live import layout as at

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    Ints: TypeAlias = npt.NDArray[np.int64]

NONE = -1


class Work(NamedTuple):
    """Arrays of integers.

    Args:
        spans: the tables of which bounds are looked up.
        streams: of each the sort, the place of its table among ``spans``, table, filter, column, and which of ``wanted`` and of
            ``reach`` are its own.
        wanted: of each mark the k.
        reach: windows that look at a stream's marks.
        compares: atoms as windows of marks: the atom, the place of its table, mark, window, whether a mark may lie ahead, and a
            column that mustn't hold amounts below 0.
        truths: atoms as truths of values: the atom, the place of its table, mark.
        others: atoms that are worked out customer by customer.
    """

    spans: Ints
    streams: Ints
    wanted: Ints
    reach: Ints
    compares: Ints
    truths: Ints
    others: Ints


def is_backward(atom: Ints, frames: Ints) -> bool:
    """Whether the k-th newest match up to the instant itself decides, or the total of the newest."""
    return atom[at.SORT] in (at.KTH, at.TOTAL) and atom[at.K] > 0 and _ends_now(frames[atom[at.WINDOW]])


def _ends_now(frame: Ints) -> bool:
    return bool(frame[at.HIGH_MUL] == 1 and frame[at.HIGH_ADD] == 1 and frame[at.CAP] >= at.FAR)


def work_of(asked: Iterable[int], atoms: Ints, frames: Ints) -> Work:
    """What atoms ask.

    Args:
        asked: the atoms.
        atoms: all, each as a row of ``layout``.
        frames: of all windows.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    others = []
    for place in asked:
        key = _stream_of(atoms[place], frames)
        if key is None:
            others.append(place)
        else:
            groups.setdefault(key, []).append(place)
    spans = sorted({key[1] for key in groups})
    streams, wanted, reach, compares, truths = (
        [],
        list[int](),
        list[int](),
        list[tuple[int, ...]](),
        list[tuple[int, ...]](),
    )
    for (sort, table, flag, column), places in groups.items():
        span, first, least = spans.index(table), len(wanted), len(reach)
        marks = sorted({int(atoms[a, at.K]) for a in places}) if sort != at.TRAIT else [0]
        wanted += marks
        reach += sorted({int(atoms[a, at.WINDOW]) for a in places})
        streams.append((sort, span, table, flag, column, first, len(wanted), least, len(reach)))
        for a in places:
            if atoms[a, at.SORT] == at.TRAIT:
                truths.append((a, span, first))
            else:
                mark = first if sort == at.TRAIT else first + marks.index(int(atoms[a, at.K]))
                only = column if sort == at.TOTAL else NONE
                compares.append((a, span, mark, int(atoms[a, at.WINDOW]), int(sort == at.TRAIT), only))
    return Work(
        _array(spans),
        _array(streams, 9),
        _array(wanted),
        _array(reach),
        _array(compares, 6),
        _array(truths, 3),
        _array(others),
    )


def _stream_of(atom: Ints, frames: Ints) -> tuple[int, int, int, int] | None:
    """The stream on which an atom's mark stands; None where there is none."""
    sort, table = int(atom[at.SORT]), int(atom[at.TABLE])
    if is_backward(atom, frames):
        column = int(atom[at.COLUMN]) if sort == at.TOTAL else NONE
        return sort, table, int(atom[at.FLAG]), column
    is_instant = sort == at.WHEN and atom[at.MANY] == 0 and _ends_now(frames[atom[at.WINDOW]])
    if sort == at.TRAIT or is_instant:
        return at.TRAIT, table, NONE, int(atom[at.COLUMN])
    return None


def _array(values: Sequence[int | tuple[int, ...]], width: int = 0) -> Ints:
    return np.array(values, np.int64).reshape((-1, width) if width else -1)
