"""`cfft report` from its words to its files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cfft.report.sources import collect

Command = Callable[..., Any]
Write = Callable[..., Path]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out" / "report"


def test_the_command_says_what_it_wrote(cfft_command: Command, sources: Any, out: Path) -> None:
    ended = cfft_command("report", *sources.words, "--out", str(out))

    assert (ended.code, ended.err) == (0, "")
    first, *verdict = ended.out.splitlines()
    assert first == f"wrote {out / 'report.html'}: 8 models, ID photo, OOD drawing, sketch"
    assert verdict[0].startswith("Of 5 configurations object + single (mean of 2 seeds) is best on")
    assert verdict[-1].startswith("In distribution (photo) vanilla is best, +10.0 points")


def test_the_command_ends_with_what_to_do_next(
    cfft_command: Command, write_run: Write, out: Path
) -> None:
    ended = cfft_command("report", str(write_run("a", (0.8, 0.7, 0.6))), "--out", str(out))

    assert ended.out.splitlines()[-1].startswith("next: vanilla was run with one seed: repeat it")


def test_tables_and_figures_are_beside_the_page(report: Path) -> None:
    assert sorted(path.name for path in report.iterdir()) == [
        *("figures", "report.html", "report.json", "tables")
    ]
    assert {path.stem for path in (report / "figures").glob("*.svg")} == {
        *("scatter", "ensembles", "training"),
        *("confusion-object-+-single", "confusion-vanilla"),
    }
    assert len(list((report / "tables").glob("*.tex"))) == 9
    with Image.open(report / "figures" / "scatter.png") as image:
        assert image.width > 500


def test_the_page_is_small_and_asks_for_nothing(report: Path) -> None:
    page = (report / "report.html").read_text("utf-8")

    assert len(page) < 1_500_000
    assert "default-src 'none'; img-src data:" in page


def test_the_data_are_printed_without_a_page(
    cfft_command: Command, sources: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    data = json.loads(cfft_command("report", *sources.words, "--json").out)

    seeds = next(group for group in data["groups"] if group["group"] == "object + single")
    assert seeds["models"] == ["a0", "a1"]
    assert seeds["sets"]["photo"]["mean"] == pytest.approx(0.85)
    assert not list(tmp_path.iterdir())


def test_a_report_without_a_place_gets_a_new_one(
    cfft_command: Command, write_lines: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report").mkdir()
    path = write_lines({"name": "a", "x": 0.9}, {"name": "b", "x": 0.8})

    ended = cfft_command("report", "--import", str(path))

    assert ended.out.startswith("wrote report-2/report.html: 2 models, ID x, OOD none")


def test_a_place_that_is_taken_while_a_report_is_made_is_not_used(
    cfft_command: Command, write_lines: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_lines({"name": "a", "x": 0.9}, {"name": "b", "x": 0.8})
    gathered = collect.collect

    def taken(*sources: Any) -> Any:
        (tmp_path / "report").mkdir()
        return gathered(*sources)

    monkeypatch.setattr(collect, "collect", taken)

    ended = cfft_command("report", "--import", str(path))

    assert ended.out.startswith("wrote report-2/report.html: 2 models")
    assert not list((tmp_path / "report").iterdir())


def test_the_published_form_of_a_name_reaches_table_and_page_unharmed(
    cfft_command: Command, write_lines: Write, out: Path
) -> None:
    path = write_lines({"model_name": "<b>&", "x": 0.9}, {"model_name": "</script>", "x": 0.8})

    cfft_command("report", "--import", str(path), "--out", str(out))

    rows = list(csv.reader((out / "tables" / "results.csv").read_text("utf-8").splitlines()))
    assert rows == [["model", "x"], ["<b>&", "0.9"], ["</script>", "0.8"]]
    assert "&lt;b&gt;&amp;" in (out / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "nothing to report: give run, evaluation or sweep directories, or --import FILE"),
        (["no-run"], "'no-run' not found: give run, evaluation or sweep directories"),
        (["--import", "no.jsonl"], "no.jsonl: cannot be read"),
        (["--import", "models.jsonl", "--id", "z"], "--id z: no model has it; there are: x"),
        (
            ["--import", "models.jsonl", "--baseline-line", "z"],
            "unknown --baseline-line 'z'; there are: a",
        ),
        (["--import", "models.jsonl", "--out", "full"], "--out full is not empty"),
        (["--import", "models.jsonl", "--out", "models.jsonl"], "--out models.jsonl is a file"),
    ],
)
def test_bad_input_ends_with_2_and_one_line_and_writes_nothing(
    cfft_command: Command,
    write_lines: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_lines({"name": "a", "x": 0.9})
    (tmp_path / "full" / "something").mkdir(parents=True)
    before = set(tmp_path.rglob("*"))

    ended = cfft_command("report", *words)

    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert ended.err.startswith(f"error: {line}")
    assert set(tmp_path.rglob("*")) == before


def test_predictions_that_cannot_be_read_leave_nothing_half_written(
    cfft_command: Command, write_run: Write, out: Path
) -> None:
    run = write_run("a", (0.8, 0.7, 0.6))
    (run / "predictions" / "sketch.npz").write_text("broken")

    ended = cfft_command("report", str(run), "--out", str(out))

    assert ended.code == 2
    assert "sketch.npz: no predictions that cfft wrote" in ended.err
    assert not out.parent.exists()


def test_configurations_of_long_and_colliding_names_have_files_of_their_own(
    cfft_command: Command, write_run: Write, out: Path
) -> None:
    losses = ["x" * 260, "a", "a/", "a-2"]
    runs = [
        write_run(f"run{number}", (0.8, 0.7, 0.6), loss=[{"use": loss}])
        for number, loss in enumerate(losses)
    ]

    ended = cfft_command("report", *map(str, runs), "--out", str(out))

    names = sorted(path.stem for path in (out / "figures").glob("confusion-*.svg"))
    assert (ended.code, ended.err) == (0, "")
    assert names[:3] == ["confusion-a", "confusion-a-2", "confusion-a-2-2"]
    assert names[3].startswith("confusion-xxx")
    assert len(names[3]) == 200


def test_a_page_without_room_for_all_confusions_says_so_and_the_table_has_them(
    cfft_command: Command, write_run: Write, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cfft.report.write.MOST_CONFUSIONS", 1)

    cfft_command("report", str(write_run("a", (0.8, 0.7, 0.6))), "--out", str(out))

    page = (out / "report.html").read_text("utf-8")
    assert "Not shown: 1 more pairs of configuration and set" in page
    rows = list(csv.DictReader((out / "tables" / "confusion.csv").read_text().splitlines()))
    assert {row["set"] for row in rows} == {"drawing", "sketch"}
