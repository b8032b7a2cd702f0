"""Builds a definition through the builder's edits alone, each of which the rows must offer at that moment."""

from __future__ import annotations

import dataclasses
from typing import Any

from shoal.lang import nodes as n
from shoal.lang.document import decimal_text
from shoal.lang.parse import parse
from shoal.lang.schema import Schema
from shoal.web.builder import kinds
from shoal.web.builder.edits import edited
from shoal.web.builder.forms import Block, Control, Group, Item, Row, beginnings, tree
from shoal.web.builder.moves import join_of, parts_path
from shoal.web.builder.paths import Path, at, path_text
from shoal.web.builder.reading import literal_text
from shoal.web.builder.slots import COMPARISONS, LITERALS, inside

EMPTY = Schema()
_DECIMALS = {"micro", "latitude", "longitude", "radius", "percent"}


class NotOffered(AssertionError):
    """No control does what the definition needs."""


def controls(item: Item | None) -> list[Control]:
    """All controls of rows and groups."""
    if item is None:
        return [beginnings()]
    if isinstance(item, Group):
        return [item.join, item.adds, *item.actions, *(c for inner in item.items for c in controls(inner))]
    found = list(item.actions)
    for piece in item.pieces:
        if isinstance(piece, Control):
            found.append(piece)
        elif isinstance(piece, Block):
            found += controls(piece.item)
    return found


def rows(item: Item | None) -> list[Row | Group]:
    """All rows and groups."""
    if item is None:
        return []
    if isinstance(item, Group):
        return [item, *(r for inner in item.items for r in rows(inner))]
    return [item, *(r for piece in item.pieces if isinstance(piece, Block) for r in rows(piece.item))]


class Builder:
    """A definition in the making."""

    def __init__(self, text: str = "", schema: Schema = EMPTY) -> None:
        self.text, self.schema = text, schema
        self.steps: list[tuple[str, str, str]] = []

    @property
    def root(self) -> Any:
        return parse(self.text) if self.text else None

    def offers(self, op: str, path: Path, value: str) -> bool:
        where = path_text(path)
        for control in controls(tree(self.root, self.schema)):
            if (control.path, control.op) != (where, op):
                continue
            if control.shape in ("choice", "menu", "pick"):
                if value in {option.key for option in control.options}:
                    return True
            elif control.shape == "button":
                if control.value in (value, ""):
                    return True
            else:
                return True
        return False

    def do(self, op: str, path: Path, value: str = "") -> None:
        if not self.offers(op, path, value):
            raise NotOffered(f"{op} {path_text(path)!r} {value!r} isn't offered for {self.text!r}")
        self.steps.append((op, path_text(path), value))
        self.text = edited(self.text, op, path, value).text

    def first(self, *ways: tuple[str, Path, str]) -> None:
        """Do the first of these that is offered."""
        for way in ways:
            if self.offers(*way):
                self.do(*way)
                return
        raise NotOffered(f"none of {ways} is offered for {self.text!r}")

    # ------------------------------------------------------------ conditions

    def condition(self, target: Any, path: Path = ()) -> None:
        """Make the condition at a place this one."""
        if isinstance(target, n.Not):
            self.condition(target.part, path)
            self.first(("negate", path, ""), ("wrap", path, "not")) if not isinstance(target.part, n.Not) else self.do(
                "wrap", path, "not"
            )
        elif isinstance(target, n.And | n.Or):
            self.group(target, path)
        else:
            self.leaf(target, path)

    def group(self, target: n.And | n.Or, path: Path) -> None:
        self.condition(target.parts[0], path)
        self.do("wrap", path, "all" if isinstance(target, n.And) else "any")
        self.condition(target.parts[1], (*path, "parts", 1))
        key = "property" if inside(self.root, (*path, "parts", 0)) == "filter" else "consents to"
        for i, part in enumerate(target.parts[2:], 2):
            self.do("add", (*path, "parts"), key)
            self.condition(part, (*path, "parts", i))

    def leaf(self, target: Any, path: Path) -> None:
        filtered = self.text != "" and inside(self.root, path) == "filter"
        key = target.kind
        if isinstance(target, COMPARISONS) and not isinstance(target, n.When):
            key = "property" if filtered else "compare"
        if self.text == "":
            self.do("add", (), key)
        elif not isinstance(at(self.root, path), type(target)) or isinstance(target, COMPARISONS):
            self.do("kind", path, key)
        if isinstance(target, COMPARISONS) and not isinstance(target, n.When):
            self.comparison(target, path)
        else:
            self.fields(target, path)

    def comparison(self, target: Any, path: Path) -> None:
        """The value, then the operator, which keeps it, then the right sides."""
        now = at(self.root, path)
        side = "left" if isinstance(now, n.Compare) else "value"
        self.node(kinds.value_of(target), (*path, side))
        self.do("operator", path, kinds.operator_of(target))
        self.fields(target, path)

    # ------------------------------------------------------------ what is in them

    def fields(self, target: Any, path: Path) -> None:
        for spec in dataclasses.fields(target):
            if spec.name not in ("note", "span"):
                self.field(target, spec.name, (*path, spec.name))

    def field(self, holder: Any, name: str, path: Path) -> None:
        wanted, now = getattr(holder, name), at(self.root, path)
        if wanted == now and type(wanted) is type(now):
            return
        if wanted is None:
            self.first(("remove", path, ""), ("kind", path, ""))
        elif isinstance(wanted, tuple):
            self.items(wanted, path)
        elif isinstance(wanted, n.Node):
            if now is None:
                self.first(("part", path, "begin"), ("kind", path, wanted.kind))
            self.node(wanted, path)
        else:
            if now is None:
                self.do("part", path, "begin")
            self.do("set", path, _raw(holder, name, wanted))

    def items(self, wanted: tuple[Any, ...], path: Path) -> None:
        while len(at(self.root, path)) > len(wanted):
            self.do("remove", (*path, len(at(self.root, path)) - 1))
        while len(at(self.root, path)) < len(wanted):
            self.do("add", path)
        for i, item in enumerate(wanted):
            if isinstance(item, n.Node):
                self.node(item, (*path, i))
            elif item != at(self.root, (*path, i)):
                self.do("set", (*path, i), item)

    def node(self, target: Any, path: Path) -> None:
        now = at(self.root, path)
        if target == now:
            return
        if isinstance(target, n.And | n.Or | n.Not) or path[-1] in ("where", "condition"):
            if path[-1] == "condition":
                self.comparison(target, path)
            else:
                self.condition(target, path)
            return
        if type(now) is not type(target):
            self.do("kind", path, target.kind)
        if isinstance(target, LITERALS):
            if at(self.root, path) != target:
                self.do("set", path, literal_text(target))
        else:
            self.fields(target, path)


def _raw(holder: Any, name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    decimal = name in _DECIMALS or (isinstance(holder, n.Percentile) and name in ("low", "high"))
    return decimal_text(value) if decimal else str(value)


__all__ = ["Builder", "NotOffered", "controls", "join_of", "parts_path", "rows"]
