"""What a step computes that is the same whenever an image comes: found, and kept by image."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

import attrs
import torch
from torch import Tensor

from cfft.step.interfaces import ORIGINAL, Cam, MaskSelector, Refiller, Term
from cfft.step.needs import followed_by_map, followed_views, teacher_views


class ViewStrategies(Protocol):
    """Name the strategies that make one view of the images."""

    @property
    def mask(self) -> MaskSelector: ...

    @property
    def fill(self) -> Refiller: ...

    @property
    def cam(self) -> Cam | None: ...


@attrs.frozen
class TeacherView:
    """Name what one teacher sees: a view of the images by its label."""

    teacher: str
    view: str


@attrs.frozen
class Constants:
    """Say what is the same for an image over the whole of training.

    `maps`: those of frozen teachers. `features`: what frozen teachers see without any draw.
    `changing`: what looks alike and is not, each with the reason.
    """

    maps: tuple[Cam, ...] = ()
    features: tuple[TeacherView, ...] = ()
    changing: Mapping[Cam | TeacherView, str] = attrs.field(factory=dict)

    def __bool__(self) -> bool:
        return bool(self.maps or self.features)

    def refused(self, reason: str) -> Constants:
        """Return constants of which nothing is kept, for one reason."""
        return Constants((), (), {**self.changing, **dict.fromkeys(self.items, reason)})

    @property
    def items(self) -> tuple[Cam | TeacherView, ...]:
        """All that is constant: maps, then features."""
        return (*self.maps, *self.features)


def find_constants(
    terms: Mapping[str, Term],
    views: Mapping[str, ViewStrategies],
    teachers: Collection[str],
    averaged: Collection[str],
    patches: int,
) -> Constants:
    """Find what is constant over training where images are read alike each time.

    `views` and `teachers`: by label; `averaged`: the labels of the teachers that change with the
    student. `patches`: of an image. Views of unchanged images count as the original images.
    """
    looked_at = {k: view for k, view in views.items() if k in followed_views(terms)}
    reasons: dict[Cam | TeacherView, str | None] = {}
    for view in looked_at.values():
        if view.cam is not None and followed_by_map(view.cam) is not None:
            reasons[view.cam] = _changing_map(view.cam, averaged)
    for teacher in teachers:
        for label in sorted(
            teacher_views(teacher, terms), key=lambda each: (each != ORIGINAL, each)
        ):
            unchanged = label == ORIGINAL or hides_nothing(views[label].mask, patches)
            seen = TeacherView(teacher, ORIGINAL if unchanged else label)
            reasons[seen] = (
                _follows_average(teacher)
                if teacher in averaged
                else None
                if unchanged
                else _changing_view(views[label], averaged)
            )
    constant = [each for each, reason in reasons.items() if reason is None]
    return Constants(
        tuple(each for each in constant if not isinstance(each, TeacherView)),
        tuple(each for each in constant if isinstance(each, TeacherView)),
        {each: reason for each, reason in reasons.items() if reason is not None},
    )


def hides_nothing(mask: MaskSelector, patches: int) -> bool:
    """Tell whether a mask says that it leaves every image as it is."""
    return MaskSelector.of(mask).hidden_per_image(patches) == 0


def _changing_map(cam: Cam, averaged: Collection[str]) -> str | None:
    followed = followed_by_map(cam)
    if followed is not None and followed in averaged:
        return _follows_average(followed)
    return None if Cam.of(cam).constant else "its cam does not say that it is constant"


def _changing_view(view: ViewStrategies, averaged: Collection[str]) -> str | None:
    followed = followed_by_map(view.mask)
    if followed is not None and followed in averaged:
        return _follows_average(followed)
    if not MaskSelector.of(view.mask).constant:
        return "its mask may hide other patches each time"
    if not Refiller.of(view.fill).constant:
        return "its fill may make another image each time"
    if view.cam is None:
        return None
    if followed_by_map(view.cam) is None:
        return "its map is that of the student, which changes"
    return _changing_map(view.cam, averaged)


def _follows_average(teacher: str) -> str:
    return f"teacher '{teacher}' follows an average, which changes with every step"


@attrs.frozen(eq=False)
class KeptOutputs:
    """Hold what was computed once, one row for each image of the training set.

    `maps`: [N, gh, gw] in 0..1, float16. `features`: [N, D], un-normalised, as the teacher gives
    them. Both are on the host, memory-mapped where they are large.
    """

    maps: Mapping[Cam, Tensor] = attrs.field(factory=dict)
    features: Mapping[TeacherView, Tensor] = attrs.field(factory=dict)

    def map(self, cam: Cam, ids: object, device: torch.device) -> Tensor | None:
        """Return the map of images [B, gh, gw], float32, None where it is not kept."""
        rows = _rows(self.maps.get(cam), ids)
        return None if rows is None else rows.to(device, non_blocking=True).float()

    def of_teacher(self, seen: TeacherView, ids: object, device: torch.device) -> Tensor | None:
        """Return a teacher's features of images [B, D], None where they are not kept."""
        rows = _rows(self.features.get(seen), ids)
        return None if rows is None else rows.to(device, non_blocking=True)


def _rows(kept: Tensor | None, ids: object) -> Tensor | None:
    if kept is None or ids is None:
        return None
    return kept[torch.as_tensor(ids)]
