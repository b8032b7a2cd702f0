"""Made customers and events as Parquet, of any size, in bounded memory; equal arguments give equal files.

Who acts follows Zipf and Mandelbrot's law (s = 1, q = 1,000): of 30 million events of a million customers, half of the
customers have nine or fewer and the busiest some four thousand. Twelve event types, two years, in order of arrival.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

TYPES = {
    "page_view": 40.0, "product_view": 20.0, "search": 10.0, "add_to_cart": 8.0, "visit": 8.0, "email_open": 5.0,
    "email_click": 2.0, "purchase": 3.0, "refund": 0.3, "support_ticket": 0.5, "login": 2.0, "wishlist": 1.2,
}  # fmt: skip
"""The event types, each with its weight."""
PRICED = ("product_view", "add_to_cart", "purchase", "refund")
"""The event types that bear an amount."""
COUNTRIES = (
    "US", "DE", "FR", "GB", "IN", "BR", "JP", "CA", "IT", "ES", "NL", "PL", "SE", "AU", "MX", "KR", "TR", "CH",
    "AT", "BE", "NO", "DK", "FI", "PT", "IE", "CZ", "GR", "RO", "HU", "ZA",
)  # fmt: skip
PLANS = {"free": 0.6, "basic": 0.25, "pro": 0.12, "enterprise": 0.03}
BEGIN = 1_704_067_200
"""The first instant, in seconds: 2024-01-01 UTC."""
SPAN = 730 * 86_400
CHUNK = 1_000_000
_SHIFT = 1_000.0


@dataclass(frozen=True, slots=True)
class Size:
    """How many customers and events."""

    customers: int
    events: int


FULL = Size(1_000_000, 30_000_000)
QUICK = Size(50_000, 1_500_000)
TINY = Size(2_000, 40_000)


def generate(folder: Path, size: Size, seed: int = 42) -> Path:
    """Write ``customers.parquet`` and ``events.parquet``, unless they are there.

    Args:
        folder: where the folder of this size is made.
        size: how much.
        seed: of all draws.

    Returns:
        The folder of this size.
    """
    import numpy as np

    place = folder / f"{size.customers}x{size.events}-{seed}"
    done = place / "done"
    if not done.exists():
        place.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(seed)
        _write_customers(place / "customers.parquet", size.customers, random)
        _write_events(place / "events.parquet", size, random)
        done.touch()
    return place


def _write_customers(path: Path, customers: int, random: np.random.Generator) -> None:
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    signup = BEGIN + SPAN - (random.beta(1, 1.5, customers) * SPAN * 1.5).astype(np.int64)
    table = {
        "customer_id": np.arange(1, customers + 1, dtype=np.int64),
        "country": _words(COUNTRIES, (random.zipf(1.3, customers) - 1) % len(COUNTRIES)),
        "plan": _words(PLANS, random.choice(len(PLANS), customers, p=list(PLANS.values()))),
        "age": np.clip(random.normal(40, 14, customers), 18, 90).astype(np.int32),
        "signup": _instants(signup),
    }
    parquet.write_table(pa.table(table), path, compression="zstd")


def _write_events(path: Path, size: Size, random: np.random.Generator) -> None:
    """Chunk by chunk, each a later part of the two years."""
    import numpy as np
    from pyarrow import parquet

    who = random.permutation(size.customers) + 1
    writer = None
    for first in range(0, size.events, CHUNK):
        last = min(first + CHUNK, size.events)
        low, high = (SPAN * edge // size.events for edge in (first, last))
        seconds = np.sort(random.integers(low, high, last - first))
        table = _events(who, BEGIN + seconds, random)
        writer = writer or parquet.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()


def _events(who: np.ndarray[Any, Any], seconds: np.ndarray[Any, Any], random: np.random.Generator) -> Any:
    import numpy as np
    import pyarrow as pa

    rows, customers = len(seconds), len(who)
    rank = _SHIFT * ((customers + _SHIFT) / _SHIFT) ** random.random(rows) - _SHIFT
    weights = np.array(list(TYPES.values()))
    kind = np.searchsorted(np.cumsum(weights / weights.sum()), random.random(rows)).clip(0, len(TYPES) - 1)
    priced = np.isin(kind, [list(TYPES).index(name) for name in PRICED])
    amount = np.round(np.exp(random.normal(3.7, 1.0, rows)), 2)
    return pa.table(
        {
            "customer_id": who[np.minimum(rank.astype(np.int64), customers - 1)],
            "event": _words(TYPES, kind),
            "ts": _instants(seconds),
            "amount": pa.array(amount, mask=~priced),
        }
    )


def _words(words: Any, numbers: np.ndarray[Any, Any]) -> Any:
    import numpy as np
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(numbers.astype(np.int8)), list(words)).cast(pa.string())


def _instants(seconds: np.ndarray[Any, Any]) -> Any:
    import pyarrow as pa

    return pa.array(seconds * 1_000_000, pa.timestamp("us"))
