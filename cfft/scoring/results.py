"""Accuracies of one model on one set, in memory and in every file that holds them."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs
from attrs.validators import and_, ge, le
from cattrs.gen import override

Role = Literal["id", "ood"]
_Share = Annotated[float | None, override(omit_if_default=True)]
_Count = Annotated[int | None, override(omit_if_default=True)]


@attrs.frozen
class ClassResult:
    """Hold the accuracy of a model on the `n` images of one class of a set, 0..1."""

    name: str
    n: int
    top1: float


@attrs.frozen
class SetResult:
    """Hold the scores of a model on a set, shares of 0..1; None, and in no file, if not measured.

    `top1`: accuracy on `n` images of `classes` classes. `ci95`: its 95 % confidence interval after
    Clopper and Pearson (1934), where versions of one image are no independent images; see
    `share_ci95`. `class_mean`: mean over the classes that have images of their top-1. `top5`: share
    of the images with a right class among the five of the largest logits, or among all where there
    are fewer. `ece`: expected calibration error over 15 bins of equal width (Guo et al. 2017) of
    the label that is chosen. `originals`: of how many images the `n` are versions.
    `by_class`: top-1 of each class that has images, in the order of the classes.
    """

    role: Role
    top1: float = attrs.field(validator=and_(ge(0), le(1)))
    n: _Count = None
    classes: _Count = None
    ci95: Annotated[tuple[float, float] | None, override(omit_if_default=True)] = None
    class_mean: _Share = None
    top5: _Share = None
    ece: _Share = None
    originals: _Count = None
    by_class: Annotated[tuple[ClassResult, ...], override(omit_if_default=True)] = ()
