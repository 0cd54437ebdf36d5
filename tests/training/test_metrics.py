"""Windows of losses, metrics.jsonl, and what a run remembers of its epochs."""

from pathlib import Path

import pytest
import torch

from cfft.errors import TrainingError
from cfft.runtime.json_files import structured
from cfft.training.metrics import MetricsLog, Window
from cfft.training.state import RunState


def window(*values: float) -> Window:
    found = Window(("loss", "ce"), torch.device("cpu"), lambda tensor: tensor)
    for step, value in enumerate(values, 1):
        found.add(step, {"loss": torch.tensor(2 * value), "ce": torch.tensor(value)})
    return found


def test_a_window_gives_means_and_begins_anew() -> None:
    found = window(1.0, 3.0)

    assert found.means() == {"loss": 4.0, "ce": 2.0}
    assert found.steps == 0


def test_a_full_disk_is_told_with_the_file_that_a_line_was_for() -> None:
    with pytest.raises(OSError, match="No space left") as error:
        MetricsLog(Path("/dev/full")).write({"step": 1, "epoch": 1})

    assert error.value.filename == "/dev/full"


def test_a_window_takes_the_mean_over_processes() -> None:
    other = torch.tensor([[5.0, 0.0]])  # its sum of losses, and that all of them were finite
    found = Window(("loss",), torch.device("cpu"), lambda own: torch.cat([own, other]))
    found.add(1, {"loss": torch.tensor(1.0)})

    assert found.means() == {"loss": 3.0}


def test_a_process_hears_of_another_ones_loss_that_is_not_finite() -> None:
    other = torch.tensor([[float("nan"), 1.0]])
    found = Window(("loss",), torch.device("cpu"), lambda own: torch.cat([own, other]))
    found.add(1, {"loss": torch.tensor(1.0)})

    with pytest.raises(TrainingError, match=r"optimiser step 1 \(loss\)"):
        found.record()


def test_a_restored_window_goes_on_where_it_was() -> None:
    whole, part, rest = window(1.0, 3.0), window(1.0), window()

    rest.restore(part.record())
    rest.add(2, {"loss": torch.tensor(6.0), "ce": torch.tensor(3.0)})

    assert rest.means() == whole.means()


def test_the_first_step_that_was_not_finite_is_named_with_its_terms() -> None:
    found = Window(("loss", "ce", "mse"), torch.device("cpu"), lambda tensor: tensor)
    found.add(4, {name: torch.tensor(1.0) for name in found.names})
    found.add(5, {**{n: torch.tensor(float("nan")) for n in ("loss", "mse")}, "ce": torch.ones(())})
    found.add(6, {name: torch.tensor(float("inf")) for name in ("loss", "ce", "mse")})

    with pytest.raises(TrainingError, match=r"optimiser step 5 \(loss, ce, mse\).*intact"):
        found.record()


def test_rewinding_forgets_later_steps_later_epochs_and_a_broken_line(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.write({"step": 2, "epoch": 1, "loss": 1.0})
    log.write({"epoch": 1, "step": 2, "val_top1": 0.5})
    log.write({"step": 4, "epoch": 2, "loss": 1.0})
    log.write({"epoch": 2, "step": 4, "val_top1": 0.5})
    log.path.write_text(log.path.read_text() + '{"step": 6')

    log.rewind(step=4, epoch=1)

    assert log.path.read_text().splitlines() == [
        '{"step": 2, "epoch": 1, "loss": 1.0}',
        '{"epoch": 1, "step": 2, "val_top1": 0.5}',
        '{"step": 4, "epoch": 2, "loss": 1.0}',
    ]


@pytest.mark.parametrize(
    ("ties", "kept", "best_epoch"),
    [("later", [True, True, True, False], 3), ("earlier", [True, True, False, False], 2)],
)
def test_ties_say_which_of_equally_good_epochs_is_the_best(ties, kept, best_epoch) -> None:
    state = RunState()

    is_best = [state.take_validation(top1, None, ties) for top1 in (0.5, 0.7, 0.7, 0.6)]

    assert is_best == kept
    assert (state.best_epoch, state.best_top1, state.waited) == (best_epoch, 0.7, 2)


@pytest.mark.parametrize("ties", ["later", "earlier"])
def test_patience_ends_after_so_many_epochs_without_a_better_one(ties) -> None:
    state = RunState()

    stopped = []
    for top1 in (0.5, 0.4, 0.5):
        state.take_validation(top1, patience=2, ties=ties)
        stopped.append(state.stopped_early)

    assert stopped == [False, False, True]


def test_a_state_reads_back_and_its_clock_goes_on() -> None:
    state = RunState(step=3, feature_variances={"clip": 0.25}, past_seconds=100.0)

    found = structured(state.record(), RunState, "state")

    assert (found.step, found.feature_variances) == (3, {"clip": 0.25})
    assert 100.0 <= found.seconds < 101.0


def test_what_a_checkpoint_had_written_stays_and_the_rest_goes(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.write({"step": 2, "epoch": 1, "loss": 1.0})
    written = log.written()
    log.write({"step": 4, "epoch": 1, "loss": 1.0})

    warning = log.rewind(step=2, epoch=0, written=written)

    assert warning is None
    assert log.written() == written


def test_metrics_that_are_gone_are_told_of(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.write({"step": 2, "epoch": 1, "loss": 1.0})
    written = log.written()
    log.path.unlink()

    assert "metrics.jsonl is gone" in (log.rewind(2, 0, written) or "")
    assert log.path.read_text() == ""


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.path.write_text('{"step": 2, "epo\n{"step": 4, "epoch": 1, "loss": 1.0}\n')

    with pytest.raises(TrainingError, match=r"metrics.jsonl, line 1: no line that cfft wrote"):
        log.rewind(step=4, epoch=1)


def test_epochs_may_be_chosen_by_another_score_than_the_accuracy() -> None:
    state = RunState()

    is_best = [
        state.take_validation(top1, None, "later", score)
        for top1, score in ((0.9, -0.5), (0.6, -0.25), (0.8, -0.75))
    ]

    assert is_best == [True, True, False]
    assert (state.best_epoch, state.best_top1, state.best) == (2, 0.6, -0.25)


@pytest.mark.parametrize(("ties", "kept"), [("later", [4, 2]), ("earlier", [2, 4])])
def test_the_best_epochs_are_kept_in_order(ties, kept) -> None:
    state = RunState()

    for top1 in (0.5, 0.7, 0.6, 0.7):
        state.take_validation(top1, None, ties)
        state.rank(top1, 2, ties)

    assert [each.epoch for each in state.kept] == kept
    assert state.best_epoch == kept[0]
