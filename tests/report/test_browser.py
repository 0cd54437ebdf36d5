"""The page in a real Chromium: drawn, quiet, sortable, reachable by keyboard, legible."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from cfft.report.sources.collect import collect
from cfft.report.summary import summarise
from cfft.report.write import write_report
from cfft.scoring.predictions import Predictions

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH"),
]
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
]
# every text of the charts whose colour differs too little from the page's: WCAG 1.4.3, level AA
PALE_CHART_TEXTS = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = (colour) => channels(colour)
    .map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const page = light(getComputedStyle(document.body).backgroundColor);
  const ratio = (l) => (Math.max(l, page) + 0.05) / (Math.min(l, page) + 0.05);
  return [...document.querySelectorAll(".chart svg text")]
    .filter((text) => ratio(light(getComputedStyle(text).fill)) < 4.5)
    .map((text) => text.textContent);
}"""
REACHABLE = "a[href], button, select, summary, input:not([type=radio]), input:checked, .scroll"
Page = Any
PAPER = "#print"
READY = {"": "html[data-drawn=yes]", PAPER: "html[data-printed=yes]"}


def write_thousand_classes(write_evaluation: Callable[..., Path]) -> Path:
    """Write an evaluation of 5,000 images of 1,000 classes, half of them taken for the next."""
    labels = torch.arange(5000) % 1000
    chosen = (labels + torch.arange(5000) % 2) % 1000
    logits = torch.nn.functional.one_hot(chosen, 1000).float()
    names = tuple(f"{number}.png" for number in range(5000))
    sets = {name: {"role": role, "top1": 0.5} for name, role in (("val", "id"), ("v2", "ood"))}
    model = {"model": "a", "group": "a", "sets": sets, "predictions": "predictions/a"}
    folder = write_evaluation("many", models=[model], differences=[])
    Predictions(logits, labels, names, tuple(range(1000))).save(folder / "predictions/a/v2.npz")
    return folder


def random_logits(labels: torch.Tensor, seed: int) -> torch.Tensor:
    """Return logits [N, 1000] of which the true class's is often the largest."""
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(len(labels), 1000, generator=rng)
    logits[torch.arange(len(labels)), labels] += 3
    return logits


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any, report: Path) -> Iterator[Callable[..., Page]]:
    """Return `open_page(folder, place, **context)`: open a report and wait until all is drawn.

    `folder`: the report that has every section, if none is given. `page.said`: what the console
    said. `page.asked`: the addresses that were asked for.
    """
    contexts = []

    def opened(folder: Path = report, place: str = "", **settings: Any) -> Page:
        contexts.append(chromium.new_context(**settings))
        page = contexts[-1].new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        if place == PAPER:
            page.emulate_media(media="print")
        page.goto((folder / "report.html").as_uri() + place)
        page.wait_for_selector(READY[place], state="attached")
        return page

    yield opened
    for context in contexts:
        context.close()


def column(page: Page, title: str) -> list[str]:
    """Return the texts of a column of the table of each model."""
    titles = page.locator("#table-models th button").all_inner_texts()
    index = next(i for i, words in enumerate(titles) if words.endswith(title)) + 1
    texts: list[str] = page.locator(f"#table-models td:nth-child({index})").all_inner_texts()
    return texts


def test_the_page_opens_quietly_and_asks_for_nothing_but_itself(
    open_page: Callable[..., Page], report: Path
) -> None:
    page = open_page()

    outside = [url for url in page.asked if not url.startswith("data:")]
    assert (page.said, outside) == ([], [(report / "report.html").as_uri()])


@pytest.mark.parametrize(
    ("chart", "marks", "least"),
    [
        ("scatter", ".mark-symbol path", 8),
        ("scatter", ".mark-rule line", 14),
        ("scatter", ".mark-line path", 1),
        ("ensembles", ".mark-symbol path", 3),
        ("ensembles", ".mark-line path", 1),
        ("training", ".mark-line path", 2),
        ("training", ".mark-area path", 2),
        ("confusion", ".mark-rect path", 5),
    ],
)
def test_the_charts_are_drawn(
    open_page: Callable[..., Page], chart: str, marks: str, least: int
) -> None:
    page = open_page()

    assert page.locator(f"#chart-{chart} svg {marks}").count() >= least


@pytest.mark.parametrize("chart", ["scatter", "ensembles", "training", "confusion"])
def test_another_choice_draws_other_data(open_page: Callable[..., Page], chart: str) -> None:
    page = open_page()
    drawing = page.locator(f"#chart-{chart} svg")
    before = drawing.inner_html()

    page.select_option(f"#choose-{chart}", index=1)

    page.wait_for_function(
        "([chart, before]) => document.querySelector(`#chart-${chart} svg`).innerHTML !== before",
        arg=[chart, before],
    )
    assert page.said == []


def test_another_confusion_shows_its_mistakes(open_page: Callable[..., Page]) -> None:
    page = open_page()

    page.select_option("#choose-confusion", label="sketch · object + single")

    shown = page.locator("[data-panel^=confusion]:visible h3")
    assert shown.all_inner_texts() == ["Most frequent mistakes: object + single on sketch"]


def test_pointing_at_a_model_names_it(open_page: Callable[..., Page]) -> None:
    page = open_page()

    page.locator("#chart-scatter .mark-symbol path").first.hover()

    page.wait_for_selector("#vg-tooltip-element.visible")
    assert "before" in page.locator("#vg-tooltip-element").inner_text()


def test_pointing_at_a_curve_gives_the_value_of_each_seed(open_page: Callable[..., Page]) -> None:
    page = open_page()

    page.locator("#chart-training .role-mark.mark-symbol path").last.hover()

    page.wait_for_selector("#vg-tooltip-element.visible")
    assert "0: 1" in page.locator("#vg-tooltip-element").inner_text()


@pytest.mark.parametrize(
    ("chart", "marks", "attribute"),
    [
        ("scatter", ".role-legend-symbol path", "d"),
        ("training", ".role-legend-symbol path", "stroke-dasharray"),
    ],
)
def test_series_look_different_without_their_colours(
    open_page: Callable[..., Page], chart: str, marks: str, attribute: str
) -> None:
    page = open_page()

    colours, looks = page.locator(f"#chart-{chart} svg").evaluate(
        """(svg, [marks, attribute]) => {
            const found = [...svg.querySelectorAll(marks)];
            const colour = (e) => e.getAttribute("fill") + e.getAttribute("stroke");
            return [new Set(found.map(colour)).size,
                    new Set(found.map((e) => e.getAttribute(attribute))).size];
        }""",
        [marks, attribute],
    )
    assert colours == looks > 1


def test_a_thousand_classes_make_a_page_that_is_small_and_quiet(
    open_page: Callable[..., Page], write_evaluation: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    write_report(summarise(collect([str(write_thousand_classes(write_evaluation))], [])), out)

    page = open_page(out)

    assert page.said == []
    assert page.locator("#confusion tbody tr").count() == 30
    assert "No heat map: 1,000 classes occur" in page.locator("#confusion").inner_text()
    assert (out / "report.html").stat().st_size < 1_100_000


def test_a_click_sorts_and_another_one_turns_the_order(open_page: Callable[..., Page]) -> None:
    page = open_page()
    heading = page.locator("#table-models th", has_text="photo")

    heading.locator("button").click()
    assert column(page, "photo")[:3] == ["95.0", "90.0", "90.0"]
    assert heading.get_attribute("aria-sort") == "descending"

    heading.locator("button").click()
    assert column(page, "photo")[:3] == ["60.0", "60.0", "70.0"]
    assert heading.get_attribute("aria-sort") == "ascending"


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_the_keyboard_sorts(open_page: Callable[..., Page], key: str) -> None:
    page = open_page()

    page.locator("#table-models th button", has_text="drawing").focus()
    page.keyboard.press(key)

    assert column(page, "drawing")[:2] == ["70.0", "70.0"]


def test_cells_without_a_value_come_last_in_either_order(open_page: Callable[..., Page]) -> None:
    page = open_page()
    button = page.locator("#table-models th button", has_text="seed")

    button.click()
    assert column(page, "seed")[-1] == "-"

    button.click()
    assert column(page, "seed")[-1] == "-"


def test_the_tab_key_reaches_everything_that_can_be_used(open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.locator("summary").click()
    page.evaluate("document.activeElement.blur(); getSelection().collapse(document.body, 0)")
    wanted = page.locator(REACHABLE).filter(visible=True).count()

    page.evaluate("window.reached = new Set()")
    for _ in range(wanted + 20):
        page.keyboard.press("Tab")
        page.evaluate("window.reached.add(document.activeElement)")

    missed = page.evaluate(
        "(wanted) => [...document.querySelectorAll(wanted)]"
        ".filter((e) => e.checkVisibility() && !reached.has(e)).map((e) => e.outerHTML)",
        REACHABLE,
    )
    assert (wanted > 50, missed) == (True, [])


@pytest.mark.parametrize("width", [1280, 420])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_people_of_all_abilities_can_read_the_page(
    open_page: Callable[..., Page], scheme: str, width: int
) -> None:
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 900})
    page.locator("summary").click()

    found = axe.Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]})

    problems = [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]]
    assert (problems, page.evaluate(PALE_CHART_TEXTS)) == ([], [])


@pytest.mark.parametrize("width", [1280, 420])
def test_the_page_never_scrolls_sideways(open_page: Callable[..., Page], width: int) -> None:
    page = open_page(viewport={"width": width, "height": 900})

    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_switch_overrules_the_theme_of_the_system(open_page: Callable[..., Page]) -> None:
    page = open_page(color_scheme="light")
    colour = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(colour)

    page.get_by_label("dark").check()

    assert (before, page.evaluate(colour)) == ("rgb(253, 253, 252)", "rgb(22, 24, 27)")


def test_a_theme_is_remembered(open_page: Callable[..., Page]) -> None:
    page = open_page(color_scheme="light")

    page.get_by_label("dark").check()
    page.reload()

    assert page.get_by_label("dark").is_checked()


def test_an_image_is_enlarged_and_closed_by_keyboard(open_page: Callable[..., Page]) -> None:
    page = open_page()
    image = page.locator(".enlarge").first

    image.focus()
    page.keyboard.press("Enter")
    shown = page.locator("dialog img")
    assert shown.get_attribute("alt").startswith("Sheet of training images of object + single")

    page.keyboard.press("Escape")
    assert not shown.is_visible()
    assert image.evaluate("(button) => button === document.activeElement")


def test_settings_that_do_not_differ_can_be_hidden(open_page: Callable[..., Page]) -> None:
    page = open_page()

    page.get_by_label("only differences").check()

    shown = page.locator("#table-configuration tbody tr:visible td:first-child")
    assert shown.all_inner_texts() == ["seed", "mask.use", "fill.use"]


def test_the_verdict_stands_first(open_page: Callable[..., Page]) -> None:
    page = open_page()

    assert page.locator("#verdict > p").first.inner_text().startswith("Of 5 configurations object")
    assert page.evaluate(
        "document.getElementById('verdict').compareDocumentPosition("
        "document.getElementById('results')) === Node.DOCUMENT_POSITION_FOLLOWING"
    )


def test_on_paper_every_panel_is_drawn_and_nothing_is_left_to_choose(
    open_page: Callable[..., Page],
) -> None:
    page = open_page(place=PAPER, viewport={"width": 1032, "height": 700})

    panels = page.evaluate(
        "Object.values(charts).flatMap((chart) => chart.panels).filter(Boolean).length"
    )
    assert (panels > 8, page.said) == (True, [])
    assert page.locator(".chart:visible svg").count() == panels
    assert page.locator("select:visible, nav:visible, .themes:visible").count() == 0
    assert page.locator("[data-panel]:visible").count() == page.locator("[data-panel]").count()
    assert page.locator("#table-details:visible").count() == 1


def test_on_paper_a_wide_table_is_several_that_fit_and_hold_every_column(
    open_page: Callable[..., Page], write_run: Callable[..., Path], tmp_path: Path
) -> None:
    losses = [f"loss-{number:040}" for number in range(9)]
    runs = [str(write_run(loss, (0.8, 0.7, 0.6), loss=[{"use": loss}])) for loss in losses]
    write_report(summarise(collect(runs, [])), tmp_path / "out")

    page = open_page(tmp_path / "out", PAPER, viewport={"width": 1032, "height": 700})

    heads = page.locator("#configuration table.part:visible thead").all_inner_texts()
    assert len(heads) > 1
    assert all(any(loss in head for head in heads) for loss in losses)
    assert page.evaluate(
        "[...document.querySelectorAll('main table')].every((t) => t.offsetWidth <= 1032)"
    )


def test_a_page_printed_by_hand_is_as_before_afterwards(open_page: Callable[..., Page]) -> None:
    page = open_page()
    before = page.locator("main").inner_html()

    page.evaluate("dispatchEvent(new Event('beforeprint')); dispatchEvent(new Event('afterprint'))")

    assert page.locator("main").inner_html().replace(' data-was-open="false"', "") == before


@pytest.mark.slow
def test_fifty_thousand_images_of_a_thousand_classes_make_a_page_that_is_small(
    open_page: Callable[..., Page], write_run: Callable[..., Path], tmp_path: Path
) -> None:
    labels = torch.arange(50_000) % 1000
    names = tuple(f"class {number % 1000}/{number}.JPEG" for number in range(50_000))
    first, second = (random_logits(labels, seed) for seed in (0, 1))
    share = float((second.argmax(1) == labels).double().mean())
    run = write_run("a", (0.5, share, share))
    stored = json.loads((run / "results.json").read_text())
    many = {**stored, "classes": [f"class {number}" for number in range(1000)]}
    (run / "results.json").write_text(json.dumps(many))
    (run / "predictions" / "before").mkdir()
    for name in ("drawing", "sketch"):
        for file, logits in ((f"before/{name}", first), (name, second)):
            path = run / "predictions" / f"{file}.npz"
            Predictions(logits, labels, names, tuple(range(1000))).save(path)

    write_report(summarise(collect([str(run)], [])), tmp_path / "out")

    page = open_page(tmp_path / "out")
    assert page.said == []
    assert page.locator("#changed li").count() == 2 * 2 * 12
    assert (tmp_path / "out" / "report.html").stat().st_size < 15_000_000
