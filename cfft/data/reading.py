"""Errors of the code that reads the images of a set."""

from __future__ import annotations

from cfft.data.images import ImageSubset
from cfft.data.suite import ImageSet
from cfft.errors import PluginFailedError, described
from cfft.plugin.failures import code_lines, is_blamed, source_of


def reading_failure(images: ImageSet, index: int, error: BaseException) -> PluginFailedError | None:
    """Return what to say of an error that `images.read(index)` raised, None where it passes.

    It can be sent between processes, as the error itself perhaps cannot.
    """
    if not is_blamed(error):
        return None
    while isinstance(images, ImageSubset):
        index = images.indices[index]
        images = images.whole
    cls = type(images)
    who = f"{cls.__qualname__} of {source_of(cls)}, reading image number {index} of its set,"
    return PluginFailedError(who, described(error), code_lines(error, 1))
