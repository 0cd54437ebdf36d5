"""Write a report: the page, and beside it every table and figure as files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from itertools import chain
from pathlib import Path

from cfft.evaluation.files.files import own_file_name
from cfft.report.as_json import as_json
from cfft.report.changed import changed_images
from cfft.report.confusion import confusions
from cfft.report.figures.changed import galleries
from cfft.report.figures.ensembles import ensembles
from cfft.report.figures.figures import Figure, images
from cfft.report.figures.frontier import frontier
from cfft.report.figures.heatmaps import heat_maps
from cfft.report.figures.scatter import scatter
from cfft.report.figures.training import curves
from cfft.report.page import Content, page
from cfft.report.pdf import PDF, write_pdf
from cfft.report.sources.images import StoredImages
from cfft.report.summary import Summary
from cfft.report.tables.accuracies import accuracy_tables
from cfft.report.tables.changed import changed_counts
from cfft.report.tables.configurations import configuration, versions
from cfft.report.tables.formats import WRITERS
from cfft.report.tables.frontier import equal_id, points_above
from cfft.report.tables.mistakes import most_frequent
from cfft.report.verdict import verdict
from cfft.runtime.files import check_free
from cfft.runtime.outputs import appearing
from cfft.runtime.outside import shown

PAGE = "report.html"
MOST_GALLERIES = 20
"""Pairs of models times sets whose changed images are on the page."""
MOST_CONFUSIONS = 100
"""Configurations times sets whose confusion is on the page; the tables' files have all."""


def write_report(
    summary: Summary, out: Path, *, with_images: bool = True, with_pdf: bool = False
) -> None:
    """Write page, tables, figures and data to `out`, which appears complete or not at all.

    `with_images`: whether to look for the images that became wrong or right, and to show them.
    `with_pdf`: whether to print the page, too; raises ConfigError where no browser can.
    Raises ConfigError where `out` holds anything, DataError for predictions cfft did not write.
    """
    check_free(out)
    content = _content(summary, StoredImages(summary.material, with_images))
    with appearing(out, "meanwhile: this report is complete in {}".format) as folder:
        (folder / PAGE).write_text(shown(page(content, datetime.now())), "utf-8")
        (folder / "report.json").write_text(json.dumps(as_json(summary), indent=2) + "\n", "utf-8")
        (folder / "tables").mkdir()
        for table in content.tables.values():
            for ending, written in WRITERS.items():
                (folder / "tables" / f"{table.name}.{ending}").write_text(
                    shown(written(table)), "utf-8"
                )
        _write_figures(folder / "figures", content.figures.values())
        if with_pdf:
            write_pdf(folder / PAGE, folder / PDF)


def _content(summary: Summary, stored: StoredImages) -> Content:
    material, judged = summary.material, verdict(summary)
    changed = changed_images(summary, judged)
    found = confusions(summary.groups, material.classes, summary.outcomes)
    shown = found[:MOST_CONFUSIONS]
    others = (
        equal_id(summary),
        points_above(summary),
        configuration(material.runs),
        versions(material.runs),
        most_frequent(found),
        changed_counts(changed),
    )
    trained = curves(material.runs, summary.configurations)
    figures = (scatter(summary), frontier(summary), ensembles(summary), trained, heat_maps(shown))
    return Content(
        summary,
        judged,
        {table.name: table for table in (*accuracy_tables(summary), *others) if table.rows},
        {figure.name: figure for figure in figures if figure.panels},
        shown,
        len(found) - len(shown),
        list(galleries(changed[:MOST_GALLERIES], stored)),
        max(len(changed) - MOST_GALLERIES, 0),
    )


def _write_figures(folder: Path, figures: Iterable[Figure]) -> None:
    folder.mkdir()
    stems: list[str] = []
    for name, specification in chain.from_iterable(figure.in_files() for figure in figures):
        stems.append(own_file_name(name, stems))
        svg, png = images(specification)
        (folder / f"{stems[-1]}.svg").write_text(svg, "utf-8")
        (folder / f"{stems[-1]}.png").write_bytes(png)
