"""The graph of identifiers as arrays, and back: what a snapshot on disk holds of it."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.customers.identity.bearers import Bearers, GraphState
from shoal.customers.identity.graph import Identities
from shoal.customers.identity.packed import PackedTexts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import numpy.typing as npt

    from shoal.customers.identity.rules import IdentityRules

    Array = npt.NDArray[Any]

_COLUMNS = {
    "owner": "i",
    "into": "i",
    "seen": "q",
    "_next": "i",
    "_name": "i",
    "_head": "i",
    "_child": "i",
    "_sibling": "i",
}
"""Columns of ``Bearers``, each with its type code."""


def captured(identities: Identities, copy: Callable[[Array], Array]) -> tuple[list[str], dict[str, Array]]:
    """All that a graph remembers: the names of its kinds, and arrays that are nobody else's.

    Args:
        identities: nothing may change it while this runs.
        copy: how arrays are copied.
    """
    state = identities.state
    bearers = state.bearers
    found = {name.strip("_"): copy(np.frombuffer(getattr(bearers, name), code)) for name, code in _COLUMNS.items()}
    found |= {f"texts.{name}": column for name, column in bearers.texts.columns(copy).items()}
    earlier = [(row, owner, until) for row, pairs in bearers.earlier.items() for owner, until in pairs]
    found["earlier"] = np.array(earlier, np.int64).reshape(-1, 3)
    found["apart"] = _pairs(state.apart)
    found["crowd"] = _pairs(state.crowd)
    found["told"] = np.fromiter(state.told, np.int64, len(state.told))
    return list(bearers.kinds), found


def restored(rules: IdentityRules, kinds: Iterable[str], arrays: Mapping[str, Array]) -> Identities:
    """The graph of ``captured``, under the same rules."""
    bearers = Bearers(())
    bearers.kinds = list(kinds)
    bearers.codes = {kind: code for code, kind in enumerate(bearers.kinds) if code}
    for name, code in _COLUMNS.items():
        setattr(bearers, name, _column(code, arrays[name.strip("_")]))
    bearers.texts = PackedTexts.of(*(arrays[f"texts.{name}"] for name in ("bytes", "ends", "kinds")))
    for row, owner, until in arrays["earlier"].tolist():
        bearers.earlier[row] = (*bearers.earlier.get(row, ()), (owner, until))
    state = GraphState(bearers, told=set(arrays["told"].tolist()))
    for name in ("apart", "crowd"):
        sets: dict[int, set[int]] = getattr(state, name)
        for one, other in arrays[name].tolist():
            sets.setdefault(one, set()).add(other)
    return Identities(rules, state)


def _pairs(sets: Mapping[int, Iterable[int]]) -> npt.NDArray[np.int64]:
    return np.array([(one, other) for one, others in sets.items() for other in others], np.int64).reshape(-1, 2)


def _column(code: str, values: Array) -> array[int]:
    found = array(code)
    found.frombytes(np.ascontiguousarray(values).view(np.uint8).data)
    return found
