"""The naive evaluator stands alone: were it to import the product, a misunderstanding could be on both sides."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ALONE = ("wire", "zones", "world", "naive", "until", "vocabulary", "draw_conditions", "bounds", "aim", "draw", "tally")
STANDARD = {
    "__future__",
    "collections",
    "dataclasses",
    "datetime",
    "decimal",
    "fractions",
    "functools",
    "hashlib",
    "importlib",
    "itertools",
    "math",
    "operator",
    "random",
    "re",
    "typing",
    "zoneinfo",
}


@pytest.mark.parametrize("name", ALONE)
def test_imports_only_the_standard_library(name: str) -> None:
    """Neither the product nor a third party, at the top or inside a function; its neighbours are held to the same."""
    tree = ast.parse((Path(__file__).parent / f"{name}.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= STANDARD
        elif isinstance(node, ast.ImportFrom) and node.level:
            assert node.module in ALONE
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] in STANDARD
