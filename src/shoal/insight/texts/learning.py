"""Learning the weights of sentiment from labelled texts, and what they are worth on texts that weren't seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.errors import Refused
from shoal.insight.texts.sentiment import Weights, marks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MIN_TEXTS = 200
MIN_OF_A_KIND = 50
_SEEN = 3
_C = 5.0
_FOLDS = 5


def learn(texts: Sequence[str], positive: Sequence[bool]) -> Weights:
    """A logistic model of positive against negative texts; the order of the texts doesn't matter.

    Args:
        texts: English texts.
        positive: whether each was labelled positive; leave neutral ones out.

    Raises:
        Refused: for different lengths.
        Refused: fewer than 200 texts or 50 of either label.
    """
    import numpy as np
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression

    truth = _checked(texts, positive)
    order = sorted(range(len(texts)), key=lambda i: (texts[i], bool(truth[i])))
    found = [marks(texts[i]) for i in order]
    count: dict[str, int] = {}
    for one in found:
        for mark in one:
            count[mark] = count.get(mark, 0) + 1
    kept = sorted(mark for mark, n in count.items() if n >= _SEEN)
    column = {mark: j for j, mark in enumerate(kept)}
    rows = [[column[mark] for mark in one if mark in column] for one in found]
    sizes = np.array([len(row) for row in rows])
    data = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes)
    matrix = sparse.csr_matrix(
        (data, np.array([j for row in rows for j in row], dtype=np.int64), np.r_[0, np.cumsum(sizes)]),
        shape=(len(rows), len(kept)),
    )
    model = LogisticRegression(C=_C, solver="newton-cg", tol=1e-6, max_iter=1000).fit(matrix, truth[order])
    return Weights(float(model.intercept_[0]), dict(zip(kept, model.coef_[0].tolist(), strict=True)))


def folds(groups: Sequence[Any], *, seed: int = 0) -> NDArray[Any]:
    """A fold (0 … 4) a text; texts of one group (a review, a customer) are never on both sides.

    Raises:
        Refused: for fewer than five groups.
    """
    import numpy as np

    names, member = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < _FOLDS:
        raise Refused(f"{len(names)} groups can't be parted into {_FOLDS} folds.")
    return np.asarray((np.random.default_rng(seed).permutation(len(names)) % _FOLDS)[member])


def _checked(texts: Sequence[str], positive: Sequence[bool]) -> NDArray[Any]:
    import numpy as np

    truth = np.asarray(positive, dtype=bool)
    if len(texts) != len(truth):
        raise Refused(f"There are {len(truth)} labels for {len(texts)} texts.", fix="Give one label a text.")
    up = int(truth.sum())
    if len(texts) < MIN_TEXTS or min(up, len(texts) - up) < MIN_OF_A_KIND:
        raise Refused(
            f"{up} positive and {len(texts) - up} negative texts are too few to learn from "
            f"({MIN_TEXTS} together and {MIN_OF_A_KIND} of each at least).",
            fix="Use the weights that ship with the package.",
        )
    return truth
