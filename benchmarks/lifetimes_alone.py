"""Fits and scores with ``lifetimes`` what a file holds, and prints what it cost: runs in an interpreter without Shoal.

python lifetimes_alone.py purchases.npz 52
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings


def main() -> None:
    """Read, fit, score, print JSON."""
    import lifetimes
    import numpy as np

    warnings.simplefilter("ignore")
    with np.load(sys.argv[1]) as held:
        x, last, age, spend = (held[name] for name in ("x", "last", "age", "spend"))
    horizon, cost = float(sys.argv[2]), {}
    orders, paid = lifetimes.BetaGeoFitter(), lifetimes.GammaGammaFitter()
    # Spend can be fitted only where there was a repeat purchase; the package says so itself.
    again = (x > 0) & (spend > 0)

    def fit() -> None:
        orders.fit(x, last, age)
        paid.fit(x[again], spend[again])

    def score() -> None:
        orders.conditional_probability_alive(x, last, age)
        ahead = orders.conditional_expected_number_of_purchases_up_to_time(horizon, x, last, age)
        np.asarray(ahead) * np.asarray(paid.conditional_expected_average_profit(x, spend))

    for name, action in (("fit", fit), ("score", score)):
        wall, cpu = time.perf_counter(), time.process_time()
        action()
        cost[name] = {
            "cpu_s": round(time.process_time() - cpu, 3),
            "wall_s": round(time.perf_counter() - wall, 3),
            "repeats": 1,
        }
    print(
        json.dumps(
            {
                **cost,
                "parameters": {key: round(float(value), 4) for key, value in orders.params_.items()},
                "version": lifetimes.__version__,
                "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            }
        )
    )


if __name__ == "__main__":
    main()
