"""Value and churn of a whole store: one run of ``ws.models.predict`` as it is called, and one by its steps."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Cost

if TYPE_CHECKING:
    from pathlib import Path

SEED = 7
MODELS = ("value", "churn")


def whole(folder: Path) -> dict[str, Any]:
    """A first run, which fits, and a second one, which only scores: as each night."""
    import shoal

    first, again = Cost(), Cost()
    with shoal.open(folder) as ws:
        with first.measured():
            done = ws.models.predict(MODELS)
        with again.measured():
            ws.models.predict(MODELS)
        ((customers,),) = ws.store.rows("SELECT count(*) FROM customers")
    return {
        "fitted": first.document(),
        "again": again.document(),
        "customers": customers,
        "buyers": max(version.evidence.customers for version in done.versions.values()),
        "changed": sum(done.changed.values()),
        "refused": dict(done.refused),
    }


def by_step(folder: Path) -> dict[str, Any]:
    """The same by its steps, through the doors that a run goes through; nothing is published."""
    import shoal
    from shoal.errors import Refused
    from shoal.insight.models.kinds import kind

    costs = {step: Cost() for step in ("import", "read", "fit", "try on earlier data", "score", "write")}
    with shoal.open(folder) as ws:
        with costs["import"].measured():
            kinds = {name: kind(ws.models.settings(name).kind) for name in MODELS}
        with ws.models.as_of() as known:
            with costs["read"].measured():
                known.purchases()
            for name, made in kinds.items():
                settings = ws.models.settings(name)
                with costs["fit"].measured():
                    model = made.fitted(known, settings)
                with costs["try on earlier data"].measured(), suppress(Refused):
                    made.backtest(known, settings, periods=1)
                with costs["score"].measured():
                    scores = model.scores(known)
                with costs["write"].measured():
                    ws.models.put(f"model {name}", scores, known.at, {})
    return {"steps_cpu_s": {step: round(sum(cost.cpu), 2) for step, cost in costs.items()}}
