"""Losses that compare similarities within a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import cfft

if TYPE_CHECKING:
    from torch import Tensor


@cfft.loss("relational")
class Relational(cfft.AuxLoss):
    """Keep similarities within the batch close to a teacher's, on one view.

    Contrastive relational distillation (CRD): Eq. 21 to 23 of TRACER (Asadollahzadeh et al. 2026,
    appendix C.6), after CLIP-KD (Yang et al. 2024). With h the features at L2 norm 1 and tau the
    temperature, the loss is the mean over the batch of KL(p_teacher || p_student), in both
    directions, added up:

    - `among = "prompts"`, the paper's: p_i is the softmax over j of h(image i) . h(prompt j) / tau,
      and the other way round. Prompt j is the first template with the name of image j's class. It
      needs a text tower, which is then trained.
    - `among = "images"`: p_i is the softmax over all j but i of h(image i) . h(image j) / tau. Both
      directions are the same, so it counts once. It needs no text tower; distances of images in a
      batch as in relational knowledge distillation (Park et al. 2019), with the paper's divergence.

    The paper's tau is the models' learnt one, 0.01 in CLIP; among images, 0.1 is taken. A batch of
    one gives 0, and among images a batch of two as well. Gradients flow into the student alone.
    """

    among: Literal["images", "prompts"] = cfft.param(
        "images", help="what each image is compared with: the other images, or prompts of classes"
    )
    temperature: float = cfft.param(
        0.1,
        help="divisor of cosine similarities (tau)",
        gt=0,
        given={"among": {"prompts": 0.01}},
    )
    text: Literal["pretrained", "averaged"] = cfft.param(
        "pretrained",
        help="text tower that goes with the teacher: the pre-trained one, or the average over "
        "steps, for teacher average",
    )
    view: str = cfft.param(
        "original", help="label of the view to compare on; original: the images as they are"
    )
    weight: float = cfft.param(1.0, help="factor in the objective", ge=0)
    teacher: str = cfft.param("clip", help="label of the teacher to follow")

    @property
    def needs(self) -> frozenset[str]:
        """Name the passes that this loss looks at, with text towers for prompts."""
        passes = frozenset({"student.view", "teacher.view"})
        tower = "average.text" if self.text == "averaged" else "teacher.text"
        prompts = frozenset({"student.text", tower})
        return passes | prompts if self.among == "prompts" else passes

    def measure(self, outputs: cfft.StepOutputs) -> Tensor:
        """Return the un-weighted divergence []."""
        student = outputs.student(self.view).features
        teacher = outputs.teacher(self.teacher, self.view).features
        if self.among == "prompts":
            return self._with_prompts(outputs, student, teacher)
        return _divergence(*(self._others(features) for features in (student, teacher)))

    def _with_prompts(self, outputs: cfft.StepOutputs, student: Tensor, teacher: Tensor) -> Tensor:
        text = outputs.prompts()
        prompts = [text.prompt(text.templates[0], k) for k in outputs.batch.labels.tolist()]
        taught = text.averaged(prompts) if self.text == "averaged" else text.pretrained(prompts)
        own = self._similarities(student, text(prompts))  # [B, B], image by prompt
        wanted = self._similarities(teacher, taught)
        return _divergence(own, wanted) + _divergence(own.T, wanted.T)

    def _others(self, features: Tensor) -> Tensor:
        """Return the similarities of each image to the others: [B, B - 1]."""
        import torch

        found = self._similarities(features, features)
        others = ~torch.eye(len(found), dtype=torch.bool, device=found.device)
        return found[others].reshape(len(found), len(found) - 1)

    def _similarities(self, features: Tensor, others: Tensor) -> Tensor:
        from torch.nn.functional import normalize

        one, other = (normalize(each.float(), dim=-1) for each in (features, others))
        return one @ other.T / self.temperature


def _divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean over rows [B, n] of KL(softmax(teacher) || softmax(student)): []."""
    from torch.nn.functional import kl_div, log_softmax

    return kl_div(
        log_softmax(student.float(), dim=-1),
        log_softmax(teacher.float(), dim=-1),
        reduction="batchmean",
        log_target=True,
    )
