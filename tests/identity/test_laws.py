"""Laws of the graph on drawn calls: one bearer a value, caps, exact unmerge, replay, order, and a store that says the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from operator import methodcaller
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.customers.identity.changes import Change, Merged, Repointed
from shoal.customers.identity.columns import captured, restored
from shoal.customers.identity.graph import Identities
from shoal.customers.identity.reading import read
from shoal.customers.identity.rules import IdentityRules, KindRule
from shoal.customers.identity.tables import erase, merges_of, write
from shoal.customers.writer import erase_customer, write_records
from shoal.sql.duck import DuckStore, create_store

TIGHT = IdentityRules(
    kinds=(
        KindRule("user_id", 1),
        KindRule("email", 2),
        KindRule("anonymous_id", 3, "move", shared=3),
        KindRule("device_id", 3, "move", shared=2),
    )
)
FREE = IdentityRules(kinds=tuple(KindRule(kind, 1000) for kind in ("user_id", "email", "anonymous_id", "device_id")))
KINDS = ("user_id", "email", "anonymous_id", "device_id", "card")

Call = tuple[str, dict[str, object], int]
COPY: Callable[[Any], Any] = methodcaller("copy")


def values(kind: str) -> st.SearchStrategy[str]:
    few = st.sampled_from("abcde")
    return few.map("{}@x.org".format) if kind == "email" else few


def identifiers() -> st.SearchStrategy[dict[str, object]]:
    return st.lists(st.sampled_from(KINDS), min_size=1, max_size=3, unique=True).flatmap(
        lambda kinds: st.fixed_dictionaries({kind: values(kind) for kind in kinds})
    )


RESOLVE = st.tuples(st.just("resolve"), identifiers(), st.integers(0, 40))
OTHERS = st.one_of(
    st.tuples(st.just("alias"), st.fixed_dictionaries({"a": values("id"), "b": values("id")}), st.integers(0, 40)),
    st.tuples(st.just("unmerge"), st.fixed_dictionaries({"a": values("id")}), st.integers(0, 40)),
)
CALLS = st.lists(RESOLVE, max_size=25)
MIXED = st.lists(st.one_of(RESOLVE, RESOLVE, RESOLVE, OTHERS), max_size=25)


def play(graph: Identities, calls: list[Call], begin: int = 0) -> list[Change]:
    """Make the calls; they are received one after the other, whatever their ts."""
    changes: list[Change] = []
    for received, (what, said, ts) in enumerate(calls, begin):
        if what == "resolve":
            changes += graph.resolve(said, ts, received).changes
        elif what == "alias":
            changes += graph.alias(str(said["a"]), str(said["b"]), ts, received).changes
        elif graph.current(str(said["a"])) is not None:
            changes += graph.unmerge(str(said["a"]), ts, received)
    return changes


def ids_of(changes: list[Change]) -> set[str]:
    """All ids that changes name as customers."""
    return {getattr(c, name) for c in changes for name in ("customer", "kept", "gone", "before") if hasattr(c, name)}


def picture(graph: Identities, ids: set[str]) -> dict[str, tuple[object, ...]]:
    """What can be seen of a graph through its doors."""
    return {
        one: (graph.current(one), graph.identifiers(one), graph.merged_ids(one))
        for one in ids
        if graph.current(one) is not None
    }


@given(MIXED)
def test_no_value_belongs_to_two_and_every_value_is_found(calls: list[Call]) -> None:
    """Breaks if a value is listed under two customers, or a look-up answers otherwise than the list."""
    graph = Identities(TIGHT)
    ids = ids_of(play(graph, calls))
    roots = {graph.current(one) for one in ids}
    borne = Counter(pair for root in roots for pair in graph.identifiers(str(root)))
    assert set(borne.values()) <= {1}
    for root in roots:
        for kind, value in graph.identifiers(str(root)):
            assert graph.find(kind, value) == root
    assert len(graph) == len(roots)


@given(CALLS)
def test_caps_hold(calls: list[Call]) -> None:
    """Breaks if a link, a merge or a re-pointing brings a customer over a cap."""
    graph = Identities(TIGHT)
    for one in ids_of(play(graph, calls)):
        for kind, many in Counter(kind for kind, _ in graph.identifiers(one)).items():
            assert many <= TIGHT.kind(kind).cap


@given(MIXED)
def test_the_same_calls_give_the_same_graph(calls: list[Call]) -> None:
    """Breaks if anything depends on the order of a set or on the process."""
    one, other = Identities(TIGHT), Identities(TIGHT)
    first, second = play(one, calls), play(other, calls)
    assert first == second
    assert picture(one, ids_of(first)) == picture(other, ids_of(second))


@given(MIXED)
def test_a_known_call_repeated_changes_nothing(calls: list[Call]) -> None:
    """Breaks if the short way for known values answers otherwise than the long one."""
    graph = Identities(TIGHT)
    play(graph, calls)
    for what, said, _ in calls:
        if what == "resolve":
            first = graph.resolve(said, 100, 100)
            again = graph.resolve(said, 100, 100)
            assert again.customer == first.customer
            assert not [c for c in again.changes if isinstance(c, Merged | Repointed)]


@given(MIXED, values("id"), values("id"))
def test_merge_then_unmerge_restores_exactly(calls: list[Call], one: str, other: str) -> None:
    """Breaks if a merge that was taken back leaves a trace in what either bears."""
    graph = Identities(TIGHT)
    ids = ids_of(play(graph, calls))
    if graph.current(one) is None or graph.current(other) is None:
        return
    before = picture(graph, ids)
    for change in graph.merge(one, other, "said so", 50, 50):
        assert isinstance(change, Merged)
        assert picture(graph, ids) != before
        graph.unmerge(change.gone, 51, 51)
    assert picture(graph, ids) == before


@given(st.lists(identifiers(), max_size=14).flatmap(lambda calls: st.tuples(st.just(calls), st.permutations(calls))))
def test_without_conflicts_the_order_of_calls_does_not_matter(drawn: tuple[list[dict[str, object]], ...]) -> None:
    """Breaks if who belongs together, where no rule forbids a merge, is not simply who is connected."""
    for calls in drawn:
        graph = Identities(FREE)
        for received, said in enumerate(calls):
            graph.resolve(said, 0, received)
        for component in components(calls):
            bearers = {graph.find(kind, str(value)) for kind, value in component}
            assert len(bearers) == 1
            assert set(graph.identifiers(str(bearers.pop()))) == component


def components(calls: list[dict[str, object]]) -> list[set[tuple[str, object]]]:
    """The connected values, worked out with no thought for speed."""
    groups = [set(said.items()) for said in calls]
    while True:
        for index, group in enumerate(groups):
            touching = [other for other in groups[index + 1 :] if group & other]
            if touching:
                groups = [g for g in groups if g is not group and g not in touching] + [group.union(*touching)]
                break
        else:
            return groups


@given(CALLS, st.data())
def test_forget_leaves_nothing_and_nobody_else_changes(calls: list[Call], data: st.DataObject) -> None:
    """Breaks if a person's value stays, or another's goes with it."""
    graph = Identities(TIGHT)
    ids = ids_of(play(graph, calls))
    if not ids:
        return
    gone = graph.forget(data.draw(st.sampled_from(sorted(ids))))
    for one in gone.customers:
        assert graph.current(one) is None
    for kind, value in gone.values:
        assert graph.find(kind, value) is None
    rest = picture(graph, ids)
    assert not {pair for _, pairs, _ in rest.values() for pair in pairs} & set(gone.values)
    play(graph, calls, begin=100)


def stored(store: DuckStore, changes: list[Change], received: int) -> None:
    """Write as the live part does: identity, then the merges as records."""
    write(store, changes)
    write_records(store, merges_of(changes), zone="UTC", received=received)


@settings(max_examples=30)
@given(MIXED, MIXED, st.integers(1, 5))
def test_a_graph_read_from_the_store_goes_on_as_the_one_that_wrote(
    first: list[Call], then: list[Call], parts: int
) -> None:
    """Breaks if a restart changes who is who, now or by what comes after."""
    graph = Identities(TIGHT)
    with create_store(":memory:", zone="UTC", now=0, threads=1) as store:
        cuts = [len(first) * n // parts for n in range(parts + 1)]
        ids: set[str] = set()
        for begin, end in pairwise(cuts):
            changes = play(graph, first[begin:end], begin)
            ids |= ids_of(changes)
            stored(store, changes, end)
        again = read(store, TIGHT)
        assert picture(again, ids) == picture(graph, ids)
        assert len(again) == len(graph)
        went, goes = play(graph, then, 100), play(again, then, 100)
        assert goes == went
        ids |= ids_of(went)
        assert picture(again, ids) == picture(graph, ids)


@given(MIXED, MIXED, st.sampled_from([None, "a", "é"]))
def test_a_graph_restored_from_columns_goes_on_as_the_one_that_was_captured(
    calls: list[Call], more: list[Call], gone: str | None
) -> None:
    """Breaks if anything that later answers depend on isn't in the columns, or they see what came after them."""
    graph = Identities(TIGHT)
    graph.resolve({"user_id": "é", "email": "é@x.org"}, 0, 0)
    ids = ids_of(play(graph, calls))
    if gone is not None and graph.current(gone) is not None:
        graph.forget(gone)
    kinds, arrays = captured(graph, COPY)
    before = picture(graph, ids)
    changes = play(graph, more, 100)
    other = restored(TIGHT, kinds, arrays)
    assert picture(other, ids) == before
    assert play(other, more, 100) == changes
    assert picture(other, ids | ids_of(changes)) == picture(graph, ids | ids_of(changes))
    assert len(other) == len(graph)


@settings(max_examples=20)
@given(CALLS, st.data())
def test_a_forgotten_person_leaves_the_store(calls: list[Call], data: st.DataObject) -> None:
    """Breaks if the tables keep a person, or a graph read anew differs from the one that forgot."""
    graph = Identities(TIGHT)
    with create_store(":memory:", zone="UTC", now=0, threads=1) as store:
        changes = play(graph, calls)
        ids = ids_of(changes)
        stored(store, changes, 100)
        if not ids:
            return
        gone = graph.forget(data.draw(st.sampled_from(sorted(ids))))
        assert erase(store, gone.customers) > 0
        for one in gone.customers:
            erase_customer(store, one)
        borne = set(store.rows("SELECT kind, value FROM identifiers WHERE retired IS NULL"))
        assert not borne & set(gone.values)
        assert picture(read(store, TIGHT), ids) == picture(graph, ids)
