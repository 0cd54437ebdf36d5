"""A registry of small strategies under the names that the defaults choose."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import Distribution

import pytest

from cfft.plugin.registry import Registry

TOYS = """
    from pathlib import Path
    from typing import Literal

    import cfft

    class Selecting:
        def select(self, batch, view): ...

    class Refilling:
        def refill(self, batch, selection, rng): ...

    class Measuring:
        def measure(self, outputs): ...

    class Loading:
        def load(self, source): ...

    class Building:
        def build(self, name, weights): ...

    @cfft.mask("none")
    class NoMask(Selecting):
        '''Hide nothing.'''

    @cfft.mask("object")
    class ObjectMask(Selecting):
        '''Hide the object.'''
        threshold: float = cfft.param(
            0.3, help="score above which a patch is hidden", ge=0, le=1,
            given={"fill": {"multi": 0.6}},
        )

    @cfft.mask("random")
    class RandomMask(Selecting):
        '''Hide at random.'''
        rate: float = cfft.param(0.5, help="share of patches to hide", ge=0, le=1)
        draw: Literal["paper", "reference"] = cfft.param("paper", help="whose way of counting")

    @cfft.fill("single")
    class SingleFill(Refilling):
        '''Fill from one other image.'''
        donor: Literal["other", "permutation"] = cfft.param("other", help="how donors are drawn")

    @cfft.fill("multi")
    class MultiFill(Refilling):
        '''Fill from several.'''

    @cfft.cam("relevance")
    class Relevance:
        '''Trace the logit back.'''
        start_layer: int = cfft.param(0, help="lowest layer", ge=0)
        def explain(self, batch, view): ...

    @cfft.teacher("clip")
    class Clip(Loading):
        '''Follow the pre-trained model.'''

    @cfft.teacher("wise")
    class Wise(Loading):
        '''Follow a weight average.'''
        alpha: float = cfft.param(0.5, help="share of the fine-tuned model", ge=0, le=1)
        weights: Path = cfft.param(help="fine-tuned weights")

    @cfft.loss("feature-mse")
    class FeatureMse(Measuring):
        '''Compare features.'''
        needs = frozenset({"student.view", "teacher.view"})
        weight: float = cfft.param(
            6.0, help="factor", ge=0, given={"backbone": {"open_clip": 30.0}}
        )
        teacher: str = cfft.param("clip", help="label of the teacher")
        view: str = cfft.param("counterfactual", help="label of the view")

    @cfft.loss("logit-kl")
    class LogitKl(Measuring):
        '''Compare logits on the originals.'''
        needs = frozenset({"teacher.original"})
        weight: float = cfft.param(1.0, help="factor", ge=0)
        teacher: str = cfft.param("clip", help="label of the teacher")
        temperature: float = cfft.param(10.0, help="divisor of the logits", gt=0)

    @cfft.task("cross-entropy")
    class CrossEntropy(Measuring):
        '''Learn the labels.'''

    @cfft.adaptation("all")
    class AllWeights:
        '''Train everything.'''
        def attach(self, model, rng): ...

    @cfft.average("ema")
    class Ema:
        '''Average exponentially.'''
        def weigh(self, step, steps): ...

    @cfft.backbone("open_clip")
    class OpenClip(Building):
        '''Build with open_clip.'''

    @cfft.backbone("timm")
    class Timm(Building):
        '''Build with timm.'''

    @cfft.suite("domains")
    class Domains:
        '''Open folders of domains.'''
        data: Path = cfft.param(help="folder")
        id: str = cfft.param(help="domain")
        split: tuple[float, float, float] = cfft.param((70.0, 10.0, 20.0), help="parts")
        def open(self, seed): ...

    @cfft.hookimpl
    def cfft_masks():
        return [NoMask, ObjectMask, RandomMask]

    @cfft.hookimpl
    def cfft_fills():
        return [SingleFill, MultiFill]

    @cfft.hookimpl
    def cfft_cams():
        return [Relevance]

    @cfft.hookimpl
    def cfft_teachers():
        return [Clip, Wise]

    @cfft.hookimpl
    def cfft_losses():
        return [FeatureMse, LogitKl]

    @cfft.hookimpl
    def cfft_tasks():
        return [CrossEntropy]

    @cfft.hookimpl
    def cfft_adaptations():
        return [AllWeights]

    @cfft.hookimpl
    def cfft_averages():
        return [Ema]

    @cfft.hookimpl
    def cfft_backbones():
        return [OpenClip, Timm]

    @cfft.hookimpl
    def cfft_suites():
        return [Domains]
"""


@pytest.fixture
def toys(install: Callable[..., Distribution]) -> Registry:
    """Return a registry with small strategies and nothing else."""
    return Registry.installed(install("toys", TOYS, "1.0").entry_points)
