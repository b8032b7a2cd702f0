"""The floors of docs/design.md: who may import whom.

Breaks when a file imports upward, sideways, or a driver that isn't its own.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "shoal"
FLOORS: list[set[str]] = [
    {"errors", "clock", "shapes", "wording"},
    {"lang", "stats"},
    {"sql", "live", "log", "sources", "destinations"},
    {"customers", "insight", "action", "views"},
    {"config", "workspace"},
    {"cli", "server", "web", "agents"},
]
WINGS = ["customers", "insight", "action", "views"]
# A third-party driver may be imported only in the file that is its own.
DRIVERS = {
    "duckdb": {"sql/duck.py"},
    "psycopg": {"sources/postgres.py"},
    "python_calamine": {"sources/excel.py"},
    "sqlite3": {"sources/sqlite.py"},
}
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}


def imports(path: Path) -> set[str]:
    """The modules that a file names in its imports, those for type checkers included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "shoal":
                found |= {f"shoal.{alias.name}" for alias in node.names}
            found.add(node.module)
    return found


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def allowed(mine: str, other: str) -> bool:
    """A part may use itself, lower floors (the engines and edges are blind to each other), and wings to its left."""
    if mine == other:
        return True
    if mine in WINGS and other in WINGS:
        return WINGS.index(other) < WINGS.index(mine)
    if FLOOR_OF[mine] in (1, 2) and FLOOR_OF[mine] == FLOOR_OF[other]:
        return False
    if FLOOR_OF[mine] == 4 and FLOOR_OF[other] == 4:
        return (mine, other) == ("workspace", "config")
    if FLOOR_OF[mine] == 5 and FLOOR_OF[other] == 5:
        # A command starts the server, and gives it the pages; pages show what the server holds, which doesn't know them.
        return (mine, other) in {("cli", "server"), ("cli", "web"), ("web", "server")}
    return FLOOR_OF[other] < FLOOR_OF[mine]


FILES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_imports_only_what_its_floor_allows(path: Path) -> None:
    mine = part_of(path)
    assert mine in FLOOR_OF, f"{mine} has no floor in docs/design.md"
    for module in imports(path):
        if module.startswith("shoal.") and module != "shoal.__version__":
            other = module.split(".")[1]
            if other == "__version__":
                continue
            assert allowed(mine, other), f"{path}: {mine} may not import {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_driver_is_imported_only_in_its_own_file(path: Path) -> None:
    where = str(path.relative_to(PACKAGE))
    for module in imports(path):
        homes = DRIVERS.get(module.split(".")[0])
        assert homes is None or where in homes, f"{module} belongs in {homes}, not in {where}"


def test_the_rules_refuse_what_they_should() -> None:
    """The test above could pass by allowing everything; these must be refused."""
    for mine, other in [
        ("lang", "sql"),
        ("sql", "sources"),
        ("customers", "insight"),
        ("config", "cli"),
        ("errors", "lang"),
        ("live", "sql"),
        ("log", "live"),
        ("server", "cli"),
        ("server", "web"),
        ("web", "cli"),
    ]:
        assert not allowed(mine, other)


def test_a_predicate_has_its_words_its_emitter_and_its_operator_in_files_of_one_name() -> None:
    """Breaks when a family of the language is added to one interpreter and forgotten in another."""
    operators = {p.stem for p in (PACKAGE / "live" / "operators").glob("[a-z]*.py")}
    words = {p.stem for p in (PACKAGE / "lang" / "say").glob("[a-z]*.py")}
    emitters = {p.stem for p in (PACKAGE / "sql" / "emit").glob("[a-z]*.py")}
    families = {
        "arithmetic", "bucket", "compare", "events", "first", "history", "logic", "member", "place", "rank", "regular",
        "sequence", "window",
    }  # fmt: skip
    assert families <= words
    assert families <= emitters
    assert families == operators
