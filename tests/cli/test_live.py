"""What a run says while it goes on, in a terminal, in a pipe and beside JSON."""

from __future__ import annotations

from io import StringIO

import attrs
import pytest
from rich.console import Console

from cfft.cli.output.clock import Clock
from cfft.cli.output.live import Bar, Lines, Quiet, Warnings, reporter
from cfft.cli.output.numbers import brief, duration, interval, measurements, percent, points
from cfft.runtime.progress import Plan

PLAN = Plan(
    facts=(("model", "name", "[tiny]"), ("images", "train", "8"), ("images", "ood", "a: 4")),
    warnings=("few images",),
    data={"steps": {"total": 4}, "config": {"training": {"epochs": 3}}},
)


def screen(*, terminal: bool) -> Console:
    return Console(
        file=StringIO(), force_terminal=terminal, width=80, markup=False, highlight=False,
        color_system=None, legacy_windows=False,
    )  # fmt: skip


def said(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def watch(watcher: Quiet) -> None:
    watcher.planned(PLAN)
    with watcher.task("epoch 1/1", 4) as advance:
        watcher.stepped(1, {"loss": 0.5, "lr": 3e-5, "images_per_second": 12.345})
        advance(1)
        watcher.stepped(2, {"loss": 0.25, "lr": 2e-5, "images_per_second": 12.0})
    watcher.epoch_ended(1, {"val_top1": 0.75, "seconds": 2.0})
    watcher.close()


def test_a_pipe_gets_plain_lines() -> None:
    out, err = screen(terminal=False), screen(terminal=False)

    watch(Lines(out, err))

    assert [line.rstrip() for line in said(out).splitlines()] == [
        "model",
        "  name   [tiny]",
        "images",
        "  train  8",
        "  ood    a: 4",
    ]
    assert said(err).splitlines() == [
        "warning: few images",
        "epoch 1/1: 4",
        "step 1: loss 0.5, lr 3e-05, 12.3 images/s",
        "epoch 1/3: validation 75.0 % (best so far), 2.0 s",
    ]


def epoch_lines(first: int, *accuracies: float, best: float | None = None) -> list[str]:
    out, err = screen(terminal=False), screen(terminal=False)
    lines = Lines(out, err)
    lines.planned(PLAN)
    if best is not None:
        lines.resumed(best)
    for epoch, top1 in enumerate(accuracies, start=first):
        lines.epoch_ended(epoch, {"val_top1": top1, "seconds": 61.0})
    return said(err).splitlines()[1:]


def test_an_epoch_is_the_best_so_far_only_if_it_is_better_than_all_before() -> None:
    assert epoch_lines(1, 0.5, 0.5, 0.75) == [
        "epoch 1/3: validation 50.0 % (best so far), 0:01:01",
        "epoch 2/3: validation 50.0 %, 0:01:01",
        "epoch 3/3: validation 75.0 % (best so far), 0:01:01",
    ]


def test_in_a_resumed_run_an_epoch_is_compared_with_those_of_earlier_sessions() -> None:
    assert epoch_lines(2, 0.5, 0.75, best=0.6) == [
        "epoch 2/3: validation 50.0 %, 0:01:01",
        "epoch 3/3: validation 75.0 % (best so far), 0:01:01",
    ]


def test_epochs_are_compared_by_what_the_run_chooses_them_by() -> None:
    out, err = screen(terminal=False), screen(terminal=False)
    lines = Lines(out, err)
    training = {"epochs": 3, "val_metric": "loss", "ties": "later"}
    lines.planned(attrs.evolve(PLAN, data={**PLAN.data, "config": {"training": training}}))

    for epoch, loss in enumerate((0.5, 0.25, 0.25), start=1):
        lines.epoch_ended(epoch, {"val_top1": 0.5, "val_loss": loss, "seconds": 1.0})

    assert said(err).splitlines()[1:] == [
        "epoch 1/3: validation 50.0 %, loss 0.5 (best so far), 1.0 s",
        "epoch 2/3: validation 50.0 %, loss 0.25 (best so far), 1.0 s",
        "epoch 3/3: validation 50.0 %, loss 0.25 (as good: kept), 1.0 s",
    ]


def test_accuracies_before_training_are_said_as_they_are_measured() -> None:
    err = screen(terminal=False)

    Lines(screen(terminal=False), err).measured("art", "ood", 0.5, before=True)

    assert said(err) == "before fine-tuning, art (OOD): 50.0 %\n"


def test_a_terminal_gets_a_bar_with_the_newest_measurements_under_it() -> None:
    err = screen(terminal=True)

    watch(Bar(screen(terminal=True), err))

    assert "epoch 1/1 ━" in said(err)
    assert "12 images/s" in said(err)
    assert said(err).endswith("epoch 1/3: validation 75.0 % (best so far), 2.0 s\n")


def test_a_second_task_erases_nothing_that_was_written_after_the_first() -> None:
    err = screen(terminal=True)
    bar = Bar(screen(terminal=True), err)

    watch(bar)
    before = len(said(err))
    with bar.task("evaluating photo", 9):
        pass

    upwards = "\x1b[1A"
    drawn = said(err)[before:]
    assert upwards not in drawn[: drawn.index("evaluating photo")]


def test_json_has_nothing_but_warnings_beside_it() -> None:
    err = screen(terminal=False)

    watch(Quiet(err))

    assert said(err) == "warning: few images\n"


@pytest.mark.parametrize(
    ("terminal", "as_json", "kind"),
    [(True, False, Bar), (False, False, Lines), (True, True, Quiet), (False, True, Quiet)],
)
def test_who_watches_depends_on_where_the_output_goes(
    terminal: bool, as_json: bool, kind: type[Quiet]
) -> None:
    console = screen(terminal=terminal)

    assert type(reporter(console, console, as_json=as_json)) is kind
    assert type(reporter(console, console, as_json=as_json, volume="quiet")) is Warnings


def test_time_left_follows_from_the_steps_heard_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", iter([100.0, 106.0]).__next__)
    clock = Clock(total=30)

    assert clock.left(8) == []
    assert clock.left(10) == ["0:01:00 left"]


def test_time_left_counts_the_evaluations_that_are_still_to_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.monotonic", iter([100.0, 120.0, 180.0]).__next__)
    roles = (("train", 80), ("val", 50), ("id", 100), ("ood", 300))
    clock = Clock.of(
        {
            "steps": {"total": 40, "per_epoch": 20},
            "batch": {"effective": 4},
            "sets": [{"name": role, "role": role, "n": n} for role, n in roles],
        }
    )

    assert clock.left(10) == []
    # 2 s a step, and 0.5 s an image as long as no image was measured
    assert clock.left(20) == ["0:04:50 left"]  # 20 steps, 2 x 50 + 400 images
    clock.evaluated(50, 5.0)
    # 55 of the 60 s since then were spent on 10 steps more
    assert clock.left(30) == ["0:01:22 left"]  # 10 steps of 3.75 s, 50 + 400 images of 0.1 s


def test_a_stage_says_whose_time_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 1.0)
    err = screen(terminal=False)
    lines = Lines(screen(terminal=False), err, every=0.0)
    main = attrs.evolve(PLAN, data={**PLAN.data, "run": "RUN", "stages": []})
    lines.planned(main)

    lines.planned(attrs.evolve(PLAN, data={**PLAN.data, "run": "RUN/stages/probe"}))
    lines.stepped(1, {"loss": 0.5})
    lines.stepped(2, {"loss": 0.5})
    lines.planned(attrs.evolve(PLAN, data={**PLAN.data, "run": "RUN"}))
    lines.stepped(1, {"loss": 0.5})
    lines.stepped(2, {"loss": 0.5})

    left = [line for line in said(err).splitlines() if line.endswith(("left", "stage"))]
    assert [line.partition(", ")[2] for line in left] == [
        "0:00:00 left of this stage",
        "0:00:00 left",
    ]


def test_a_long_task_prints_a_line_now_and_then_and_no_carriage_return(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    err = screen(terminal=False)

    with Lines(screen(terminal=False), err).task("evaluating photo", 5000) as advance:
        for now[0], done in ((10.0, 1000), (31.0, 2000), (40.0, 3000), (62.0, 4000), (99.0, 5000)):
            advance(done)

    assert said(err) == (
        "evaluating photo: 5,000\nevaluating photo: 2,000 of 5,000\n"
        "evaluating photo: 4,000 of 5,000\n"
    )


def test_quiet_leaves_warnings_and_verbose_tells_every_step() -> None:
    quiet, verbose = screen(terminal=True), screen(terminal=True)
    out = screen(terminal=True)

    watch(reporter(out, quiet, as_json=False, volume="quiet"))
    watch(reporter(screen(terminal=True), verbose, as_json=False, volume="verbose"))

    assert (said(quiet), said(out)) == ("warning: few images\n", "")
    assert "step 1: loss 0.5" in said(verbose)
    assert "step 2: loss 0.25" in said(verbose)


@pytest.mark.parametrize(("name", "value"), [("JPY_PARENT_PID", "7"), ("TERM", "dumb")])
def test_where_no_cursor_can_be_moved_there_are_lines(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    console = screen(terminal=True)

    assert type(reporter(console, console, as_json=False)) is Lines


def test_numbers_are_spelled_as_people_read_them() -> None:
    assert (percent(0.98765), percent(None)) == ("98.8", "-")
    assert (points(0.5, 0.25), points(0.5, 0.4999), points(None, 1.0)) == ("-25.0", "+0.0", "-")
    assert interval((0.5, 0.75)) == "50.0 to 75.0"
    assert duration(3661.4) == "1:01:01"
    assert (brief(0.24), brief(75.0)) == ("0.2 s", "0:01:15")
    assert measurements({"grad_norm": 1.23456}) == ["grad norm 1.235"]
