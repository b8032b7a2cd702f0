"""Fit and score the purchase models on drawn customers, beside ``lifetimes`` and the plain way.

    python -m benchmarks.btyd --customers 1000000

The plain way is a first attempt with scipy: the likelihood of all rows, a search that takes its slopes by differences, the
published expectation with its Gauss function for every row. ``lifetimes`` isn't maintained any more and wants libraries of
its time, so that it runs in an interpreter of its own, which the environment variable ``LIFETIMES_PYTHON`` names.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.measure import apart, surroundings, timed
from shoal.insight.models.btyd import BetaGeometric, GammaGamma, ModifiedBetaGeometric, ParetoNBD, Purchases, value

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shoal.insight.models.btyd import RepeatModel

# A year ahead, in weeks.
HORIZON = 52.0
INTERPRETER = "LIFETIMES_PYTHON"
TRUE = {
    "BG/NBD": BetaGeometric(0.2426, 4.4136, 0.7929, 2.4259),
    "MBG/NBD": ModifiedBetaGeometric(0.5248, 6.1831, 0.8914, 1.6140),
    "Pareto/NBD": ParetoNBD(0.5533, 10.5777, 0.6062, 11.6687),
}
SPEND = GammaGamma(6.25, 3.744, 15.444)


def drawn(name: str, customers: int, seed: int) -> Purchases:
    """Customers who came over two years, drawn from the published CDNOW parameters, in whole days."""
    age = np.random.default_rng(seed).integers(1, 730, customers) / 7
    model = TRUE[name]
    raw = model.simulate(age, seed)
    # A purchase on the day of the first one is part of it.
    recency = np.round(raw.recency * 7) / 7
    frequency = np.where(recency > 0, raw.frequency, 0.0)
    return Purchases(frequency, recency, age, "weeks", spend=SPEND.simulate(frequency, seed + 1))


def ours(name: str, customers: int, seed: int) -> dict[str, Any]:
    """Fit, then P(active), expected orders and value of every customer."""
    purchases = drawn(name, customers, seed)
    found: dict[str, Any] = {}

    def fit() -> None:
        found["model"] = type(TRUE[name]).fitted(purchases)
        found["spend"] = GammaGamma.fitted(purchases)

    def score() -> None:
        model: RepeatModel = found["model"]
        model.active(purchases, HORIZON)
        value(model, found["spend"], purchases, horizon=HORIZON)

    fitting, scoring = timed(fit), timed(score)
    how = found["model"].fit
    return {
        "fit": fitting,
        "score": scoring,
        "rows": how.rows,
        "converged": how.converged,
        "parameters": {key: round(number, 4) for key, number in how.parameters.items()},
        "log_likelihood": round(how.log_likelihood, 3),
    }


def plain(customers: int, seed: int) -> dict[str, Any]:
    """BG/NBD without collapsed rows, slopes or a scaled expectation."""
    purchases = drawn("BG/NBD", customers, seed)
    found: dict[str, Any] = {}

    def fit() -> None:
        from scipy.optimize import minimize

        result = minimize(_plain_loss, np.zeros(4), args=(purchases,), method="L-BFGS-B")
        found["logs"], found["loss"] = result.x, result.fun

    def score() -> None:
        _plain_expected(np.exp(found["logs"]), purchases, HORIZON)

    return {
        "fit": timed(fit),
        "score": timed(score),
        "parameters": [round(float(number), 4) for number in np.exp(found["logs"])],
        "log_likelihood": round(-float(found["loss"]) * customers, 3),
    }


def lifetimes(interpreter: str, customers: int, seed: int) -> dict[str, Any]:
    """The same customers with ``lifetimes``: BG/NBD and Gamma-Gamma, P(alive), expected orders and spend of each.

    Args:
        interpreter: a Python that can import it.
        customers: how many.
        seed: of the draw.

    Raises:
        RuntimeError: it failed; its own words stand on standard error.
    """
    purchases = drawn("BG/NBD", customers, seed)
    assert purchases.spend is not None
    with tempfile.TemporaryDirectory(prefix="shoal-bench-") as folder:
        path = Path(folder) / "purchases.npz"
        np.savez(path, x=purchases.frequency, last=purchases.recency, age=purchases.age, spend=purchases.spend)
        script = Path(__file__).parent / "lifetimes_alone.py"
        done = subprocess.run(
            [interpreter, str(script), str(path), str(HORIZON)], stdout=subprocess.PIPE, text=True, check=False
        )
    if done.returncode:
        raise RuntimeError(f"lifetimes failed in {INTERPRETER}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measured(customers: int, seed: int) -> dict[str, Any]:
    """BG/NBD, the plain way, and ``lifetimes`` where an interpreter for it is named; each in a process of its own."""
    found = {"ours": apart(ours, "BG/NBD", customers, seed), "plain": apart(plain, customers, seed)}
    interpreter = os.environ.get(INTERPRETER)
    if interpreter:
        found["lifetimes"] = lifetimes(interpreter, customers, seed)
    return {"customers": customers, **found}


def _plain_loss(logs: NDArray[np.float64], purchases: Purchases) -> float:
    from scipy.special import betaln, gammaln

    r, alpha, a, b = np.exp(logs)
    x, last, age = purchases.frequency, purchases.recency, purchases.age
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    stays = betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + age)
    left = (
        np.log(a) - np.log(b + np.maximum(x, 1) - 1) + betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + last)
    )
    return -float(np.mean(common + np.where(x > 0, np.logaddexp(stays, left), stays)))


def _plain_expected(theta: NDArray[np.float64], purchases: Purchases, horizon: float) -> NDArray[np.float64]:
    from scipy.special import hyp2f1

    r, alpha, a, b = theta
    x, last, age = purchases.frequency, purchases.recency, purchases.age
    series = hyp2f1(r + x, b + x, a + b + x - 1, horizon / (alpha + age + horizon))
    ahead = (a + b + x - 1) / (a - 1) * (1 - ((alpha + age) / (alpha + age + horizon)) ** (r + x) * series)
    odds = np.where(x > 0, a / (b + np.maximum(x, 1) - 1) * ((alpha + age) / (alpha + last)) ** (r + x), 0.0)
    return np.asarray(ahead / (1 + odds))


def main() -> None:
    """Measure each in a process of its own, and print it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--without-plain", action="store_true")
    chosen = parser.parse_args()
    found = {name: apart(ours, name, chosen.customers, chosen.seed) for name in TRUE}
    if not chosen.without_plain:
        found["BG/NBD, the plain way"] = apart(plain, chosen.customers, chosen.seed)
    print(json.dumps({"customers": chosen.customers, "machine": surroundings(), "results": found}, indent=1))


if __name__ == "__main__":
    main()
