"""Compiled loops are kept on disk where some place can be written to."""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def has_numba() -> bool:
    """Whether compiled loops are at hand and wanted: ``SHOAL_NUMBA=0`` does without."""
    return os.environ.get("SHOAL_NUMBA", "1") != "0" and find_spec("numba") is not None


def cached(loop: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a loop when it is first called, and keep it for the next process.

    numba looks for a place itself: beside the source, else in the user's cache, or where ``NUMBA_CACHE_DIR`` says.
    """
    import numba

    try:
        compiled: Any = numba.njit(cache=True, nogil=True)(loop)
    except RuntimeError:
        # There is no place: it is compiled anew in each process.
        return numba.njit(nogil=True)(loop)  # type: ignore[no-any-return]
    kept = getattr(compiled._cache, "_cache_file", None)
    if kept is not None:
        # numba looks at the loop's own file only, and not at those whose loops it calls.
        kept._source_stamp = (*kept._source_stamp, *_stamp())
    return compiled  # type: ignore[no-any-return]


@cache
def _stamp() -> tuple[tuple[str, int, int], ...]:
    """Of each file that loops are made of, its name, when it was written last, and its size."""
    place = Path(__file__).parent
    files = [*sorted((place / "loops").glob("*.py")), place / "layout.py", place / "forms.py"]
    return tuple((file.name, stat.st_mtime_ns, stat.st_size) for file in files for stat in [file.stat()])
