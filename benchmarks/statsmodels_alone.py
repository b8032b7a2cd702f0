"""The result of the made experiment with pandas and statsmodels, and what it cost: runs in an interpreter without Shoal.

python statsmodels_alone.py FOLDER

It reads Parquet, counts for each customer before and after the exposure, and tests each metric in each arm as Shoal does: Welch
with CUPED, money cut at the 99.9 % quantile and bootstrapped over a thousand groups, the ratio by the delta method, Holm and
Benjamini-Hochberg, and the sizes of arms.
"""

from __future__ import annotations

import json
import resource
import sys
import time

ARMS = ("control", "offer", "bundle")
DAY = 86_400_000_000


def main() -> None:
    """Do it, and print JSON."""
    import numpy as np
    import pandas as pd
    import statsmodels
    from statsmodels.stats.gof import chisquare
    from statsmodels.stats.multitest import multipletests
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    folder = sys.argv[1]

    def adjusted(value, past):
        """Less theta times how far the past is from its mean; theta is pooled within arms."""
        above = sum(((value[m] - value[m].mean()) * (past[m] - past[m].mean())).sum() for m in masks)
        below = sum(((past[m] - past[m].mean()) ** 2).sum() for m in masks)
        return value - above / below * (past - past.mean())

    def tested(name, values, control=None):
        base = DescrStatsW(values[0] if control is None else control)
        for arm, mine in zip(ARMS[1:], values[1:], strict=True):
            both = CompareMeans(DescrStatsW(mine), base)
            p = both.ttest_ind(usevar="unequal")[1]
            both.tconfint_diff(usevar="unequal")
            rows.append([name, arm, both.d1.mean - both.d2.mean, both.std_meandiff_separatevar])
            ps[name].append(p)

    wall, cpu = time.perf_counter(), time.process_time()
    seen = pd.read_parquet(f"{folder}/seen.parquet")
    units = seen.groupby("customer_id").agg(begin=("ts", "min"), arm=("arm", "first"))
    del seen
    end = units["begin"].min() + 28 * DAY
    units = units[units["begin"] <= end]
    for name in ("visit", "purchase"):
        events = pd.read_parquet(f"{folder}/{name}.parquet")
        events = events.merge(units[["begin"]], left_on="customer_id", right_index=True)
        for part, kept in (
            ("now", (events.ts >= events.begin) & (events.ts <= end)),
            ("past", (events.ts < events.begin) & (events.ts >= events.begin - 28 * DAY)),
        ):
            grouped = events[kept].groupby("customer_id")
            units[f"{name}_{part}"] = grouped.size()
            if name == "purchase":
                units[f"spent_{part}"] = grouped["amount"].sum() / 1e6
        del events
    units = units.fillna({c: 0.0 for c in units.columns if c not in ("begin", "arm")})
    arm = units["arm"].to_numpy()
    masks = [arm == name for name in ARMS]
    rows, ps = [], {name: [] for name in ("spent", "visited", "bought", "orders", "basket")}
    cap = units["spent_now"].quantile(0.999)
    pairs = {
        "spent": (units["spent_now"].clip(upper=cap), units["spent_past"]),
        "visited": (units["visit_now"] > 0, units["visit_past"] > 0),
        "bought": (units["purchase_now"] > 0, units["purchase_past"] > 0),
        "orders": (units["purchase_now"], units["purchase_past"]),
    }
    for name, (value, past) in pairs.items():
        found = adjusted(value.to_numpy(float), past.to_numpy(float))
        tested(name, [found[m] for m in masks])
    # A ratio is a straight line near itself, and so is the ratio before.
    money, count = units["spent_now"].to_numpy(), units["purchase_now"].to_numpy()
    before, per = units["spent_past"].to_numpy(), units["purchase_past"].to_numpy()
    ratios = [money[m].sum() / count[m].sum() for m in masks]
    line = np.zeros(len(units))
    for mask, one in zip(masks, ratios, strict=True):
        line[mask] = (money[mask] - one * count[mask]) / count[mask].mean()
    past = (before - before.sum() / per.sum() * per) / per.mean()
    found = adjusted(line, past)
    tested("basket", [found[m] + one for m, one in zip(masks, ratios, strict=True)])
    multipletests(ps["spent"], method="holm")
    multipletests([p for name in list(ps)[1:] for p in ps[name]], method="fdr_bh")
    sizes = np.array([m.sum() for m in masks])
    chisquare(sizes, np.full(3, sizes.sum() / 3))
    random = np.random.default_rng(0)
    group = random.integers(0, 1000, len(units))
    spent = pairs["spent"][0].to_numpy()
    drawn = []
    for mask in masks:
        sums = np.bincount(group[mask], weights=spent[mask], minlength=1000)
        counts = np.bincount(group[mask], minlength=1000)
        chosen = random.integers(0, 1000, (2000, 1000))
        drawn.append(sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1))
    for mine in drawn[1:]:
        np.quantile(mine - drawn[0], [0.025, 0.975])
    print(
        json.dumps(
            {
                "cpu_s": round(time.process_time() - cpu, 3),
                "wall_s": round(time.perf_counter() - wall, 3),
                "repeats": 1,
                "effects": [[name, arm_, float(value), float(se)] for name, arm_, value, se in rows],
                "version": f"pandas {pd.__version__}, statsmodels {statsmodels.__version__}",
                "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            }
        )
    )


if __name__ == "__main__":
    main()
