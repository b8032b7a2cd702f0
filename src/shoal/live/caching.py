"""Compiled loops are kept on disk where some place can be written to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def cached(loop: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a loop when it is first called, and keep it for the next process.

    numba looks for a place itself: beside the source, else in the user's cache, or where ``NUMBA_CACHE_DIR`` says.
    """
    import numba

    try:
        compiled: Callable[..., Any] = numba.njit(cache=True, nogil=True)(loop)
    except RuntimeError:
        # There is no place: it is compiled anew in each process.
        compiled = numba.njit(nogil=True)(loop)
    return compiled
