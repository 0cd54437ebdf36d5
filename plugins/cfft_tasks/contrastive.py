"""The task of CLIP's pre-training, continued in fine-tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import cfft

if TYPE_CHECKING:
    from torch import Tensor


@cfft.task("contrastive")
class Contrastive(cfft.Task):
    """Tell each image's caption from the others of the batch, and the reverse.

    FLYP (Goyal et al. 2023, "Finetune Like You Pretrain", and its program): with normalised
    features x_i of the images and t_i of their captions, s_ij = exp(scale) <x_i, t_j> [B, B],

        L = (mean_i CE(s_i., i) + mean_j CE(s_.j, j)) / 2

    A caption is the class name in a template drawn at random for each image and step. Image tower,
    text tower and scale are trained; the scale stays at 100 at most, as in CLIP. The head is not
    trained: cfft makes it of the class prompts before every validation. Captions of the same class
    count as wrong, as in FLYP; `same_class = "right"` shares the target between them (the other
    loss of FLYP's program). A batch is the micro-batches that all processes compute at the same
    time; with one image the loss is 0.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"student.text"})
    term: ClassVar[str] = "contrastive"
    head_from_text: ClassVar[bool] = True
    compares_images: ClassVar[bool] = True

    same_class: Literal["wrong", "right"] = cfft.param(
        "wrong", help="how captions of other images of the same class count"
    )

    def measure(self, outputs: cfft.StepOutputs) -> Tensor:
        """Return the mean of both directions []."""
        import torch
        from torch.nn.functional import cross_entropy

        text, labels = outputs.prompts(), outputs.batch.labels
        images, captions = outputs.student_original.features, text(text.captions(labels))  # [B, D]
        images, captions, labels = map(outputs.joined, (images, captions, labels))
        similarities = cfft.similarities(images, captions, text.logit_scale)  # [B, B]
        targets = torch.eye(len(labels), dtype=similarities.dtype, device=similarities.device)
        if self.same_class == "right":
            same = (labels[:, None] == labels).to(similarities.dtype)
            targets = same / same.sum(dim=1, keepdim=True)
        by_image = cross_entropy(similarities, targets)
        return (by_image + cross_entropy(similarities.T, targets)) / 2
