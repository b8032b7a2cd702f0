"""Whether chance drew the arms: without that, what a treatment does to whom can't be told by comparing them."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from shoal.errors import Refused
from shoal.insight.uplift.learners import dealt, trees
from shoal.stats import scoring
from shoal.stats.experiments.sample_ratio import sample_ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.insight.uplift.fit import Sample
    from shoal.insight.uplift.learners import Bools, Floats

MOST_TOLD = 0.53
"""Arms that what was known before tells apart better than this (AUC; 0.5 is chance) weren't drawn by chance."""
_SURE = 0.999
_FAR = 3.29
"""Standard errors that chance passes once in a thousand."""
_MOST_NAMED = 3
_SEED = 2


def hold_sizes(names: Sequence[str], sizes: Sequence[int], weights: Sequence[float]) -> None:
    """Refuse arms whose sizes chance doesn't explain.

    Raises:
        Refused: with the sizes.
    """
    if not min(sizes):
        empty = names[sizes.index(0)]
        raise Refused(
            f"Nobody is in the arm {empty!r}, so there is nothing to compare.", fix="Name arms as the data do."
        )
    found = sample_ratio(sizes, weights)
    if found.fails:
        said = ", ".join(
            f"{name} {n:,} (planned {e:,.0f})" for name, n, e in zip(names, sizes, found.expected, strict=True)
        )
        raise Refused(
            f"Arms aren't as large as they were to be: {said}; p = {found.p:.3g}. Something lost customers of one arm, and "
            "those who are left aren't alike any more.",
            fix="Look for the cause: shoal experiment result says where it shows.",
        )


def hold_values(known: Bools, treated: Bools, arm: str) -> None:
    """Refuse a metric of which one arm has more values than the other: then the treatment itself decides who is looked at.

    Raises:
        Refused: with both shares.
    """
    one, other = known[treated], known[~treated]
    if not one.size or not other.size:
        return
    share = known.mean()
    error = sqrt(share * (1 - share) * (1 / one.size + 1 / other.size))
    if abs(one.mean() - other.mean()) > _FAR * error > 0:
        raise Refused(
            f"The metric has a value for {one.mean():.1%} of {arm} and {other.mean():.1%} of the control: the treatment decides "
            "who is looked at, so those who are aren't alike any more.",
            fix="Take a metric that everybody has, as a sum or a share of all.",
        )


def hold_alike(sample: Sample, names: Sequence[str]) -> None:
    """Refuse arms that what was known before tells apart.

    A model learns who is in which arm from half of the units and is held against the other half. Where chance drew them it
    can't, up to chance.

    Raises:
        Refused: with how well, and by which columns.
    """
    found = scoring.auc_interval(sample.treated, propensities(sample), _SURE)
    if found.low <= 0.5 or found.value < MOST_TOLD:
        return
    telling = _telling(sample, names)
    by = f"; most by {', '.join(telling)}" if telling else ""
    raise Refused(
        f"What was known before tells who is in which arm (AUC {found.value:.2f}, where chance has 0.50{by}). "
        "Either chance didn't draw the arms, and then what the treatment did to whom can't be told from them; or a feature was "
        "written by the experiment itself.",
        fix="In the second case leave it out: --without NAME.",
    )


def propensities(sample: Sample) -> Floats:
    """The chance of each unit to be treated, as a model of other units foretells it from what was known before."""
    part, found = dealt(sample.treated, 2, _SEED), np.empty(len(sample))
    for half in (0, 1):
        inside, held = part != half, part == half
        model = trees()
        model.fit(sample.x[inside], sample.treated[inside].astype(np.float64))
        found[held] = np.asarray(model.predict(sample.x[held]))  # type: ignore[attr-defined]
    return found


def _telling(sample: Sample, names: Sequence[str]) -> list[str]:
    """The columns that tell the arms apart by themselves, the best first."""
    told = {}
    for i, name in enumerate(names):
        values = np.nan_to_num(sample.x[:, i], nan=-np.finfo(np.float64).max)
        auc = scoring.auc(sample.treated, values)
        told[name] = max(auc, 1 - auc)
    best = sorted((name for name in told if told[name] >= MOST_TOLD), key=lambda name: (-told[name], name))
    return best[:_MOST_NAMED]
