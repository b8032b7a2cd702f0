"""What is said of small slips: the place in the file that was written, and the next thing to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from shoal.cli import main
from shoal.errors import ConfigError, DefinitionError
from shoal.workspace import Workspace, open_workspace


def test_an_encoding_that_there_isn_t_is_shown_at_its_line_in_the_settings(root: Path) -> None:
    """Breaks if the data file is blamed for a word in shoal.yaml."""
    settings = root / "shoal.yaml"
    text = settings.read_text()
    first = next(line for line in text.splitlines() if line.strip().startswith("from:"))
    line = 2 + text.splitlines().index(first)
    settings.write_text(text.replace(first, f"{first}\n    format: {{encoding: utf-88}}", 1))
    with pytest.raises(ConfigError, match=r'There is no encoding .*Did you mean "utf-8"') as caught:
        open_workspace(root)
    assert str(caught.value).startswith(f"{settings}:{line}: ")


def test_a_word_of_sql_that_is_a_column_is_told_to_be_quoted(shop: Workspace) -> None:
    """Breaks if the reader of a time has to find out that SQL keeps the word for itself."""
    for query in ('SELECT at FROM "Order Completed"', 'SELECT o.customer, at FROM "Order Completed" o WHERE at > now('):
        with pytest.raises(DefinitionError, match='in quotes: "at"'):
            shop.sql(query)
    assert shop.sql('SELECT "at" FROM "Order Completed" LIMIT 1').num_rows == 1


def test_lists_of_objects_stay_narrow_in_a_table(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks if one order with ten lines makes a table that no screen can show."""
    with pytest.raises(SystemExit) as ended:
        main(["-w", str(root), "sql", 'SELECT products FROM "Order Completed" ORDER BY len(products) DESC LIMIT 3'])
    assert not ended.value.code
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 60
    assert "Decimal(" not in out
    assert "product_id" in out


def test_where_there_is_no_segment_yet_the_way_to_one_is_told(shop: Workspace) -> None:
    shop.segments.remove("lapsed-vips")
    with pytest.raises(DefinitionError, match="shoal segment add"):
        shop.segments.preview('member of "nope"')
    with pytest.raises(DefinitionError, match="shoal list add"):
        shop.segments.preview('listed in "nope"')
