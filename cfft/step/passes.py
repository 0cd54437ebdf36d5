"""Forward passes of a step: the student on clean images, frozen teachers on either view."""

from __future__ import annotations

import attrs
import torch
from torch import Tensor, nn

from cfft.encoder.encoder import Capture, Classifier
from cfft.records import Batch, Counterfactual, Encoded, TeacherOutputs
from cfft.step.interfaces import Cam


@attrs.frozen(eq=False)
class CleanPass:
    """Hold the student's pass on the original images: the StudentView of masks and maps.

    `clean`: its outputs, in the graph. `capture`: what that pass kept for maps; it holds on to the
    graph, so let go of it once the mask is chosen. `cam`: the run's map, None where nothing asks
    for one. `rng`: CPU generator of the mask.
    """

    batch: Batch
    clean: Encoded
    capture: Capture
    cam: Cam | None
    rng: torch.Generator
    _maps: dict[Cam, Tensor] = attrs.field(factory=dict, init=False)

    @classmethod
    def of(
        cls, student: nn.Module, batch: Batch, cam: Cam | None, rng: torch.Generator
    ) -> CleanPass:
        """Run `student` on the images of `batch`; maps need gradients to be enabled."""
        capture = Capture()
        return cls(batch, student(batch.images, capture=capture), capture, cam, rng)

    @property
    def grid(self) -> tuple[int, int]:
        """Patches per column and per row: (gh, gw)."""
        return self.capture.grid

    def scores(self, cam: Cam | None = None) -> Tensor:
        """Class activation map of the true labels: [B, gh, gw] in 0..1, detached.

        Computed once per map. Raises ValueError where neither the caller nor the run names a map.
        """
        chosen = cam or self.cam
        if chosen is None:
            raise ValueError("scores() needs a map: the run chose none and none was given")
        if chosen not in self._maps:
            self._maps[chosen] = divided_by_maximum(chosen.explain(self.batch, self))
        return self._maps[chosen]


def divided_by_maximum(scores: Tensor) -> Tensor:
    """Divide raw scores [B, gh, gw] by each image's maximum + 1e-8, in float32 or better.

    No minimum is subtracted: an image whose scores are all 0 stays 0.
    """
    exact = scores.detach().to(torch.promote_types(scores.dtype, torch.float32))
    return exact / (exact.amax(dim=(1, 2), keepdim=True) + 1e-8)


def second_pass(
    model: nn.Module, batch: Batch, counterfactual: Counterfactual, first: Encoded | None
) -> Encoded:
    """Run `model` on counterfactual images, or reuse `first` where they are the originals."""
    unchanged = counterfactual.images is batch.images and counterfactual.dropped is None
    if first is not None and unchanged:
        return first
    encoded: Encoded = model(
        counterfactual.images, counterfactual.dropped, counterfactual.dropped_per_image
    )
    return encoded


class FrozenTeacher(nn.Module):
    """Run a teacher that never changes, on the views that losses look at.

    `needs`: what they look at, see AuxLoss. `feature_variance`: [], mean over features of their
    variance on the training set, or None until it is measured and set. The classifier is frozen in
    place: give each teacher a separate model.
    """

    feature_variance: Tensor | None

    def __init__(self, classifier: Classifier, needs: frozenset[str]) -> None:
        super().__init__()
        self.classifier = classifier.requires_grad_(False)
        self.needs = needs
        self.register_buffer("feature_variance", None)
        self.eval()

    def train(self, mode: bool = True) -> FrozenTeacher:
        """Stay in eval mode, whatever the step around it does."""
        return super().train(False)

    def forward(
        self, images: Tensor, dropped: Tensor | None = None, dropped_per_image: int | None = None
    ) -> Encoded:
        """Encode in inference mode; the outputs are copies that a student's graph may save."""
        with torch.inference_mode():
            encoded = self.classifier(images, dropped, dropped_per_image)
        return Encoded(encoded.features.clone(), encoded.logits.clone())

    def outputs(self, batch: Batch, counterfactual: Counterfactual | None) -> TeacherOutputs:
        """Return the outputs on the views that are needed; the others are None."""
        original = self(batch.images) if "teacher.original" in self.needs else None
        second = None
        if counterfactual is not None and "teacher.counterfactual" in self.needs:
            second = second_pass(self, batch, counterfactual, original)
        return TeacherOutputs(original, second, self.feature_variance)
