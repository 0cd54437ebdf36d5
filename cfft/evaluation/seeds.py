"""Which test sets may hold pictures that a model was trained on: those of another seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cfft.config import RunConfig
from cfft.evaluation.finding import Found
from cfft.evaluation.sets import draws_test_set
from cfft.progress import Reporter


def warn_of_training_pictures(
    found: Sequence[Found], asked: int | None, config: RunConfig, reporter: Reporter
) -> None:
    """Warn of every model whose ID test set may hold its own training pictures.

    `asked`: the seed that the user says, None where each model has the test set of its own.
    `config`: whose seed the others have. Raises DataError for a suite that cannot be opened.
    """
    stored = [model for model in found if model.path is not None]
    if asked is not None:
        warnings = [line for model in stored for line in _of_other_seeds(model, asked)]
    else:
        without = [model for model in stored if model.seed is None]
        draws = bool(without) and draws_test_set(config.suite.strategy, config.seed)
        warnings = [_of_no_seed(model, config.seed) for model in without if draws]
    for warning in warnings:
        reporter.warned(warning)


def _of_other_seeds(model: Found, asked: int) -> Iterator[str]:
    for seed in model.seeds:
        if seed != asked:
            own = "; without --seed it is measured on its own" if model.seed is not None else ""
            yield (
                f"{model.text} was trained with seed {seed}: a test set drawn with seed {asked} "
                f"may hold pictures that it was trained on{own}"
            )


def _of_no_seed(model: Found, drawn: int) -> str:
    risk = f"the test set, drawn with seed {drawn}, may hold pictures that it was trained on"
    if model.seeds:
        seeds = ", ".join(map(str, model.seeds))
        return f"{model.text} was trained with several seeds ({seeds}): {risk}"
    return (
        f"{model.text} does not say which seed it was trained with: {risk}; if it was trained with "
        "this suite, give --seed with the seed of its run"
    )
