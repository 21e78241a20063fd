"""The figures in the documents are those that were measured."""

import pytest

from tests.bench import __main__ as bench
from tests.bench import core, table

README = (table.DOCS / "performance.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", table.PAGES)
def test_the_tables_are_those_of_the_results(page: str) -> None:
    text = (table.DOCS / page).read_text(encoding="utf-8")
    assert text == table.filled(page, text), "write them anew: python -m tests.bench.table"


@pytest.mark.parametrize("page", table.PAGES)
def test_the_documents_are_short(page: str) -> None:
    assert len((table.DOCS / page).read_text(encoding="utf-8").splitlines()) <= 180


def test_every_figure_of_the_tables_is_one_that_is_measured() -> None:
    measured = set(core.WORDS).union(*(part.WORDS for part in bench.FURTHER.values()))
    wanted = {name for row in table.BUDGET for name in row.figures} | {name for _, name, _ in table.NEEDS}
    assert wanted <= measured


def test_every_part_is_described() -> None:
    described = {
        name for line in README.splitlines() if line.startswith("| ") for name in line.split("|")[1].split(", ")
    }
    assert {*bench.CORE, *bench.FURTHER} <= {name.strip() for name in described}
