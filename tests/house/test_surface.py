"""What a user imports: the public names, quick to import, each explained."""

from __future__ import annotations

import subprocess
import sys

import shoal
from shoal.cli import COMMANDS

# Modules that are slow to import; none may load with the package or with `shoal --help`.
HEAVY = ("duckdb", "pyarrow", "pandas", "polars", "altair", "numpy", "sqlglot", "jinja2", "rich", "vl_convert")


def loaded_by(code: str) -> set[str]:
    probe = f"import sys\n{code}\nprint(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_the_public_names_are_these() -> None:
    """Breaks when a name is added or lost without being meant."""
    assert sorted(shoal.__all__) == ["MembershipChange", "ShoalError", "Workspace", "__version__", "follow", "open"]
    for name in shoal.__all__:
        assert getattr(shoal, name) is not None
    assert shoal.Workspace.__doc__
    assert shoal.open.__doc__


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not loaded_by("import shoal") & set(HEAVY)


def test_help_loads_nothing_heavy() -> None:
    code = "from shoal.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass"
    assert not loaded_by(code) & set(HEAVY)


def test_every_command_is_documented_and_exists() -> None:
    """Breaks when a command has no entry in docs/cli.md, or the list names one that isn't there."""
    import importlib
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    for name, (module, function, line) in COMMANDS.items():
        command = getattr(importlib.import_module(module), function)
        assert command.help
        assert line.endswith(".")
        assert f"`shoal {name}" in page, f"docs/cli.md doesn't speak of {name}"
