"""Conditions in a form that is worked out for many customers at once: atoms, and trees of them.

An atom is one question with one number in it, as "when was the k-th newest match": it holds exactly while that instant
stands in the window. ``=``, ``<`` and the like are trees of two atoms. Of an atom, and of every tree, the answer for a
customer is one number v: v > 0 is true and v < 0 is false, and |v| is how long that is certain at least. So ``and`` is
the least of its parts' numbers and ``or`` the greatest, ``not`` turns the sign: as ``operators.logic.decided`` says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

from shoal.lang import nodes as n
from shoal.lang.references import is_wildcard, plain_event_name
from shoal.lang.schema import Kind
from shoal.lang.tree import walk
from shoal.live.filters import is_static, number_of
from shoal.live.intervals import INTEGERS, TURNED, literal, ranges
from shoal.live.state import ACCOUNT_PREFIX
from shoal.live.truths import Truth, judged

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from shoal.lang.calendar import Zone
    from shoal.live.plan import Plan
    from shoal.live.state import State
    from shoal.live.table import Table

SECONDS_A_DAY = 86_400
_LONGEST = 1 << 60
"""Longer than any two instants lie apart."""


class Sort(IntEnum):
    """What an atom asks."""

    ALWAYS = 0
    ASK = 1
    """The interpreter."""
    KTH = 2
    """At least k matches in the window."""
    TOTAL = 3
    """The newest matches in the window add up to k at least; amounts below 0 are left to the interpreter."""
    DAYS = 4
    """Matches on at least k dates in the window."""
    FIRST = 5
    """The earliest match is in the window."""
    AGE_LAST = 6
    """The newest match is k microseconds old at least."""
    AGE_FIRST = 7
    TRAIT = 8
    """The value that stands is one that makes it true."""
    WHEN = 9
    """The instant that stands is in the window."""
    TRAIT_AGE = 10
    """The instant that stands is k microseconds old at least."""


@dataclass(frozen=True, slots=True)
class Atom:
    """One question with one number.

    Args:
        sort: what it asks.
        table: whose entries.
        flag: the bit of the filter, −1 for none.
        column: whose values.
        window: the place of the window among all.
        k: the number.
        truth: of the values that stand.
        node: for the interpreter, the condition.
        single: whether it holds of one id only: who stands for others is left to the interpreter.
    """

    sort: Sort
    table: Table | None = field(default=None, compare=False, hash=False)
    name: tuple[str, str] = ("", "")
    flag: int = -1
    column: str | None = None
    window: int = -1
    k: int = 0
    truth: Truth | None = None
    node: n.Node | None = None
    single: bool = False


@dataclass(frozen=True, slots=True)
class All:
    """All parts hold."""

    parts: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """A part holds."""

    parts: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part doesn't hold."""

    part: Form


@dataclass(frozen=True, slots=True)
class Leaf:
    """A condition of a definition, and the form in which it is worked out."""

    node: n.Node
    form: Form


Form: TypeAlias = int | All | Some | Not | Leaf
"""An integer is the place of an atom."""


class Forms:
    """The atoms and trees of definitions.

    Args:
        state: what is known.
        zone: of local time.
        filters: those that are bits of events already.
    """

    def __init__(self, state: State, zone: Zone, filters: dict[Any, Any]) -> None:
        self.state, self.zone = state, zone
        self.atoms: list[Atom] = []
        self.windows: list[n.Window | None] = []
        self._places: dict[Atom, int] = {}
        self._leaves: dict[n.Node, Leaf] = {}
        self._filters = filters
        self._bits: dict[int, tuple[n.Events, int | None]] = {}
        """Of filters that the interpreter asks for, by the node, which is held so that no other gets its id."""
        self.always = self.atom(Atom(Sort.ALWAYS))

    def filter_of(self, table: Table, number: int) -> Any:
        """The filter of a bit."""
        return next(made for (name, _), (bit, made) in self._filters.items() if (name, bit) == (table.name, number))

    def atom(self, atom: Atom) -> int:
        """The place of an atom; equal ones share it."""
        found = self._places.get(atom)
        if found is None:
            found = self._places[atom] = len(self.atoms)
            self.atoms.append(atom)
        return found

    def _window(self, window: n.Window | None) -> int:
        if window not in self.windows:
            self.windows.append(window)
        return self.windows.index(window)

    # ------------------------------------------------------------ trees

    def segment(self, slug: str, plan: Plan) -> Form:
        """The form of a segment, without the customer's existence: (where or always) and not never."""
        definition = plan.definitions[slug]
        found = self.condition(definition.where, plan)
        if definition.always is not None:
            found = Some((found, self.leaf(n.ListedIn(definition.always))))
        if definition.never is not None:
            found = All((found, Not(self.leaf(n.ListedIn(definition.never)))))
        return found

    def condition(self, node: n.Node, plan: Plan) -> Form:
        """The form of a condition."""
        match node:
            case n.And(parts):
                return All(tuple(self.condition(part, plan) for part in parts))
            case n.Or(parts):
                return Some(tuple(self.condition(part, plan) for part in parts))
            case n.Not(part):
                return Not(self.condition(part, plan))
            case n.MemberOf(slug):
                return self.segment(slug, plan)
        return self.leaf(node)

    def leaf(self, node: n.Node) -> Leaf:
        """The form of a leaf; what has no other is left to the interpreter."""
        if node not in self._leaves:
            form = self._form(node)
            if form is None:
                self._flag(node)
            self._leaves[node] = Leaf(node, self.atom(Atom(Sort.ASK, node=node)) if form is None else form)
        return self._leaves[node]

    def _flag(self, node: n.Node) -> None:
        """Make bits of events of the filters in a condition that is left to the interpreter: it would ask each event anew."""
        for events in walk(node):
            if isinstance(events, n.Events) and events.where is not None and self._can_be_bit(events):
                table = self.state.event_table(plain_event_name(events.name))
                bit = number_of(table, events.where, self.state, self.zone, self._filters)
                self._bits[id(events)] = events, bit

    def _can_be_bit(self, events: n.Events) -> bool:
        named = not (events.of_account or is_wildcard(events.name))
        return named and events.where is not None and is_static(events.where)

    def bit_of(self, events: n.Events) -> int | None:
        """The bit of each event that says whether a filter holds; None where it has none."""
        return self._bits.get(id(events), (events, None))[1]

    def _form(self, node: n.Node) -> Form | None:
        match node:
            case n.Did(events, times, window):
                return self._did(events, times, window)
            case n.DidFirst(events, window):
                return self._of_events(Sort.FIRST, events, window, 0)
            case n.Compare(left, op, right):
                return self._compare(left, op, right) or self._compare(right, TURNED[op], left) or self._trait(node)
            case n.Between(n.Aggregate() as value, low, high):
                parts = self._compare(value, ">=", low), self._compare(value, "<=", high)
                return None if parts[0] is None or parts[1] is None else All((parts[0], parts[1]))
            case n.Between() | n.In() | n.Match() | n.Known() | n.Distance():
                return self._trait(node)
            case n.When(trait, window):
                return self._instant(Sort.WHEN, trait, window, 0)
            case n.ListedIn() | n.Consents():
                return self._word(node)
        return None

    # ------------------------------------------------------------ events

    def _of_events(
        self, sort: Sort, events: n.Events, window: n.Window | None, k: int, column: str | None = None
    ) -> int | None:
        if events.newest is not None or events.of_account or is_wildcard(events.name):
            return None
        if events.where is not None and not self._can_be_bit(events):
            return None
        table = self.state.event_table(plain_event_name(events.name))
        flag: int | None = -1
        if events.where is not None:
            flag = number_of(table, events.where, self.state, self.zone, self._filters)
        if flag is None or (column is not None and column not in table.columns):
            return None
        atom = Atom(sort, table, ("event", table.name), flag, column, self._window(window), k)
        return self.atom(atom)

    def _at_least(self, sort: Sort, events: n.Events, window: n.Window | None, k: int) -> Form | None:
        return self.always if k <= 0 else self._of_events(sort, events, window, k)

    def _did(self, events: n.Events, times: n.Times | None, window: n.Window | None) -> Form | None:
        op, k = ("at least", 1) if times is None else (times.op, times.n)
        compared = {"at least": ">=", "at most": "<="}.get(op, "=")
        return _ordered(compared, k, lambda x: self._at_least(Sort.KTH, events, window, x), None)

    # ------------------------------------------------------------ comparisons

    def _compare(self, left: n.Node, op: str, right: n.Node) -> Form | None:
        micro = literal(right)
        if micro is None:
            return None
        match left:
            case n.Aggregate(fn, events, of, window) if fn in ("count", "active days"):
                sort = Sort.KTH if fn == "count" else Sort.DAYS
                return self._whole(sort, events, window, op, micro)
            case n.Aggregate("sum", events, of, window):
                return _ordered(op, micro, lambda x: self._of_events(Sort.TOTAL, events, window, x, of), None)
            case n.DaysSinceEvent(which, events):
                sort = Sort.AGE_LAST if which == "last" else Sort.AGE_FIRST
                k = _microseconds(micro)
                known = self._of_events(Sort.KTH, events, None, 1)
                return _ordered(op, k, lambda x: self._of_events(sort, events, None, x), known)
            case n.DaysSince(trait):
                return self._trait_age(trait, op, _microseconds(micro))
            case n.DaysUntil(trait):
                return self._trait_age(trait, TURNED[op], _microseconds(-micro))
        return None

    def _whole(self, sort: Sort, events: n.Events, window: n.Window | None, op: str, micro: int) -> Form | None:
        floor, rest = divmod(micro, n.MICRO)
        if rest and op in ("=", "!="):
            return self.always if op == "!=" else Not(self.always)
        # Between two whole numbers, "at least" and "more than" are the same.
        op = {">=": ">", "<": "<="}.get(op, op) if rest else op
        return _ordered(op, floor, lambda x: self._at_least(sort, events, window, x), None)

    def _trait_age(self, trait: n.Trait, op: str, k: int) -> Form | None:
        known = self._trait(n.Known(trait))
        return _ordered(op, k, lambda x: self._instant(Sort.TRAIT_AGE, trait, None, x), known)

    # ------------------------------------------------------------ traits

    def _instant(self, sort: Sort, trait: n.Trait, window: n.Window | None, k: int) -> int | None:
        if trait.name.startswith(ACCOUNT_PREFIX):
            return None
        table = self.state.trait_table(trait.name)
        if table.columns["value"].kind not in (Kind.DATE, Kind.INSTANT):
            return None
        atom = Atom(sort, table, ("trait", trait.name), -1, "value", self._window(window), k)
        return self.atom(atom)

    def _trait(self, node: n.Node) -> int | None:
        traits = {at for at in walk(node) if isinstance(at, n.Trait)}
        others = [at for at in walk(node) if not isinstance(at, n.Trait) and at is not node]
        if len(traits) != 1 or any(not isinstance(at, _PLAIN) for at in others):
            return None
        (trait,) = traits
        if trait.name.startswith(ACCOUNT_PREFIX):
            return None
        table = self.state.trait_table(trait.name)
        kind = table.columns["value"].kind
        truth: Truth | None
        if isinstance(node, n.Known) and not node.known:
            return self.atom(Atom(Sort.TRAIT, table, ("trait", trait.name), column="value", truth=Truth(node, ())))
        if kind is Kind.YESNO:
            codes = [c for c in (0, 1) if judged(node, table, table.columns["value"], c, self.state, self.zone)]
            truth = Truth(node, tuple((c, c) for c in codes))
        elif kind in INTEGERS:
            found = ranges(node, trait, kind, self.zone)
            truth = None if found is None else Truth(node, tuple(found))
        else:
            truth = Truth(node, None)
        if truth is None:
            return None
        return self.atom(Atom(Sort.TRAIT, table, ("trait", trait.name), column="value", truth=truth))

    def _word(self, node: n.ListedIn | n.Consents) -> int:
        """The last word on a customer: yes, no, or none."""
        if isinstance(node, n.ListedIn):
            table, column, name = self.state.list_table(node.name), "added", ("list", node.name)
            truth = Truth(node, ((1, 1),), missing=False)
        else:
            table, column, name = self.state.consent_table(node.purpose), "granted", ("consent", node.purpose)
            truth = Truth(node, ((1, 1),), missing=self.state.assumed(node.purpose))
        return self.atom(Atom(Sort.TRAIT, table, name, column=column, truth=truth, single=True))


_PLAIN = (n.Number, n.Negative, n.Text, n.YesNo, n.Date, n.Instant)


def _microseconds(micro: int) -> int:
    """A number of days in millionths, as microseconds."""
    return max(-_LONGEST, min(_LONGEST, micro * SECONDS_A_DAY))


def atoms_of(form: Form) -> list[int]:
    """The places of the atoms in a form."""
    match form:
        case All(parts) | Some(parts):
            return [place for part in parts for place in atoms_of(part)]
        case Not(part) | Leaf(_, part):
            return atoms_of(part)
    return [form]


def leaves_of(form: Form) -> list[Leaf]:
    """The leaves in a form."""
    match form:
        case All(parts) | Some(parts):
            return [leaf for part in parts for leaf in leaves_of(part)]
        case Not(part):
            return leaves_of(part)
        case Leaf():
            return [form]
    return []


def _ordered(op: str, k: int, at_least: Callable[[int], Form | None], known: Form | None) -> Form | None:
    """A comparison with k of what can be asked "at least so much"; ``known`` where a value may be missing."""
    if op in (">=", ">"):
        return at_least(k + (op == ">"))
    if op in ("<", "<="):
        more = at_least(k + (op == "<="))
        return None if more is None else Not(more) if known is None else All((known, Not(more)))
    least, more = at_least(k), at_least(k + 1)
    if least is None or more is None:
        return None
    same = All((least, Not(more)))
    return same if op == "=" else Not(same) if known is None else All((known, Not(same)))
