"""FLYP's objective against one written by hand on a tiny CLIP, and its head."""

import json
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.testing import assert_close

import cfft
from cfft import Batch, Encoded, StepOutputs
from cfft.step.engine import TrainingStep
from cfft.step.text import TextSide
from cfft.testing import check_strategy, tiny_text_side
from cfft_backbones.open_clip.backbone import OpenClipBackbone
from cfft_tasks import Contrastive

CONFIG = {
    "embed_dim": 12,
    "vision_cfg": {
        "image_size": [16, 24],
        "patch_size": 8,
        "width": 32,
        "layers": 2,
        "head_width": 16,
    },
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
CLASSES, TEMPLATES = ("cat", "sea_lion"), ("a photo of a {}.", "a drawing of a {}.", "{}")
LABELS = torch.tensor([0, 1, 1, 0])
NEEDS = frozenset({"student.text"})


@pytest.fixture
def clip() -> open_clip.CLIP:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = open_clip.CLIP(**CONFIG).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        model.logit_scale.data.fill_(1.5)
    return model


@pytest.fixture
def step(clip: open_clip.CLIP, tmp_path: Path) -> TrainingStep:
    """Make cfft's step of the same weights, in double precision."""
    (tmp_path / "tiny.json").write_text(json.dumps(CONFIG))
    save_file(clip.state_dict(), tmp_path / "tiny.safetensors")
    built = OpenClipBackbone().build(
        str(tmp_path / "tiny.json"), str(tmp_path / "tiny.safetensors")
    )
    assert built.text is not None
    student = cfft.Classifier(
        built.encoder, cfft.Head(torch.zeros(2, 12), torch.zeros(2), normalised=True)
    )
    text = TextSide(built.text, CLASSES, TEMPLATES, NEEDS)
    return TrainingStep(student, Contrastive(), {}, {}, {}, text).double()


def draw(purpose: str) -> torch.Generator:
    return torch.Generator().manual_seed(7)


def written_by_hand(clip: open_clip.CLIP, images: Tensor) -> Tensor:
    """Compute the mean over both directions of -log(exp(s_ii) / sum of exp(s_ij))."""
    mean = torch.tensor(open_clip.OPENAI_DATASET_MEAN, dtype=images.dtype)[:, None, None]
    std = torch.tensor(open_clip.OPENAI_DATASET_STD, dtype=images.dtype)[:, None, None]
    image_features = clip.encode_image((images - mean) / std)
    drawn = torch.randint(3, (4,), generator=draw("text")).tolist()
    names = ("cat", "sea lion", "sea lion", "cat")
    captions = [TEMPLATES[t].format(name) for t, name in zip(drawn, names, strict=True)]
    text_features = clip.encode_text(open_clip.SimpleTokenizer(context_length=16)(captions))
    image_features = image_features / image_features.norm(dim=1, keepdim=True)
    text_features = text_features / text_features.norm(dim=1, keepdim=True)
    powers = (clip.logit_scale.exp() * image_features @ text_features.T).exp()
    of_images = -(powers.diagonal() / powers.sum(dim=1)).log().mean()
    of_captions = -(powers.diagonal() / powers.sum(dim=0)).log().mean()
    return (of_images + of_captions) / 2


def test_loss_and_gradients_equal_a_reference_written_by_hand(
    step: TrainingStep, clip: open_clip.CLIP
) -> None:
    images = torch.rand(4, 3, 16, 24, generator=draw("images"), dtype=torch.float64)
    clip.double()

    result = step.measure(Batch(images, LABELS), draw)
    result.total.backward()
    expected = written_by_hand(clip, images)
    expected.backward()

    assert_close(result.total, expected)
    assert step.text is not None
    found = {f"visual.{k}": p.grad for k, p in step.student.encoder.tower.named_parameters()}
    found |= {k.removeprefix("text."): p.grad for k, p in step.text.tower.named_parameters()}
    assert_close(found, {name: p.grad for name, p in clip.named_parameters()})


def outputs(features: Tensor, labels: Tensor, text: TextSide) -> StepOutputs:
    """Let the student see `features` [B, 8]."""
    batch = Batch(torch.zeros(len(labels), 3, 8, 12), labels)
    encoded = Encoded(features, torch.zeros(len(labels), 3))
    return StepOutputs(batch, encoded, text=text.at(draw("text")))


def one_template() -> TextSide:
    """Make two classes whose captions are the first and the second unit vector, factor 2."""
    text = TextSide(tiny_text_side(NEEDS).tower, ("a", "b"), ("{}",), NEEDS)
    text.tower.letters.data.zero_()
    text.tower.letters.data[ord("a"), 0] = text.tower.letters.data[ord("b"), 1] = 3.0
    text.tower.logit_scale.data.fill_(torch.tensor(2.0).log())
    return text


def test_two_images_that_match_their_captions():
    value = Contrastive().measure(outputs(torch.eye(2, 8), torch.tensor([0, 1]), one_template()))

    e2 = torch.tensor(2.0).exp()  # similarities are 2 on the diagonal and 0 beside it
    assert_close(value.detach(), -(e2 / (e2 + 1)).log())


def test_the_caption_of_the_same_class_counts_as_wrong():
    same = outputs(torch.eye(1, 8).expand(2, 8), torch.tensor([0, 0]), one_template())

    assert_close(Contrastive().measure(same).detach(), torch.tensor(2.0).log())


def test_captions_of_the_same_class_share_the_target_where_they_are_right():
    features = torch.eye(2, 8)[[0, 0, 1]]
    three = outputs(features, torch.tensor([0, 0, 1]), one_template())

    value = Contrastive(same_class="right").measure(three)

    e2 = torch.tensor(2.0).exp()
    first, last = -(e2 / (2 * e2 + 1)).log(), -(e2 / (e2 + 2)).log()
    assert_close(value.detach(), (2 * first + last) / 3)


def test_both_ways_are_the_same_where_all_classes_differ():
    features = torch.rand(2, 8, generator=draw("features"))
    each = outputs(features, torch.tensor([1, 0]), one_template())

    assert_close(Contrastive().measure(each), Contrastive(same_class="right").measure(each))


def test_one_image_alone_has_no_loss():
    value = Contrastive().measure(outputs(torch.eye(1, 8), torch.tensor([1]), one_template()))

    assert_close(value.detach(), torch.tensor(0.0))


@pytest.mark.parametrize("same_class", ["wrong", "right"])
def test_it_keeps_the_rules_of_a_task(same_class: str):
    check_strategy(Contrastive, {"same_class": same_class})
