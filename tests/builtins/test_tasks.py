"""The task of cross-entropy: smoothing and class weights, by hand."""

import pytest
import torch

import cfft
from cfft.config.choices import only_strategy
from cfft.config.layers import Layer
from cfft.errors import ConfigError
from cfft.plugin.registry import Registry
from cfft_tasks.cross_entropy import CrossEntropy

BATCH = cfft.Batch(torch.zeros(3, 3, 8, 12), torch.tensor([0, 0, 1]))
LOGITS = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


def outputs(weights: torch.Tensor | None = None) -> cfft.StepOutputs:
    encoded = cfft.Encoded(torch.zeros(3, 4), LOGITS)
    return cfft.StepOutputs(BATCH, encoded, class_weights=weights)


def test_balanced_weights_multiply_each_image_before_the_mean() -> None:
    each = -LOGITS.log_softmax(1)[range(3), BATCH.labels]

    value = CrossEntropy(class_weights="balanced").measure(outputs(torch.tensor([0.75, 1.5])))

    torch.testing.assert_close(value, (0.75 * each[0] + 0.75 * each[1] + 1.5 * each[2]) / 3)


def test_weights_of_one_are_no_weights() -> None:
    weighted = CrossEntropy(class_weights="balanced", label_smoothing=0.2)

    value = weighted.measure(outputs(torch.ones(2)))

    torch.testing.assert_close(value, CrossEntropy(label_smoothing=0.2).measure(outputs()))


def test_class_weights_are_asked_for_where_they_are_needed_alone() -> None:
    assert CrossEntropy().needs == frozenset()
    assert CrossEntropy(class_weights="balanced").needs == {"class.weights"}
    with pytest.raises(ValueError, match=r"class\.weights was not computed"):
        CrossEntropy(class_weights="balanced").measure(outputs())


def test_a_contrastive_task_has_neither_class_weights_nor_smoothing() -> None:
    layer = Layer("test", values={("task", "contrastive"): {"label_smoothing": 0.1}})
    layer.choose("task", ["contrastive"])

    with pytest.raises(ConfigError, match="unknown parameter 'label_smoothing'"):
        only_strategy(Registry.installed(), layer, "task")
