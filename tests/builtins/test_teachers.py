"""Teachers: the pre-trained model, one from disk, and the average of two."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from open_clip.transformer import VisionTransformer
from torch.testing import assert_close

import cfft
from cfft_teachers import CheckpointTeacher, ClipTeacher, WiseTeacher


class Source:
    """Hand out models whose every value is a number: 0 for the pre-trained one."""

    def pretrained(self) -> cfft.Classifier:
        return self.load(Path("0"))

    def load(self, path: Path) -> cfft.Classifier:
        prepared = cfft.Preprocessing((16, 24), 24, "bicubic", (0.5,) * 3, (0.5,) * 3)
        tower = VisionTransformer((16, 24), 8, width=8, layers=1, heads=2, mlp_ratio=2)
        head = cfft.Head(torch.zeros(2, 512), torch.zeros(2), normalised=True)
        model = cfft.Classifier(cfft.Encoder(tower, prepared), head)
        values = {key: torch.full_like(v, float(path.name)) for key, v in model.weights().items()}
        model.load_weights(values)
        return model


def _values(model: cfft.Classifier) -> set[float]:
    return {float(value) for tensor in model.weights().values() for value in tensor.unique()}


def test_clip_is_the_pre_trained_model() -> None:
    assert _values(ClipTeacher().load(Source())) == {0.0}


def test_checkpoint_is_the_model_at_its_path() -> None:
    assert _values(CheckpointTeacher(path=Path("3")).load(Source())) == {3.0}


@pytest.mark.parametrize(
    ("zero_shot", "alpha", "expected"),
    [(None, 0.5, 2.0), (None, 0.25, 1.0), (Path("8"), 0.5, 6.0), (Path("8"), 1.0, 4.0)],
)
def test_wise_averages_encoder_and_head_alike(
    zero_shot: Path | None, alpha: float, expected: float
) -> None:
    teacher = WiseTeacher(alpha=alpha, fine_tuned=Path("4"), zero_shot=zero_shot)

    assert _values(teacher.load(Source())) == {expected}


def test_wise_features_come_from_averaged_weights_not_from_averaged_features() -> None:
    teacher = WiseTeacher(fine_tuned=Path("4")).load(Source())

    assert_close(teacher.head.weight.detach(), torch.full((2, 512), 2.0))
