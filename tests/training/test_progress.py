"""The progress of training, which reaches strategies with the batch."""

import torch
from accelerate import Accelerator

import cfft
from cfft.config.settings import Training
from cfft.plugin.params import declaration
from cfft.step.engine import TrainingStep, View
from cfft.testing import tiny_batch, tiny_classifier
from cfft.training.batches import BatchPlan
from cfft.training.optimisation import Optimisation
from cfft.training.schedule import Steps
from cfft_adaptations import AllWeights
from cfft_losses import FeatureMse
from cfft_masks import AllMask
from cfft_tasks import CrossEntropy


class Listening:
    """Remember how far training was at each batch, and fill nothing."""

    def __init__(self):
        self.heard = []

    def refill(self, batch, selection, rng):
        self.heard.append(batch.progress)
        return cfft.Counterfactual(batch.images)


def step_with(fill) -> TrainingStep:
    losses = {"feature-mse": FeatureMse(scale="raw", view="counterfactual")}
    views = {"counterfactual": View(AllMask(), fill)}
    return TrainingStep(
        tiny_classifier(), CrossEntropy(), losses, {"clip": tiny_classifier()}, views
    )


def draw(purpose: str) -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_a_step_hands_progress_to_its_strategies_and_none_where_nobody_tells():
    fill, batch = Listening(), tiny_batch()
    step = step_with(fill)

    step(batch.images, batch.labels, draw, 0.25)
    step(batch.images, batch.labels, draw)

    assert fill.heard == [0.25, None]


def test_every_micro_batch_of_an_optimiser_step_is_told_the_share_of_steps_done():
    fill, batch = Listening(), tiny_batch()
    plan = BatchPlan(images=24, batch=6, processes=1, micro=3)
    optimisation = Optimisation(
        *(step_with(fill), declaration(Training).build({}, {}), plan, Steps(4, 4, 0), 0),
        *(Accelerator(cpu=True), AllWeights()),
    )
    loaded = iter([(batch.images, batch.labels, torch.arange(3))] * 8)

    for number in range(4):
        optimisation.take(number, loaded)

    assert fill.heard == [0, 0, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75]
