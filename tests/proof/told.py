"""Write down which of the proof's worlds tells of each mutant: ``python -m tests.proof.told``, after changes of what is drawn."""

from __future__ import annotations

import json
from pathlib import Path

from .product import Product
from .test_mutants import MUTANTS, Key, told_by


def main() -> None:
    """Ask the world that told last time, then all in their order; say which mutants none of them tells of."""
    worlds: dict[Key, Product] = {}
    found = {mutant.name: told_by(mutant, worlds) for mutant in MUTANTS}
    known = {name: key for name, key in sorted(found.items()) if key is not None}
    Path(__file__).with_name("told.json").write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    print("\n".join(f"No world tells: {name}" for name in found.keys() - known.keys()))


if __name__ == "__main__":
    main()
