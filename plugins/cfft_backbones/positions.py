"""Positional embeddings of weight files: the images that they are for, and those of the model."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt, lcm, prod
from typing import TYPE_CHECKING

import attrs

import cfft
from cfft_backbones.shared import sizes

if TYPE_CHECKING:
    from torch import Tensor

IMAGE_SIZE = "height and width of images in pixels; none: as the model's name says"
Pair = tuple[int, int]


@attrs.frozen
class PatchGrids:
    """Hold the patch grid of a model (gh, gw), and the one that it has by its name.

    `patch`: height and width in pixels. `usual`: the grid without --image-size. `asked`: whether a
    size was asked for, so that embeddings of other grids are interpolated.
    """

    patch: Pair
    now: Pair
    usual: Pair
    asked: bool

    def in_file(self, file: cfft.WeightFile, patches: int) -> Pair:
        """Return the grid of a file's embeddings, to be interpolated where it is not `now`.

        It is `now` too where nothing asks for that, so that whoever compares shapes refuses the
        file. Raises WeightsError where they cannot be interpolated.
        """
        found = self._of(patches)
        if not self.asked or found == self.now:
            return self.now
        if found is None or found[0] != found[1]:
            raise cfft.WeightsError(
                f"{file.path}: its positional embeddings are for {patches} patches, which are no "
                f"square and cannot be interpolated to {sizes(self.now)}: leave --image-size out"
            )
        return found

    def hint(self, patches: int) -> str:
        """Say which --image-size suits embeddings that were refused; empty where none does."""
        height, width = self._pixels(self._square(patches))
        if height == 0 or height != width or self.asked:
            return ""
        own, other_side = self._pixels(self.usual)
        other = f", or --image-size {own} to interpolate them" if own == other_side else ""
        return (
            f"; its positional embeddings are for {height}x{width} pixels: "
            f"give --image-size {height} to read such images{other}"
        )

    def _of(self, patches: int) -> Pair | None:
        if patches < 1:
            return None
        known = (grid for grid in (self.usual, self._square(patches)) if prod(grid) == patches)
        return next(known, None)

    def _pixels(self, grid: Pair) -> Pair:
        return grid[0] * self.patch[0], grid[1] * self.patch[1]

    @staticmethod
    def _square(patches: int) -> Pair:
        side = isqrt(max(patches, 0))
        return (side, side) if side * side == patches else (0, 0)


def check_size(size: int | None, patch: Pair, model: str) -> None:
    """Raise ConfigError for an --image-size that is no whole number of patches."""
    step = lcm(*patch)
    if size is None or size % step == 0:
        return
    below = size // step * step
    near = " or ".join(str(each) for each in (below, below + step) if each)
    raise cfft.ConfigError(
        f"--image-size {size} is no multiple of {step}, the patch size of '{model}': give {near}"
    )


def only_differ_in(key: str, expected: Mapping[str, Tensor], got: Mapping[str, Tensor]) -> bool:
    """Tell whether tensors have the same names, and the same shapes but for that of `key`."""
    if expected.keys() != got.keys():
        return False
    return [name for name in got if got[name].shape != expected[name].shape] == [key]


def require_same_model(file: cfft.WeightFile, facts: Mapping[str, str], grids: PatchGrids) -> None:
    """Raise WeightsError where cfft wrote other facts into the file than `facts`.

    Where a size is asked for, it was of images of any size.
    """
    theirs = file.identity.get("image", "")
    kept = {**file.identity, "image": facts["image"]} if theirs and grids.asked else file.identity
    try:
        cfft.require_same_model(attrs.evolve(file, identity=kept), facts)
    except cfft.WeightsError as error:
        height, _, width = theirs.partition("x")
        is_other = theirs not in (facts["image"], "") and height == width and not grids.asked
        hint = f"; --image-size {height} reads images of that size" if is_other else ""
        raise cfft.WeightsError(f"{error}{hint}") from error
