"""Forward passes of a step: the student on clean images, frozen teachers on every view."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import attrs
import torch
from torch import Tensor, nn

from cfft.encoder.encoder import Capture, Classifier
from cfft.records import Batch, Encoded, TeacherOutputs, ViewOutputs
from cfft.step.constants import KeptOutputs
from cfft.step.interfaces import ORIGINAL, Cam
from cfft.step.results import explained


@attrs.frozen(eq=False)
class CleanPass:
    """Make a model's pass on the original images, from which views of the batch are made.

    It is made when something first asks for it, once. `clean`: its outputs, in the graph.
    `capture`: what it keeps for maps; it holds on to the graph, so let go of all of this once the
    masks are chosen. `teachers`: by label. `values`: whether maps are checked for their values,
    which waits for the device. `kept`: maps that need not be computed.
    """

    batch: Batch
    model: Classifier
    teachers: Mapping[str, FrozenTeacher] = attrs.field(factory=dict)
    values: bool = False
    kept: KeptOutputs = attrs.field(factory=KeptOutputs)
    capture: Capture = attrs.field(factory=Capture, init=False)
    _made: list[Encoded] = attrs.field(factory=list, init=False)
    _maps: dict[Cam, Tensor] = attrs.field(factory=dict, init=False)
    _taught: dict[str, CleanPass] = attrs.field(factory=dict, init=False)

    @classmethod
    def of(
        cls,
        model: Classifier,
        batch: Batch,
        teachers: Mapping[str, FrozenTeacher] = MappingProxyType({}),
        *,
        values: bool = False,
        kept: KeptOutputs | None = None,
    ) -> CleanPass:
        """Take `model` to the images of `batch`; maps need gradients to be enabled."""
        return cls(batch, model, teachers, values, kept or KeptOutputs())

    @property
    def clean(self) -> Encoded:
        """The model's outputs on the original images, in the graph."""
        if not self._made:
            self._made.append(self.model(self.batch.images, capture=self.capture))
        return self._made[0]

    @property
    def is_made(self) -> bool:
        """Tell whether anything has asked for the pass."""
        return bool(self._made)

    def seen_by(self, cam: Cam | None, rng: torch.Generator) -> CleanView:
        """Return the StudentView of masks and maps: `cam` is the view's map, `rng` the mask's."""
        return CleanView(self, cam, rng)

    def map(self, cam: Cam, rng: torch.Generator) -> Tensor:
        """Return the map `cam`, divided by each maximum: [B, gh, gw], computed once."""
        kept = self.kept.map(cam, self.batch.ids, self.batch.images.device)
        if kept is not None:
            return kept
        if cam not in self._maps:
            view = self.seen_by(cam, rng)
            scores = explained(cam, self.batch, view, values=self.values)
            self._maps[cam] = divided_by_maximum(scores)
        return self._maps[cam]

    def teacher(self, label: str) -> CleanPass:
        """Return a teacher's pass on the same images, computed once."""
        if label not in self.teachers:
            raise ValueError(
                f"no teacher '{label}' takes part: the map has to name it in `follows`"
            )
        if label not in self._taught:
            self._taught[label] = CleanPass.of(self.teachers[label].classifier, self.batch)
        return self._taught[label]


@attrs.frozen(eq=False)
class CleanView:
    """Show a pass on the original images to a mask or a map: the StudentView of a step."""

    _of: CleanPass
    cam: Cam | None
    rng: torch.Generator

    @property
    def grid(self) -> tuple[int, int]:
        """Patches per column and per row: (gh, gw)."""
        return self._of.model.encoder.grid

    @property
    def capture(self) -> Capture:
        """Tensors that the pass kept for maps."""
        _ = self._of.clean  # the pass fills it
        return self._of.capture

    @property
    def clean(self) -> Encoded:
        """The outputs on the original images, in the graph."""
        return self._of.clean

    def scores(self, cam: Cam | None = None) -> Tensor:
        """Class activation map of the true labels: [B, gh, gw] in 0..1, detached.

        Computed once per map. Raises ValueError where neither the caller nor the view names a map.
        """
        chosen = cam or self.cam
        if chosen is None:
            raise ValueError("scores() needs a map: the run chose none and none was given")
        return self._of.map(chosen, self.rng)

    def teacher(self, label: str) -> CleanView:
        """Return the view of a teacher's pass on the same images."""
        return self._of.teacher(label).seen_by(self.cam, self.rng)


@contextmanager
def without_gradients(model: nn.Module) -> Iterator[None]:
    """Let a block make passes of which no parameter gets a gradient; maps still do."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def divided_by_maximum(scores: Tensor) -> Tensor:
    """Divide raw scores [B, gh, gw] by each image's maximum + 1e-8, in float32 or better.

    No minimum is subtracted: an image whose scores are all 0 stays 0.
    """
    exact = scores.detach().to(torch.promote_types(scores.dtype, torch.float32))
    return exact / (exact.amax(dim=(1, 2), keepdim=True) + 1e-8)


def second_pass(
    model: nn.Module, batch: Batch, view: ViewOutputs, first: Encoded | None
) -> Encoded:
    """Run `model` on the images of a view, or reuse `first` where they are the originals."""
    made = view.counterfactual
    if first is not None and is_unchanged(batch, view):
        return first
    encoded: Encoded = model(made.images, made.dropped, made.dropped_per_image)
    return encoded


def is_unchanged(batch: Batch, view: ViewOutputs) -> bool:
    """Tell whether a view shows the original images, as where nothing was hidden."""
    made = view.counterfactual
    return made.images is batch.images and made.dropped is None


class FrozenTeacher(nn.Module):
    """Run a teacher that no gradient changes, on the views that terms look at.

    `needs`: what they look at, see AuxLoss. `views`: the labels of those views, the original images
    among them. `feature_variance`: [], mean over features of their variance on the training set, or
    None until it is measured and set. The classifier is frozen in place: give each teacher a
    separate model.
    """

    feature_variance: Tensor | None

    def __init__(
        self, classifier: Classifier, needs: frozenset[str], views: frozenset[str]
    ) -> None:
        super().__init__()
        self.classifier = classifier.requires_grad_(False)
        self.needs, self.views = needs, views
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

    def _with_logits(self, features: Tensor) -> Encoded:
        with torch.inference_mode():
            logits = self.classifier.head(features)
        return Encoded(features, logits.clone())

    def outputs(
        self,
        batch: Batch,
        views: Mapping[str, ViewOutputs],
        original: Encoded | None = None,
        kept: Callable[[str], Tensor | None] = lambda _: None,
    ) -> TeacherOutputs:
        """Return the outputs on those of `views` that are needed; the others are missing.

        `original`: the outputs on the original images, where they were computed before. `kept`:
        gives the features of a view by its label, None where they are to be computed.
        """

        def encoded(label: str, compute: Callable[[], Encoded]) -> Encoded:
            features = kept(label)
            return compute() if features is None else self._with_logits(features)

        def of_view(label: str, view: ViewOutputs) -> Encoded:
            if is_unchanged(batch, view):
                return original or encoded(ORIGINAL, lambda: self(batch.images))
            return encoded(label, lambda: second_pass(self, batch, view, None))

        if original is None and ORIGINAL in self.views:
            original = encoded(ORIGINAL, lambda: self(batch.images))
        seen = {label: of_view(label, view) for label, view in views.items() if label in self.views}
        wanted = "teacher.weights" in self.needs
        weights = dict(self.classifier.named_parameters()) if wanted else None
        return TeacherOutputs(original, seen, self.feature_variance, weights)
