"""p-values corrected for how many were looked at: each comes back in its place, to be held against the level itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.errors import Refused

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def bonferroni(p: ArrayLike) -> NDArray[Any]:
    """Times their number: holds the chance of even one false finding, whatever the tests have in common.

    Raises:
        Refused: for a value outside 0 … 1.

    >>> bonferroni([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.12, 0.09]
    """
    values = _checked(p)
    return (values * len(values)).clip(max=1.0)


def holm(p: ArrayLike) -> NDArray[Any]:
    """Holm's steps down (1979, JSTOR 4615733): holds what ``bonferroni`` holds, and finds at least as much.

    Raises:
        Refused: for a value outside 0 … 1.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    import numpy as np

    values = _checked(p)
    order = np.argsort(values, kind="stable")
    raised = values[order] * np.arange(len(values), 0, -1)
    return _placed(np.maximum.accumulate(raised), order)


def benjamini_hochberg(p: ArrayLike) -> NDArray[Any]:
    """Corrected for the share of false findings among all findings (Benjamini & Hochberg 1995, JSTOR 2346101).

    Raises:
        Refused: for a value outside 0 … 1.

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.04, 0.04]
    """
    import numpy as np

    values = _checked(p)
    n = len(values)
    order = np.argsort(values, kind="stable")
    raised = values[order] * n / np.arange(1, n + 1)
    return _placed(np.minimum.accumulate(raised[::-1])[::-1], order)


def benjamini_yekutieli(p: ArrayLike) -> NDArray[Any]:
    """The same whatever the tests have in common (Benjamini & Yekutieli 2001, doi:10.1214/aos/1013699998).

    Raises:
        Refused: for a value outside 0 … 1.
    """
    import numpy as np

    corrected = benjamini_hochberg(p)
    return np.asarray((corrected * (1 / np.arange(1, len(corrected) + 1)).sum()).clip(max=1.0))


def _checked(p: ArrayLike) -> NDArray[Any]:
    import numpy as np

    values = np.asarray(p, dtype=float)
    if not ((values >= 0) & (values <= 1)).all():
        raise Refused("A p-value lies between 0 and 1.")
    return values


def _placed(sorted_values: NDArray[Any], order: NDArray[Any]) -> NDArray[Any]:
    """The values in the places that they came from, none above 1."""
    import numpy as np

    out = np.empty(len(order))
    out[order] = np.minimum(sorted_values, 1.0)
    return out
