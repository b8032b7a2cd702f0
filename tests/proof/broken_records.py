"""Operators broken on purpose. Ranks, lists, consent, merges, and what was known when."""

from __future__ import annotations

from .mutants import Mutant

MEMBER = "shoal.sql.emit.member"
RANK = "shoal.sql.emit.rank"
ENGINE = "shoal.sql.engine"
MEMBERS = "shoal.sql.members"
SUBJECTS = "shoal.sql.subjects"
THRESHOLDS = "shoal.sql.thresholds"
TREES = "shoal.sql.trees"

MUTANTS = (
    Mutant(
        "unknown is no for legitimate interest too",
        "consents to",
        MEMBER,
        "s.true() if unknown else s.false()",
        "s.false()",
    ),
    Mutant("in top: the threshold itself is out", "in top", RANK, 'op = ">=" if', 'op = ">" if'),
    Mutant("in bottom: the threshold itself is out", "in bottom", RANK, 'else "<="', 'else "<"'),
    Mutant(
        "percentile: the low end is out",
        "percentile",
        RANK,
        'compare(value, ">=", low, zone)',
        'compare(value, ">", low, zone)',
    ),
    Mutant(
        "percentile: the high end is out",
        "percentile",
        RANK,
        'compare(value, "<=", high, zone)',
        'compare(value, "<", high, zone)',
    ),
    Mutant(
        "a refresh counts a microsecond late",
        "in top|in bottom|percentile",
        RANK,
        "if r.ts <= frame.start]",
        "if r.ts < frame.start]",
    ),
    Mutant(
        "the first refresh counts for ever",
        "in top|in bottom|percentile",
        RANK,
        "Fraction(past[-1].num, past[-1].den)",
        "Fraction(past[0].num, past[0].den)",
    ),
    Mutant(
        "customers exist a microsecond late",
        "not|is missing|did",
        ENGINE,
        "first_ts <= {frame.start}",
        "first_ts < {frame.start}",
    ),
    Mutant(
        "any consent of a merged customer suffices", "consents to", MEMBERS, 's.call("bool_and", ', 's.call("bool_or", '
    ),
    Mutant(
        "merges that were taken back stay in force",
        "did",
        SUBJECTS,
        "FROM merges WHERE undone IS NULL ORDER",
        "FROM merges ORDER",
    ),
    Mutant(
        "a merge counts a microsecond late",
        "did|value|is known|compare",
        SUBJECTS,
        "FROM merges WHERE received <= ?",
        "FROM merges WHERE received < ?",
    ),
    Mutant(
        "a merge taken back at K is in force at K",
        "did|value|is known|compare",
        SUBJECTS,
        "undone > ?)",
        "undone >= ?)",
    ),
    Mutant(
        "who became known at K isn't there at K",
        "not|is missing|did",
        SUBJECTS,
        "received <= {known_at:d} AND",
        "received < {known_at:d} AND",
    ),
    Mutant(
        "a threshold received at K isn't known at K",
        "in top|in bottom|percentile",
        THRESHOLDS,
        "received <= ?)",
        "received < ?)",
    ),
    Mutant("never is ignored", "never", TREES, "found if self.never is None else", "found if True else"),
    Mutant(
        "always wins over never",
        "never",
        TREES,
        "found if self.never is None else",
        "found if self.never is None or self.always is not None else",
    ),
)
