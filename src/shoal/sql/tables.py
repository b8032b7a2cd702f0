"""The store's tables: what each column means. The layout has a version; ``migrations`` brings an older one up.

Conventions, the same in every table:

- instants are BIGINT microseconds since 1970 UTC, dates INTEGER days since then, numbers BIGINT millionths;
- ``ts`` is when something was so, ``received`` when it became known, ``retired`` when a correction or erasure took its
  place (NULL: still in force). ``as of T`` reads rows with ``retired IS NULL``; ``as known at T`` reads rows with
  ``received <= T AND (retired IS NULL OR retired > T)``;
- a message id is ``message_id``, or where that is NULL the text ``printf('%016x', origin)``. ``origin`` is
  ``file << 40 | line``: the row of ``files`` and the line or row (from 1) that it came from; ``file`` 0 is the API;
- physical columns of properties are ``p1``, ``p2`` …, fields of objects ``f1``, ``f2`` …, since the names of two
  properties may differ only in case; ``properties`` and ``item_fields`` hold the names.

An event type has the table ``event_<id>``, kept sorted by (customer, ts) within each load:

    customer INTEGER, ts BIGINT, offset_s INTEGER, message_id VARCHAR, origin BIGINT, received BIGINT, retired BIGINT,
    load INTEGER, p1 …

``offset_s`` is the workspace zone's offset at ``ts``: local time = ts + offset_s × 10^6.

A trait has the table ``trait_<id>``, one row a change:

    owner INTEGER, ts BIGINT, message_id VARCHAR, origin BIGINT, received BIGINT, retired BIGINT, load INTEGER, value …

``owner`` is a key of ``customers``, or of ``accounts`` for a trait whose scope is ``account``. A NULL value clears the
trait. The trait ``account_id`` of a customer (text) names their account.

``identifiers`` says who bears which identifier: in force where ``retired IS NULL``, and then a (kind, value) stands once.
``customer`` is the key it was linked to, not the survivor's of later merges (``merges`` says those, so an unmerge changes
no row here); NULL marks a value set aside as shared. ``identity_changes`` is the merge log in words.
"""

from __future__ import annotations

from shoal.lang.schema import Kind

MESSAGE_ID = "coalesce(message_id, printf('%016x', origin))"
"""A row's message id, or the one that its origin stands for."""

LAYOUT = 3
"""The version of the layout that this release writes."""

PHYSICAL: dict[Kind, str] = {
    Kind.TEXT: "VARCHAR",
    Kind.NUMBER: "BIGINT",
    Kind.YESNO: "BOOLEAN",
    Kind.DATE: "INTEGER",
    Kind.INSTANT: "BIGINT",
    Kind.TEXTS: "VARCHAR[]",
    Kind.POINT: "STRUCT(x BIGINT, y BIGINT, z BIGINT)",
}

EVENT_COLUMNS = (
    "customer INTEGER NOT NULL, ts BIGINT NOT NULL, offset_s INTEGER NOT NULL, message_id VARCHAR, "
    "origin BIGINT NOT NULL, received BIGINT NOT NULL, retired BIGINT, load INTEGER NOT NULL"
)
TRAIT_COLUMNS = (
    "owner INTEGER NOT NULL, ts BIGINT NOT NULL, message_id VARCHAR, origin BIGINT NOT NULL, received BIGINT NOT NULL, "
    "retired BIGINT, load INTEGER NOT NULL"
)

SINCE_LAYOUT_2: tuple[str, ...] = (
    # linked: the ts from which it is so. founding: the customer was made for this identifier; a customer without such a
    # row came from files or the API, and their id is their user id. seq: of the row of identity_changes that says so.
    "CREATE TABLE identifiers (kind VARCHAR NOT NULL, value VARCHAR NOT NULL, customer INTEGER, linked BIGINT NOT NULL, "
    "received BIGINT NOT NULL, retired BIGINT, founding BOOLEAN NOT NULL, seq BIGINT NOT NULL)",
    # what: linked, repointed, set aside, merged, separated or conflict. customer is whom it is about (of a merge the
    # kept one), other the second customer.
    "CREATE TABLE identity_changes (seq BIGINT NOT NULL, what VARCHAR NOT NULL, customer INTEGER, other INTEGER, "
    "kind VARCHAR, value VARCHAR, because VARCHAR NOT NULL, ts BIGINT NOT NULL, received BIGINT NOT NULL)",
    # hash is of the secret part, which is shown once and never kept; scopes are words with a space between them.
    "CREATE TABLE api_keys (id VARCHAR PRIMARY KEY, name VARCHAR, hash VARCHAR, scopes VARCHAR, created BIGINT, "
    "used BIGINT, revoked BIGINT)",
    # Who gets changes of memberships; position is the last change that was delivered.
    "CREATE TABLE webhooks (id VARCHAR PRIMARY KEY, url VARCHAR, secret VARCHAR, segments VARCHAR, position BIGINT, "
    "created BIGINT, disabled BIGINT)",
    # Deliveries that were given up, until somebody replays them.
    "CREATE TABLE dead_letters (id BIGINT, webhook VARCHAR, position BIGINT, body VARCHAR, reason VARCHAR, "
    "attempts INTEGER, received BIGINT, replayed BIGINT)",
    # Keyed hashes of the identifiers of erased people, so that a reload or a backup doesn't bring them back.
    "CREATE TABLE tombstones (hash VARCHAR PRIMARY KEY, received BIGINT)",
    # One row a run of a scheduled job; due is the instant that it was planned for.
    "CREATE TABLE job_runs (job VARCHAR, due BIGINT, started BIGINT, finished BIGINT, state VARCHAR, message VARCHAR)",
    # What calls showed against the tracking plan, counted, each with one sample.
    "CREATE TABLE issues_seen (event VARCHAR, property VARCHAR, problem VARCHAR, times BIGINT, first BIGINT, "
    "last BIGINT, sample VARCHAR)",
)
"""The tables that layout 2 added."""

SINCE_LAYOUT_3: tuple[str, ...] = (
    # Who works with the workspace; mailed is where they are written to, password an argon2 hash (NULL until they chose
    # one). Instants here, and in the four tables below, are of the real clock, whatever the workspace's shows.
    "CREATE TABLE people (id VARCHAR PRIMARY KEY, mailed VARCHAR, name VARCHAR NOT NULL, role VARCHAR NOT NULL, "
    "password VARCHAR, created BIGINT NOT NULL, removed BIGINT)",
    # Browsers that are signed in: hash is of the cookie's secret. Who signs out is gone from here.
    "CREATE TABLE sign_ins (hash VARCHAR PRIMARY KEY, person VARCHAR NOT NULL, created BIGINT NOT NULL, "
    "used BIGINT NOT NULL, agent VARCHAR NOT NULL)",
    # Links that sign somebody in, each once: hash is of the link's secret; what is 'sign in' or 'invitation'.
    "CREATE TABLE sign_in_links (hash VARCHAR PRIMARY KEY, person VARCHAR NOT NULL, what VARCHAR NOT NULL, "
    "created BIGINT NOT NULL, expires BIGINT NOT NULL)",
    # Who changed what; rows are only ever added. A customer is named by their key alone, so that an erasure reaches it.
    "CREATE TABLE audit (seq BIGINT NOT NULL, ts BIGINT NOT NULL, person VARCHAR NOT NULL, action VARCHAR NOT NULL, "
    "about VARCHAR NOT NULL, who INTEGER, detail VARCHAR NOT NULL)",
    # What somebody is making and hasn't saved: kind is 'segment' …, about the slug of what it changes, document JSON.
    "CREATE TABLE drafts (id VARCHAR PRIMARY KEY, person VARCHAR NOT NULL, kind VARCHAR NOT NULL, "
    "about VARCHAR NOT NULL, document VARCHAR NOT NULL, created BIGINT NOT NULL, changed BIGINT NOT NULL)",
)
"""The tables that layout 3 added."""

CREATE: tuple[str, ...] = (
    "CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL)",
    # first_ts: the earliest ts of the customer's events and trait changes in force; before it they are in no segment.
    "CREATE TABLE customers (key INTEGER PRIMARY KEY, id VARCHAR NOT NULL UNIQUE, first_ts BIGINT, "
    "received BIGINT NOT NULL)",
    "CREATE TABLE accounts (key INTEGER PRIMARY KEY, id VARCHAR NOT NULL UNIQUE, received BIGINT NOT NULL)",
    "CREATE TABLE event_types (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL UNIQUE)",
    "CREATE TABLE properties (event_type INTEGER NOT NULL, name VARCHAR NOT NULL, kind VARCHAR NOT NULL, "
    "col VARCHAR NOT NULL, declared BOOLEAN NOT NULL DEFAULT false, mistyped BIGINT NOT NULL DEFAULT 0, "
    "PRIMARY KEY (event_type, name))",
    "CREATE TABLE item_fields (event_type INTEGER NOT NULL, property VARCHAR NOT NULL, name VARCHAR NOT NULL, "
    "kind VARCHAR NOT NULL, col VARCHAR NOT NULL, PRIMARY KEY (event_type, property, name))",
    # scope is 'customer' or 'account'; score marks what models and computations write.
    "CREATE TABLE traits (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL, scope VARCHAR NOT NULL, "
    "kind VARCHAR NOT NULL, declared BOOLEAN NOT NULL DEFAULT false, score BOOLEAN NOT NULL DEFAULT false, "
    "mistyped BIGINT NOT NULL DEFAULT 0, note VARCHAR, UNIQUE (scope, name))",
    "CREATE TABLE consents (customer INTEGER NOT NULL, purpose VARCHAR NOT NULL, granted BOOLEAN NOT NULL, "
    "ts BIGINT NOT NULL, message_id VARCHAR, origin BIGINT NOT NULL, received BIGINT NOT NULL, retired BIGINT, "
    "load INTEGER NOT NULL)",
    "CREATE TABLE lists (name VARCHAR PRIMARY KEY, received BIGINT NOT NULL)",
    "CREATE TABLE list_changes (list VARCHAR NOT NULL, customer INTEGER NOT NULL, added BOOLEAN NOT NULL, "
    "ts BIGINT NOT NULL, received BIGINT NOT NULL)",
    # A threshold is a rational (num / den, den > 0) of the left side named by its canonical text.
    "CREATE TABLE thresholds (value VARCHAR NOT NULL, rank VARCHAR NOT NULL, num HUGEINT NOT NULL, "
    "den HUGEINT NOT NULL, n BIGINT NOT NULL, ts BIGINT NOT NULL, received BIGINT NOT NULL)",
    # Published history: per segment and customer the last row says whether they are in.
    "CREATE TABLE membership_changes (seq BIGINT NOT NULL, segment VARCHAR NOT NULL, customer INTEGER NOT NULL, "
    "change VARCHAR NOT NULL, ts BIGINT NOT NULL, received BIGINT NOT NULL, because VARCHAR NOT NULL)",
    "CREATE TABLE definitions (kind VARCHAR NOT NULL, slug VARCHAR NOT NULL, version INTEGER NOT NULL, "
    "document VARCHAR NOT NULL, hash VARCHAR NOT NULL, received BIGINT NOT NULL, "
    "removed BOOLEAN NOT NULL DEFAULT false, PRIMARY KEY (kind, slug, version))",
    # A merge joins gone into kept; undone is when it was taken back.
    "CREATE TABLE merges (kept INTEGER NOT NULL, gone INTEGER NOT NULL, received BIGINT NOT NULL, undone BIGINT, "
    "because VARCHAR NOT NULL)",
    # calendar: the first instant of each date in the workspace's zone, in order. Without a key: an index over 400 years
    # would be most of a small store.
    "CREATE TABLE calendar (day INTEGER NOT NULL, starts BIGINT NOT NULL)",
    "CREATE TABLE files (no INTEGER PRIMARY KEY, source VARCHAR NOT NULL, path VARCHAR NOT NULL, "
    "fingerprint VARCHAR NOT NULL, size BIGINT NOT NULL, modified BIGINT NOT NULL, load INTEGER NOT NULL)",
    # What was spent on a day; it belongs to no customer. Amounts in millionths of the workspace's currency.
    "CREATE TABLE spend (source VARCHAR NOT NULL, day INTEGER NOT NULL, amount BIGINT NOT NULL, channel VARCHAR, "
    "campaign VARCHAR, impressions BIGINT, clicks BIGINT, origin BIGINT NOT NULL, received BIGINT NOT NULL, "
    "retired BIGINT, load INTEGER NOT NULL)",
    "CREATE TABLE loads (id INTEGER PRIMARY KEY, started BIGINT NOT NULL, finished BIGINT, state VARCHAR NOT NULL, "
    "summary VARCHAR)",
    "CREATE TABLE quarantine (id BIGINT NOT NULL, load INTEGER NOT NULL, source VARCHAR NOT NULL, "
    "path VARCHAR NOT NULL, line BIGINT NOT NULL, code VARCHAR NOT NULL, reason VARCHAR NOT NULL, "
    "content VARCHAR NOT NULL, received BIGINT NOT NULL, resolved BIGINT)",
    "CREATE TABLE quality (load INTEGER NOT NULL, source VARCHAR NOT NULL, col VARCHAR, measure VARCHAR NOT NULL, "
    "value DOUBLE, n BIGINT NOT NULL, verdict VARCHAR NOT NULL, note VARCHAR)",
    *SINCE_LAYOUT_2,
    *SINCE_LAYOUT_3,
)
