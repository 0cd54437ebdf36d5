import attrs
import pytest
import torch
from torch import Tensor, nn

import cfft
from cfft import Batch, ConfigError, Counterfactual, MaskSelection, PluginError, StepOutputs
from cfft.runtime.randomness import generator
from cfft.step.engine import TrainingStep, View
from cfft.testing import tiny_batch, tiny_classifier
from cfft_tasks import CrossEntropy


@attrs.frozen
class RelevanceMap:
    def explain(self, batch, view):
        return cfft.relevance_scores(view.capture, view.clean.logits, batch.labels)


@attrs.frozen
class ScoreMask:
    """Hide what scores above a half."""

    def select(self, batch, view):
        return MaskSelection(view.scores() > 0.5, view.scores())


@attrs.frozen
class FirstPatchMask:
    """Hide the first patch of each image and never look at the student."""

    count: int = 1

    def select(self, batch, view):
        hidden = torch.zeros(len(batch.images), *view.grid, dtype=torch.bool)
        hidden[:, 0, : self.count] = True
        return MaskSelection(hidden, hidden_per_image=self.count)


@attrs.frozen
class DropFill:
    def refill(self, batch, selection, rng):
        return Counterfactual(batch.images, selection.hidden, selection.hidden_per_image)


@attrs.frozen
class NoiseFill:
    def refill(self, batch, selection, rng):
        return Counterfactual(torch.rand(batch.images.shape, generator=rng))


@attrs.frozen
class NeverUsed:
    """A mask and a fill that must not run."""

    def select(self, batch, view):
        raise AssertionError("no loss looks at counterfactual images")

    def refill(self, batch, selection, rng):
        raise AssertionError("nothing is hidden")


@attrs.frozen
class FeatureGap:
    needs = frozenset({"student.view", "teacher.view"})
    weight: float = 30.0
    teacher: str = "first"

    def measure(self, outputs: StepOutputs) -> Tensor:
        taught = outputs.teacher(self.teacher, "counterfactual").features
        return (outputs.student("counterfactual").features - taught).square().mean()


@attrs.frozen
class LogitGap:
    needs = frozenset({"teacher.original"})
    weight: float = 0.5
    teacher: str = "second"

    def measure(self, outputs: StepOutputs) -> Tensor:
        taught = outputs.teacher(self.teacher, "original").logits
        return (outputs.student("original").logits - taught).abs().mean()


@attrs.frozen
class LooksAtAll:
    """A loss without `needs` and without a teacher of its own."""

    weight: float = 1.0

    def measure(self, outputs: StepOutputs) -> Tensor:
        seen = [outputs.teacher(k, "counterfactual").logits.mean() for k in outputs.teachers]
        return outputs.student("counterfactual").logits.mean() + torch.stack(seen).sum()


@attrs.frozen
class Misspelt:
    needs = frozenset({"teacher.orignal"})
    weight: float = 1.0

    def measure(self, outputs: StepOutputs) -> Tensor:
        return outputs.student_original.logits.mean()


def step_of(mask=None, fill=None, losses=None, teachers=None, student=None) -> TrainingStep:
    chosen = {"first": tiny_classifier(seed=1)} if teachers is None else teachers
    views = (
        {} if mask is None or fill is None else {"counterfactual": View(mask, fill, RelevanceMap())}
    )
    return TrainingStep(student or tiny_classifier(), CrossEntropy(), losses or {}, chosen, views)


def draw(purpose: str, seed: int = 0) -> torch.Generator:
    return generator(seed, purpose)


def run(step: TrainingStep, batch: Batch) -> dict[str, Tensor]:
    return step(batch.images, batch.labels, draw)


def calls_of(model: nn.Module) -> list[bool]:
    """Record for each coming pass of a model whether tokens were dropped."""
    calls: list[bool] = []
    model.register_forward_hook(
        lambda _module, given, _returned: calls.append(len(given) > 1 and given[1] is not None)
    )
    return calls


def test_total_is_the_weighted_sum_of_terms_with_two_teachers():
    losses = {"gap": FeatureGap(), "logits": LogitGap()}
    teachers = {"first": tiny_classifier(seed=1), "second": tiny_classifier(seed=2)}
    step = step_of(ScoreMask(), DropFill(), losses, teachers)

    result = step.measure(tiny_batch(), draw)

    ce, gap, logits = result.terms
    assert [(t.name, t.weight) for t in result.terms] == [("ce", 1), ("gap", 30), ("logits", 0.5)]
    torch.testing.assert_close(result.total, ce.value + 30 * gap.value + 0.5 * logits.value)


def test_terms_equal_what_a_plain_computation_gives():
    student, teacher, batch = tiny_classifier(), tiny_classifier(seed=1), tiny_batch()
    step = step_of(FirstPatchMask(), DropFill(), {"gap": FeatureGap()}, {"first": teacher}, student)

    values = run(step, batch)

    dropped = torch.zeros(3, 2, 3, dtype=torch.bool)
    dropped[:, 0, 0] = True
    gap = student(batch.images, dropped).features - teacher(batch.images, dropped).features
    ce = nn.functional.cross_entropy(student(batch.images).logits, batch.labels)
    torch.testing.assert_close(values["gap"], gap.square().mean())
    torch.testing.assert_close(values["ce"], ce)


def test_forward_names_every_term_and_the_total_first():
    step = step_of(ScoreMask(), DropFill(), {"gap": FeatureGap()})

    values = run(step, tiny_batch())

    assert list(values) == ["total", "ce", "gap"]
    assert list(step.weights) == ["ce", "gap"]


def test_two_losses_of_one_kind_follow_different_teachers():
    losses = {"a": FeatureGap(teacher="first"), "b": FeatureGap(teacher="second")}
    student = tiny_classifier()
    teachers = {"first": tiny_classifier(), "second": tiny_classifier(seed=2)}

    values = run(step_of(ScoreMask(), DropFill(), losses, teachers, student), tiny_batch())

    torch.testing.assert_close(values["a"], torch.tensor(0.0))
    assert values["b"] > 0.1


def test_teachers_never_change_while_the_student_learns():
    teachers = {"first": tiny_classifier(seed=1), "second": tiny_classifier(seed=2)}
    before = {k: {n: v.clone() for n, v in t.weights().items()} for k, t in teachers.items()}
    step = step_of(
        ScoreMask(), DropFill(), {"gap": FeatureGap(), "logits": LogitGap()}, teachers
    ).train()
    started_from = {n: v.clone() for n, v in step.student.weights().items()}

    train_steps(step, count=3)

    after = {k: t.weights() for k, t in teachers.items()}
    torch.testing.assert_close(after, before, rtol=0, atol=0)
    assert not any(p.requires_grad for t in teachers.values() for p in t.parameters())
    assert all(p.grad is None for t in teachers.values() for p in t.parameters())
    assert not any(m.training for t in teachers.values() for m in t.modules())
    moved = [not torch.equal(v, started_from[n]) for n, v in step.student.weights().items()]
    assert all(moved)


def train_steps(step: TrainingStep, count: int) -> None:
    learning = [p for p in step.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=1e-2)
    for number in range(count):
        optimiser.zero_grad()
        run(step, tiny_batch(seed=number))["total"].backward()
        optimiser.step()


def test_the_parameters_that_learn_are_the_students_alone():
    step = step_of(ScoreMask(), DropFill(), {"gap": FeatureGap()})

    learning = [p for p in step.parameters() if p.requires_grad]

    assert {id(p) for p in learning} == {id(p) for p in step.student.parameters()}


def test_a_step_with_a_map_gives_the_gradients_of_one_with_the_mask_given():
    mapped = step_of(ScoreMask(), DropFill(), {"gap": FeatureGap()})
    hidden = mapped.outputs(tiny_batch(), draw).views["counterfactual"].selection.hidden
    given = step_of(GivenMask(hidden), DropFill(), {"gap": FeatureGap()})

    run(mapped, tiny_batch())["total"].backward()
    run(given, tiny_batch())["total"].backward()

    torch.testing.assert_close(
        [p.grad for p in mapped.student.parameters()], [p.grad for p in given.student.parameters()]
    )


@attrs.frozen(eq=False)
class GivenMask:
    hidden: Tensor

    def select(self, batch, view):
        return MaskSelection(self.hidden)


def test_vanilla_fine_tuning_makes_one_pass_and_asks_no_strategy():
    step = step_of(NeverUsed(), NeverUsed())
    student, teacher = calls_of(step.student), calls_of(step.teacher("first").classifier)

    values = run(step, tiny_batch())

    assert (student, teacher) == ([False], [])
    torch.testing.assert_close(values["total"], values["ce"])


def test_vanilla_fine_tuning_needs_neither_mask_nor_fill_nor_map():
    step = TrainingStep(tiny_classifier(), CrossEntropy(), {}, {}, {})

    assert list(run(step, tiny_batch())) == ["total", "ce"]


def test_distillation_on_original_images_asks_no_mask():
    teachers = {"first": tiny_classifier(seed=1), "second": tiny_classifier(seed=2)}
    step = step_of(NeverUsed(), NeverUsed(), {"logits": LogitGap()}, teachers)
    followed = calls_of(step.teacher("second").classifier)
    idle = calls_of(step.teacher("first").classifier)

    run(step, tiny_batch())

    assert (followed, idle) == ([False], [])


def test_hiding_nothing_makes_no_second_pass_and_no_fill():
    step = step_of(FirstPatchMask(count=0), NeverUsed(), {"gap": FeatureGap(), "all": LooksAtAll()})
    student, teacher = calls_of(step.student), calls_of(step.teacher("first").classifier)

    outputs = step.outputs(set_variance(step), draw)

    assert (student, teacher) == ([False], [False])
    assert outputs.student("counterfactual") is outputs.student_original
    taught = outputs.teachers["first"]
    assert taught.views["counterfactual"] is taught.original


def set_variance(step: TrainingStep) -> Batch:
    step.teacher("first").feature_variance = torch.tensor(2.0)
    return tiny_batch()


def test_hiding_nothing_works_with_a_batch_of_one():
    step = step_of(FirstPatchMask(count=0), NeverUsed(), {"gap": FeatureGap()})

    assert run(step, tiny_batch(1))["total"].isfinite()


def test_a_loss_without_declared_needs_gets_every_pass():
    step = step_of(FirstPatchMask(), DropFill(), {"all": LooksAtAll()})

    teacher = step.outputs(set_variance(step), draw).teachers["first"]

    assert teacher.original is not None
    assert teacher.views["counterfactual"] is not None
    torch.testing.assert_close(teacher.feature_variance, torch.tensor(2.0))


def test_the_feature_variance_moves_with_the_step():
    step = step_of(FirstPatchMask(), DropFill(), {"gap": FeatureGap()})
    set_variance(step)

    assert step.double().teacher("first").feature_variance.dtype == torch.float64


def filled_images(step: TrainingStep, seed: int) -> Tensor:
    """Return counterfactual images of a step whose fill, alone, draws from `seed`."""
    seeds = {"mask": 0, "fill": seed}
    outputs = step.outputs(tiny_batch(), lambda purpose: generator(seeds[purpose], purpose))
    return outputs.views["counterfactual"].counterfactual.images


def test_mask_and_fill_follow_their_own_generators():
    step = step_of(FirstPatchMask(), NoiseFill(), {"gap": FeatureGap()})
    seeds = (3, 3, 4)

    first, again, other = (filled_images(step, seed) for seed in seeds)

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_draws_go_by_names_that_older_runs_are_resumed_with():
    step = step_of(FirstPatchMask(), NoiseFill(), {"gap": FeatureGap()})
    asked = []

    def draw(purpose: str) -> torch.Generator:
        asked.append(purpose)
        return torch.Generator().manual_seed(0)

    step.measure(tiny_batch(), draw)

    assert asked == ["mask", "fill"]


def test_a_loss_whose_teacher_is_absent_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match=r"loss 'gap': unknown teacher 'firsd'.*'first'"):
        step_of(ScoreMask(), DropFill(), {"gap": FeatureGap(teacher="firsd")})


@pytest.mark.parametrize(("mask", "fill"), [(None, DropFill()), (ScoreMask(), None)])
def test_a_loss_on_counterfactual_images_needs_a_mask_and_a_fill(mask, fill):
    with pytest.raises(ConfigError, match="choose a mask and a fill"):
        step_of(mask, fill, {"gap": FeatureGap()})


@pytest.mark.parametrize("label", ["ce", "total"])
def test_no_loss_may_take_the_label_of_another_term(label: str):
    with pytest.raises(ConfigError, match=f"no loss can be labelled '{label}'"):
        step_of(ScoreMask(), DropFill(), {label: FeatureGap()})


def test_a_misspelt_need_is_the_plug_ins_error():
    with pytest.raises(PluginError, match=r"unknown need 'teacher\.orignal'.*'teacher\.original'"):
        step_of(ScoreMask(), DropFill(), {"odd": Misspelt()})


@cfft.loss("weightless")
class WeightlessLoss:
    """Measure without a weight."""

    def measure(self, outputs):
        return outputs.student_original.logits.mean()


def test_a_loss_without_a_weight_is_refused():
    with pytest.raises(PluginError, match="loss 'weightless' has no weight: declare weight"):
        TrainingStep(tiny_classifier(), CrossEntropy(), {"weightless": WeightlessLoss()}, {}, {})
