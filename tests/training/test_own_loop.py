"""The step for a training loop of one's own, on a tiny classifier."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

import cfft
from cfft.model.description import read_model
from cfft.testing.models import tiny_batch, tiny_classifier


def step_of(**keywords: object) -> cfft.CounterfactualStep:
    return cfft.training_step(tiny_classifier(), **keywords)


def images_and_labels() -> tuple[Tensor, Tensor]:
    batch = tiny_batch()
    return batch.images, batch.labels


def test_total_is_the_weighted_sum_of_the_terms() -> None:
    result = step_of(mask="random", fill="multi")(*images_and_labels())

    assert [term.name for term in result.terms] == ["ce", "feature-mse"]
    torch.testing.assert_close(result.total, sum(t.weight * t.value for t in result.terms))


def test_the_given_student_is_trained_and_no_teacher() -> None:
    student = tiny_classifier()
    step = cfft.training_step(student, loss="logit-kl", view="original")

    step(*images_and_labels()).total.backward()

    assert step.student is student
    trained = {id(p) for p in student.parameters()}
    assert {id(p) for p in step.parameters() if p.requires_grad} == trained


def test_the_teacher_is_the_student_as_it_was_when_the_step_was_made() -> None:
    step = step_of(mask="random", fill="none")

    def distance() -> float:
        return step(*images_and_labels()).terms[1].value.item()

    before = distance()
    with torch.no_grad():
        for parameter in step.student.parameters():
            parameter.mul_(1.5)

    assert before == pytest.approx(0, abs=1e-6)
    assert distance() > 1e-4


def test_two_calls_in_the_same_state_draw_the_same_and_the_next_draws_anew() -> None:
    step = step_of(mask="random", fill="single", rate=0.5, seed=4)
    step.student.load_weights({k: 1.5 * v for k, v in step.student.weights().items()})
    images, labels = images_and_labels()

    first, second = step(images, labels).total, step(images, labels).total
    step.number = 0
    again = step(images, labels).total

    assert again.item() == first.item()
    assert first.item() != second.item()


def test_a_state_dict_keeps_the_number_of_the_next_batch() -> None:
    step, restored = step_of(mask="random"), step_of(mask="random")
    step(*images_and_labels())

    restored.load_state_dict(step.state_dict())

    assert restored.number == 1


def test_a_relative_loss_asks_for_the_variance_of_the_teacher() -> None:
    step = step_of(mask="random", **{"loss.feature-mse.scale": "relative"})
    images, labels = images_and_labels()
    with pytest.raises(cfft.ConfigError, match=r"teacher 'clip'.*measure_feature_variance"):
        step(images, labels)

    step.measure_feature_variance([images[:1], images[1:]])

    features = step.student.encoder(images).detach()
    expected = features.double().var(dim=0, correction=0).mean().float()
    torch.testing.assert_close(step.step.teacher("clip").feature_variance, expected)
    assert step(images, labels).total.isfinite()


@pytest.mark.parametrize(
    ("keywords", "line"),
    [
        ({"treshold": 0.5}, "unknown option 'treshold'; did you mean 'threshold'?"),
        ({"lr": 1e-4}, "unknown option 'lr'"),
        ({"suite": "folder"}, "unknown option 'suite'"),
        ({"mask": "objct"}, "unknown mask 'objct'; did you mean 'object'?"),
        ({"threshold": 1.5}, "mask.object.threshold: got 1.5, allowed: a number from 0 to 1"),
        (
            {"teacher": "checkpoint", "path": "a", "loss.feature-mse.teacher": "checkpoint"},
            "a: nothing says whether this model fits a bare classifier",
        ),
    ],
)
def test_bad_keywords_are_told_of_as_on_the_command_line(
    keywords: dict[str, object], line: str
) -> None:
    with pytest.raises(cfft.ConfigError, match=re.escape(line)):
        step_of(**keywords)


def test_a_linear_probe_asks_for_examples() -> None:
    with pytest.raises(cfft.ConfigError, match="head 'linear-probe' is fitted to training images"):
        cfft.starting_model(model="cfft-mini", head="linear-probe", classes=["a", "b"])


def test_a_linear_probe_is_fitted_to_the_examples() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(8, 3, 64, 64, generator=generator)
    labels = torch.arange(8) % 2
    images[labels == 1] /= 2

    model = cfft.starting_model(
        model="cfft-mini", head="linear-probe", classes=["light", "dark"],
        examples=[(images[:4], labels[:4]), (images[4:], labels[4:])],
    )  # fmt: skip

    assert model.description.head == "linear-probe"
    assert model.classifier(images).logits.argmax(dim=1).tolist() == labels.tolist()


def test_a_saved_model_is_the_same_when_it_is_read(tmp_path: Path) -> None:
    model = cfft.starting_model(model="cfft-mini", classes=["a circle", "a square"])
    cfft.save(model, tmp_path / "mine")

    assert read_model(tmp_path / "mine").description == model.description
    with pytest.raises(cfft.ConfigError, match="mine is not empty"):
        cfft.save(model, tmp_path / "mine")


@pytest.mark.parametrize("classes", ["cat", [], ["cat"]])
def test_classes_are_a_list_of_two_or_more(classes: str | list[str]) -> None:
    with pytest.raises(cfft.ConfigError, match="classes must be a list of two names or more"):
        cfft.starting_model(model="cfft-mini", classes=classes)


@pytest.mark.parametrize("student", ["runs/a", torch.nn.Linear(2, 2)])
def test_a_student_that_is_no_model_of_cfft_is_refused(student: object) -> None:
    with pytest.raises(cfft.ConfigError, match="training_step takes what"):
        cfft.training_step(student)


def test_what_is_saved_is_the_model_and_not_the_step(tmp_path: Path) -> None:
    with pytest.raises(cfft.ConfigError, match="got a CounterfactualStep"):
        cfft.save(step_of(), tmp_path / "mine")


def test_the_first_batch_is_checked() -> None:
    images, labels = images_and_labels()
    step = step_of(mask="random", fill="multi")

    with pytest.raises(cfft.DataError, match=r"images must be in 0\.\.1, got .*: divide by 255"):
        step(images * 255, labels)
    with pytest.raises(cfft.DataError, match=r"labels must be 0 to \d+, got "):
        step(images, labels + 1000)
    with pytest.raises(cfft.DataError, match=r"labels must be a tensor \[B\] of int64"):
        step(images, labels.tolist())
    assert step.number == 0


def test_the_variance_is_measured_on_batches_with_or_without_labels() -> None:
    images, labels = images_and_labels()
    alone, paired = (step_of(**{"loss.feature-mse.scale": "relative"}) for _ in range(2))

    alone.measure_feature_variance([images])
    paired.measure_feature_variance([(images, labels)])

    variances = [each.step.teacher("clip").feature_variance for each in (alone, paired)]
    torch.testing.assert_close(*variances)
    with pytest.raises(cfft.ConfigError, match="give batches of training images"):
        alone.measure_feature_variance([])


def test_what_a_file_says_of_images_and_model_has_no_effect(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[suite]\nuse = "folder"\ndata = "nowhere"\n[model]\nname = "timm:vit"\n')

    step = step_of(config=file, mask="random", fill="multi")

    assert step.step.losses["feature-mse"].scale == "raw"


@pytest.mark.parametrize(
    ("recipe", "named"),
    [
        ("r-adapter", "adaptation 'r-adapter'"),
        ("ema", "average 'ema'"),
        ("wise-ours", "merge 'wise'"),
    ],
)
def test_what_only_a_run_carries_out_is_refused(recipe: str, named: str) -> None:
    with pytest.raises(cfft.ConfigError, match=f"{named} is what cfft.run carries out"):
        step_of(recipe=recipe)


@pytest.mark.parametrize("name", ["lora", "head"])
def test_an_adaptation_that_is_asked_for_by_keyword_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(cfft.ConfigError, match=rf"adaptation '{name}' is what cfft\.run carries"):
        cfft.training_step(tiny_classifier(), adaptation=name)
