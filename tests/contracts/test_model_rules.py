"""A suite or backbone that breaks a rule is told which."""

import attrs
import pytest
import torch
from PIL import Image

import cfft
from cfft.testing import check_strategy, tiny_classifier
from cfft.testing.models import TinyText


@attrs.frozen
class Images:
    """Three grey images in memory."""

    name: str
    labels: tuple[int, ...] = (0, 1, 1)
    classes: tuple[int, ...] = (0, 1)
    mode: str = "RGB"

    def __len__(self) -> int:
        return 3

    def read(self, index: int) -> Image.Image:
        return Image.new(self.mode, (8, 8))

    def identify(self, index: int) -> str:
        return f"{self.name}/{index}"


def suite_of(**of_test):
    def open_sets(self, seed):
        train, val = Images("train"), Images("val")
        test = Images(**{"name": "test", **of_test})
        return cfft.SuiteSets(("cat", "dog"), train, val, test, (Images("art"),))

    return cfft.suite("memory")(type("Memory", (), {"__doc__": "Give.", "open": open_sets}))


def test_a_suite_that_keeps_the_rules_passes():
    check_strategy(suite_of())


@pytest.mark.parametrize(
    ("of_test", "says"),
    [
        ({"name": "art"}, "two sets are called 'art'"),
        ({"labels": (0, 1, 2)}, "set 'test' has 1 of 3 labels that are none of its classes"),
        ({"labels": (0, 1)}, "give one label each"),
        ({"classes": (0, 1, 2)}, "has 2 among its classes"),
        ({"mode": "L"}, r"read\(\) must give RGB, got L"),
    ],
)
def test_a_suite_that_breaks_a_rule_is_told_which(of_test, says: str):
    with pytest.raises(AssertionError, match=says):
        check_strategy(suite_of(**of_test))


@pytest.mark.parametrize(
    ("shared", "says"),
    [
        (("missile",), "0 classes are called 'missile': shared_names are for"),
        (("cat",), "1 class is called 'cat': shared_names are for names that several classes have"),
        (("cat", "cat"), "shared_names has 'cat' twice"),
    ],
)
def test_names_that_classes_share_are_names_of_several(shared: tuple[str, ...], says: str):
    strategy = suite_of()
    strategy.shared_names = shared

    with pytest.raises(AssertionError, match=says):
        check_strategy(strategy)


def measured_alone(test: Images):
    def refuse(self, seed):
        raise cfft.DataError("there is nothing to train on")

    def evaluation(self, seed):
        return cfft.EvaluationSets(("cat", "dog"), test)

    body = {"__doc__": "Give.", "open": refuse, "evaluation": evaluation}
    return cfft.suite("measured")(type("Measured", (), body))


def test_a_suite_that_nobody_can_train_on_passes():
    check_strategy(measured_alone(Images("test")))


def test_sets_to_measure_on_are_checked_too():
    with pytest.raises(AssertionError, match=r"evaluation\(\): set 'test' has 1 of 3 labels"):
        check_strategy(measured_alone(Images("test", labels=(0, 1, 7))))


def backbone_of(size: tuple[int, int], **facts):
    def build(self, name, weights):
        preprocessing = cfft.Preprocessing(size, 8, "bicubic", (0.5,) * 3, (0.5,) * 3)
        encoder = tiny_classifier((2, 3)).encoder
        told = {"identity": {}, "rebuild": "tiny", **facts}
        return cfft.Pretrained(encoder, preprocessing, normalised=True, **told)

    return cfft.backbone("tiny")(type("Tiny", (), {"__doc__": "Build.", "build": build}))


def test_a_backbone_that_keeps_the_rules_passes():
    check_strategy(backbone_of((8, 12)), model="tiny")
    check_strategy(backbone_of((8, 12), text=TinyText()), model="tiny")


class WithoutFactor(TinyText):
    def __init__(self):
        super().__init__()
        del self.logit_scale


class TooLong(TinyText):
    def forward(self, prompts):
        return super().forward(prompts).repeat(1, 2)


class Detached(TinyText):
    def forward(self, prompts):
        return super().forward(prompts).detach()


class Shared(TinyText):
    def __deepcopy__(self, memo):
        return self


@pytest.mark.parametrize(
    ("size", "facts", "says"),
    [
        ((8, 8), {}, r"grid times patch is \(8, 12\), the images are \(8, 8\)"),
        ((8, 12), {"encode_text": lambda prompts: torch.ones(2, 5)}, r"must give \[2, 8\]"),
        ((8, 12), {"encode_text": lambda prompts: torch.ones(2, 8)}, "so it needs templates"),
        ((8, 12), {"text": WithoutFactor()}, "text must have a parameter logit_scale"),
        ((8, 12), {"text": TooLong()}, r"text must give \[2, 8\], got \[2, 16\]"),
        ((8, 12), {"text": Detached()}, "text must give features in the graph"),
        ((8, 12), {"text": Shared()}, "a deep copy of text must have weights of its own"),
    ],
)
def test_a_backbone_that_breaks_a_rule_is_told_which(size, facts, says: str):
    with pytest.raises(AssertionError, match=says):
        check_strategy(backbone_of(size, **facts), model="tiny")
