"""An adaptation that breaks a rule is told which."""

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import register_parametrization

import cfft
from cfft.testing import check_strategy


class Shift(nn.Module):
    """Stretch a weight by a trained share of it."""

    def __init__(self, start=0.0, factor=1.0, shared=None):
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(start)) if shared is None else shared
        self.factor = factor

    def forward(self, weight):
        return weight * (1 + self.factor * self.shift)


def shift(model, name="weight", **values):
    """Put the adapter on a parameter of the last layer of the last block."""
    last = model.encoder.layers().blocks[-1].weights[-1].module
    adapter = Shift(**values)
    register_parametrization(last, name, adapter)
    return adapter.shift


def adaptation(attach, **methods):
    members = {"__doc__": "Train.", "attach": attach, **methods}
    return cfft.adaptation("odd")(type("Odd", (), members))


def test_an_adaptation_that_keeps_the_rules_passes():
    check_strategy(adaptation(lambda self, model, rng: [shift(model)]))


def share(self, model, rng):
    trained = shift(model)
    shift(model, "bias", shared=trained)
    return [trained]


def draw_globally(self, model, rng):
    return [shift(model, start=0 * torch.rand(1).item())]


def write_into_weights(self, model, rng):
    with torch.no_grad():
        model.head.weight.add_(1)
        model.encoder.layers().output[0].add_(1)
    return [shift(model)]


def detach(self, model, rng):
    weight = model.encoder.layers().blocks[-1].weights[-1]
    register_parametrization(weight.module, "weight", Detached())
    return [weight.module.parametrizations.weight[0].shift]


class Detached(Shift):
    def forward(self, weight):
        return super().forward(weight).detach()


@pytest.mark.parametrize(
    ("attach", "says"),
    [
        (lambda self, model, rng: [], "returned no parameters to train"),
        (lambda self, model, rng: [nn.Parameter(torch.ones(1))], "must return parameters of the"),
        (lambda self, model, rng: [model.head.bias] * 2, "returned a parameter twice"),
        (lambda self, model, rng: [shift(model, start=1.0)], "not yet trained, it must give the"),
        (write_into_weights, "not yet trained, it must give the same features"),
        (draw_globally, "must leave alone: torch's global random generator"),
        (share, "register a tensor that adapters share only once"),
        (detach, "no gradient reaches the parameters that attach returned"),
    ],
)
def test_an_adaptation_that_attaches_badly_is_told_so(attach, says):
    with pytest.raises(AssertionError, match=says):
        check_strategy(adaptation(attach))


def shifts(model):
    return [each for each in model.modules() if isinstance(each, Shift)]


def draw_factor(self, model, rng):
    for each in shifts(model):
        each.factor = torch.rand(1, generator=rng).item()


def count_up(self, model, rng):
    for each in shifts(model):
        each.factor += 1


def move_head(self, model, rng):
    with torch.no_grad():
        model.head.weight.add_(1)


@pytest.mark.parametrize(
    ("begin_step", "says"),
    [
        (draw_factor, "after end_training the weights must not depend on the last step"),
        (count_up, "begin_step must depend on rng alone"),
        (move_head, "changed weights that it does not train: head.weight"),
    ],
)
def test_an_adaptation_whose_steps_leave_traces_is_told_so(begin_step, says):
    odd = adaptation(lambda self, model, rng: [shift(model)], begin_step=begin_step)

    with pytest.raises(AssertionError, match=says):
        check_strategy(odd)
