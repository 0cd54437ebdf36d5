"""Tables as Markdown, LaTeX (booktabs) and CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined

from cfft.report.tables.tables import Table

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "²": r"$^2$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def latex_escaped(words: str) -> str:
    """Write any text so that LaTeX prints it; a minus sign of a number becomes one."""
    escaped = re.sub("|".join(map(re.escape, _LATEX)), lambda found: _LATEX[found[0]], words)
    return re.sub(r"^-(?=\d)", "$-$", escaped)


def markdown_escaped(words: str) -> str:
    """Write any text so that it stays within its cell and plain."""
    return re.sub(r"[\\|*`<\[]|\b_|_\b", r"\\\g<0>", words).replace("\n", " ")


def markdown(table: Table) -> str:
    """Write a table as GitHub's Markdown; the best values are bold."""
    return _rendered("table.md.j2", table)


def latex(table: Table) -> str:
    """Write a table as a tabular for the package booktabs; the best values are bold."""
    return _rendered("table.tex.j2", table)


def comma_separated(table: Table) -> str:
    """Write a table's numbers as they are, shares as shares.

    A column `std` follows its mean, and two with the ends of its interval where it has one.
    """
    columns: list[list[object]] = []
    for column, cells in zip(table.columns, zip(*table.rows, strict=True), strict=True):
        columns.append([column.title, *(cell.value for cell in cells)])
        if any(cell.std is not None for cell in cells):
            columns.append([f"{column.title} std", *(cell.std for cell in cells)])
        if any(cell.ci95 is not None for cell in cells):
            ends = [cell.ci95 or (None, None) for cell in cells]
            columns.append([f"{column.title} 95 % from", *(low for low, _ in ends)])
            columns.append([f"{column.title} 95 % to", *(high for _, high in ends)])
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(zip(*columns, strict=True))
    return written.getvalue()


WRITERS: Mapping[str, Callable[[Table], str]] = {
    "md": markdown,
    "tex": latex,
    "csv": comma_separated,
}


def _rendered(template: str, table: Table) -> str:
    environment = Environment(
        loader=PackageLoader("cfft.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters.update(latex=latex_escaped, markdown=markdown_escaped)
    cells = [
        list(zip(words, row, strict=True))
        for words, row in zip(table.spelt(), table.rows, strict=True)
    ]
    return environment.get_template(template).render(table=table, rows=cells)
