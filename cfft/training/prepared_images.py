"""The images of a suite, stored once at a model's input size: what `cfft data prepare` does."""

from __future__ import annotations

from collections.abc import Sequence

from cfft.config.run_config import RunConfig
from cfft.data.check import find_unreadable, readable, require_readable, stored
from cfft.data.consistency import every_set
from cfft.data.preparing import PreparedSet, prepare_sets
from cfft.data.sets import evaluation_sets, training_sets
from cfft.data.suite import ImageSet
from cfft.errors import DataError
from cfft.runtime.progress import Reporter
from cfft.training.starting_model import configured_model


def prepare_images(config: RunConfig, reporter: Reporter) -> list[PreparedSet]:
    """Store the images of all sets of a suite as the configured model sees them.

    Raises as `prepare_sets` does, and DataError that lists images that cannot be read unless they
    are to be skipped.
    """
    preprocessing = configured_model(config).preprocessing
    sets = _sets(config)
    with reporter.task("checking images", sum(map(len, stored(sets)))) as advance:
        found = find_unreadable(sets, advance)
    if not config.training.skip_unreadable:
        require_readable(found)
    kept = [readable(images, found) for images in sets]
    return prepare_sets(kept, preprocessing, config.training.workers, reporter)


def _sets(config: RunConfig) -> Sequence[ImageSet]:
    """Return the sets of a suite, those to measure on where there is nothing to train on."""
    suite, seed = config.suite.strategy, config.images_seed
    try:
        return every_set(training_sets(suite, seed))
    except DataError as untrainable:
        try:
            return every_set(evaluation_sets(suite, seed))
        except DataError:
            raise untrainable from None
