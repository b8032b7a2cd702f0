"""What the terms of statistics and of this product mean, in one or two sentences: one hover away from where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

GLOSSARY: Mapping[str, str] = {
    "base": "All customers that count here, members of the segment or not. What is grey stands for them.",
    "interval": "Where the true value lies with a probability of 95 %, judged by how many customers there are and how "
    "much they differ. A wide one says: there are too few to be sure.",
    "lift": "How many times as common something is among these customers as among all. 2 means twice as common.",
    "n": "How many customers the figure rests on.",
    "median": "Half of them lie below it, half above. A few very large values don't move it.",
    "percentile": "The value below which this share of them lies.",
    "p value": "How often chance alone would show a difference at least this large if there were none. "
    "Small: hard to explain by chance.",
    "corrected": "Made stricter because many things were looked at: among twenty comparisons one looks striking by chance.",
    "sample ratio": "Whether the groups have the sizes that they were meant to have. If not, something is wrong with who was "
    "let in, and no result can be trusted.",
    "guardrail": "A figure that must not get worse, whatever else gets better.",
    "holdout": "Customers who get nothing on purpose, so that there is somebody to compare with.",
    "variance reduction": "What is known of customers from before the start is taken out of the differences between them, "
    "so that the same effect is seen with fewer of them.",
    "calibration": "Whether what was said to happen with 30 % happens 30 times in a hundred.",
    "decile": "Customers in ten groups of the same size, by their score.",
    "backtest": "The prediction is made with what was known at an earlier date, and held against what happened since.",
    "score": "A number that a model gives to each customer: how likely or how much something is.",
    "churn": "A customer who doesn't come back, or whose contract ends.",
    "retention": "The share of customers who came back in a later period.",
    "cohort": "Customers who began in the same period.",
    "lifecycle": "Where a customer stands: new, kept, brought back, or gone silent.",
    "RFM": "Recency, frequency, monetary value: how lately, how often and for how much somebody bought, each in five classes.",
    "reach": "How many of them may be written to on a channel: they have an address there, and nothing speaks against it.",
    "consent": "What a customer has agreed to, by purpose. Who hasn't is never written to for it.",
    "live": "Memberships change the moment an event arrives or a time limit passes.",
    "scheduled": "Memberships are worked out anew at set times, not with each event.",
    "freshness": "How long it takes from an event until the memberships that it changes can be read.",
    "overlap": "Customers who are in both segments at once.",
    "migration": "Who was in which segment at the first date and where they are at the second.",
    "conversion": "The share of those who did a step who did the next one.",
    "drop-off": "Those who did a step and never did the next one.",
    "persona": "A typical customer of a group, made of what sets the group apart from all others.",
    "customer value": "What a customer has brought, or is expected to bring, over the time that is said.",
    "cut point": "A limit that the data itself sets, as that of the best tenth by revenue. "
    "It is kept until it is worked out anew.",
    "merged": "Two identifiers turned out to be one customer, and their histories became one.",
    "quality card": "What speaks for and against using this segment: its size, how it moves, how complete its data are.",
}  # fmt: skip


def meaning(term: str) -> str:
    """What a term means.

    Raises:
        KeyError: it isn't in the glossary; a page must not name it then.
    """
    return GLOSSARY[term]
