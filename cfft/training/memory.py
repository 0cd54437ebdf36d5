"""Lack of memory in a run: what was asked for, what to change, and how to go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cfft.config.changes import SETTINGS
from cfft.config.run_config import RunConfig
from cfft.errors import TrainingError, counted, lack_of_memory
from cfft.runtime.outside import shell_word
from cfft.step.interfaces import Refiller
from cfft.training.batches import BatchPlan
from cfft.training.run_directory import RunDirectory, is_begun


@contextmanager
def memory_named(
    config: RunConfig, batches: BatchPlan, directory: RunDirectory, main: RunDirectory | None = None
) -> Iterator[None]:
    """Raise TrainingError where memory is short inside the block.

    `main`: the directory that a user gave, where `directory` is that of one of its stages.
    """
    try:
        yield
    except Exception as error:
        lacking = lack_of_memory(error)
        if lacking is None:
            raise
        begun = is_begun(directory)
        found = remedies(config, batches, begun=begun)
        asked = (
            f"{counted(batches.micro, 'image')} per forward pass in {config.training.precision} "
            f"(--batch-size {config.training.batch_size})"
        )
        changes = " or ".join(found) or "use a smaller model, or a device with more memory"
        lines = [f"out of memory ({lacking}) with {asked}: {changes}"]
        if begun:
            lines.append(
                _how_to_go_on((main or directory), found, is_main=main in (None, directory))
            )
        raise TrainingError(*lines) from error


def remedies(config: RunConfig, batches: BatchPlan, *, begun: bool) -> list[str]:
    """List the options that make a run take less memory, those first that change least.

    `begun`: the run has a checkpoint, and goes on with batches of the same size.
    """
    training = config.training
    smaller = _smaller_micro(config, batches)
    found = [] if smaller is None else [f"--micro-batch {smaller}"]
    if not training.checkpoint_activations:
        found.append("--checkpoint-activations")
    if training.precision in ("auto", "fp32"):
        found.append("--precision bf16")
    if not begun and training.batch_size > batches.processes:
        found.append("a smaller --batch-size")
    return found


def _smaller_micro(config: RunConfig, batches: BatchPlan) -> int | None:
    """Return the largest micro-batch of at most half the size that the batch is a multiple of."""
    share = config.training.batch_size // batches.processes
    least = max(
        (Refiller.of(v.fill.strategy).smallest_batch for v in config.all_views()), default=1
    )
    sizes = range(batches.micro // 2, least - 1, -1)
    return next((size for size in sizes if size and share % size == 0), None)


def _how_to_go_on(main: RunDirectory, found: list[str], *, is_main: bool) -> str:
    command = f"cfft run --resume --out {shell_word(str(main.root))}"
    if not is_main or not found:
        return f"what is stored is intact; once there is more memory, continue with: {command}"
    return (
        f"what is stored is intact; continue with: {command} --allow-changed {SETTINGS} {found[0]}"
    )
