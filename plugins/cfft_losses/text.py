"""Losses that compare images with prompts of a text tower that stays as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import cfft
from cfft_losses.similarity import divergence, unit

if TYPE_CHECKING:
    from torch import Tensor

_VIEW = "label of the view to compare on; original: the images as they are"
_TEACHER = "label of the teacher to follow"
_PASSES = frozenset({"student.view", "teacher.view", "teacher.text"})


@cfft.loss("car-ft")
class CarFt(cfft.AuxLoss):
    """Keep the distribution over contexts that CLIP sees in an image.

    CAR-FT (Mao et al. 2022, "Context-Aware Robust Fine-Tuning"). The contexts are the M prompt
    templates: w_m is the normalised mean over classes of the normalised text features of template
    m, by the pre-trained text tower, and p(m | x) = softmax_m(scale <w_m, f(x) / |f(x)|>) with the
    pre-trained scale. The loss is KL(p of the teacher || p of the student), averaged over the
    batch, beside cross-entropy. This is the direction of distillation; the abstract names none.
    Nothing is drawn. Gradients flow into the student's image tower alone. Raises ConfigError for
    one template, whose distribution never changes.
    """

    needs: ClassVar[frozenset[str]] = _PASSES

    view: str = cfft.param("original", help=_VIEW)
    weight: float = cfft.param(1.0, help="factor in the objective", ge=0)
    teacher: str = cfft.param("clip", help=_TEACHER)

    def measure(self, outputs: cfft.StepOutputs) -> Tensor:
        """Return the un-weighted divergence []."""
        text = outputs.prompts()
        if len(text.templates) < 2:
            raise cfft.ConfigError(
                "loss 'car-ft' compares prompt templates with each other and --prompts gives one: "
                "choose several, such as --prompts openai"
            )
        contexts = unit(text.pretrained.of_classes()).mean(dim=0)  # [M, D]
        student, teacher = _both(outputs, self.teacher, self.view, contexts)
        return divergence(student, teacher)


@cfft.loss("lipsum-ft")
class LipsumFt(cfft.AuxLoss):
    """Keep the similarities of images with random texts.

    Lipsum-FT (Nam et al. 2024, 5.1). With v_m(x) = scale <t_m, f(x)> of normalised features, t_m
    those of M random texts by the pre-trained text tower and its scale, the loss is
    |v(x) - v_teacher(x)|^2 / (2 M), averaged over the batch, beside cross-entropy. The texts are
    drawn anew in every step, from the step's generator. The authors' program draws 8 tokens for
    each, uniformly from the vocabulary; here they are `length` of the words that are one token
    each, so that pieces of words and punctuation do not occur. Gradients flow into the student's
    image tower alone.
    """

    needs: ClassVar[frozenset[str]] = _PASSES

    texts: int = cfft.param(80, help="random texts in a step (M)", ge=1)
    length: int = cfft.param(8, help="words in each text", ge=1)
    view: str = cfft.param("original", help=_VIEW)
    weight: float = cfft.param(1.0, help="factor in the objective", ge=0)
    teacher: str = cfft.param("clip", help=_TEACHER)

    def measure(self, outputs: cfft.StepOutputs) -> Tensor:
        """Return the un-weighted error []."""
        features = outputs.prompts().pretrained(self._random_texts(outputs.prompts()))  # [M, D]
        student, teacher = _both(outputs, self.teacher, self.view, features)
        return (student - teacher).square().mean() / 2

    def _random_texts(self, text: cfft.StepText) -> list[str]:
        import torch

        size = (self.texts, self.length)
        drawn = torch.randint(len(text.words), size, generator=text.rng).tolist()
        return [" ".join(text.words[word] for word in words) for words in drawn]


@cfft.loss("text-similarity")
class TextSimilarity(cfft.AuxLoss):
    """Keep the distribution over class prompts that a teacher sees in an image.

    w_k is the normalised mean over templates of the normalised text features of class k, by the
    pre-trained text tower, and p(k | x) = softmax_k(scale <w_k, f(x) / |f(x)|> / temperature) with
    the pre-trained scale: CLIP's zero-shot prediction (Radford et al. 2021, 3.1.4), whatever head
    the run trains. The loss is temperature^2 * KL(p of the teacher || p of the student), averaged
    over the batch (Hinton et al. 2015). Nothing is drawn. Gradients flow into the student's image
    tower alone.
    """

    needs: ClassVar[frozenset[str]] = _PASSES

    temperature: float = cfft.param(1.0, help="divisor of the similarities of both", gt=0)
    view: str = cfft.param("original", help=_VIEW)
    weight: float = cfft.param(1.0, help="factor in the objective", ge=0)
    teacher: str = cfft.param("clip", help=_TEACHER)

    def measure(self, outputs: cfft.StepOutputs) -> Tensor:
        """Return the un-weighted divergence []."""
        classes = unit(outputs.prompts().pretrained.of_classes()).mean(dim=1)  # [K, D]
        student, teacher = _both(outputs, self.teacher, self.view, classes)
        tempered = (each / self.temperature for each in (student, teacher))
        return self.temperature**2 * divergence(*tempered)


def _both(
    outputs: cfft.StepOutputs, teacher: str, view: str, texts: Tensor
) -> tuple[Tensor, Tensor]:
    """Return scaled cosine similarities [B, n] of student and teacher with n texts [n, D]."""
    scale = outputs.prompts().pretrained.logit_scale
    encoded = outputs.student(view), outputs.teacher(teacher, view)
    of_student, of_teacher = (cfft.similarities(each.features, texts, scale) for each in encoded)
    return of_student, of_teacher
