"""An evaluation from its keywords, for `cfft.evaluate` and the command `cfft eval`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cfft.config.keywords import Keywords, given, spelled
from cfft.config.layers import Layer
from cfft.config.settings import Evaluation, Model
from cfft.errors import ConfigError
from cfft.plugin.params import declaration
from cfft.plugin.registry import Registry
from cfft.runtime.files import reserved, user_path
from cfft.runtime.json_files import as_json
from cfft.runtime.progress import PythonWarnings, Reporter

if TYPE_CHECKING:  # torch comes with it
    from cfft.evaluation.files.evaluation import EvaluationResults

KINDS = ("suite", "backbone")
MODELS = (
    "run directories, checkpoint directories, weight files, patterns of them in quotes, or "
    "zero-shot: the pre-trained model before fine-tuning"
)
_RECOMPUTING = ("label_space", "baseline", "baseline_line")


def evaluate(
    models: str | Path | Sequence[str | Path],
    *,
    suite: str | None = None,
    data: str | Path | None = None,
    model: str | None = None,
    pretrained: str | Path | None = None,
    head: str | None = None,
    prompts: str | Path | None = None,
    seed: int | None = None,
    label_space: str | None = None,
    alphas: Sequence[float] | None = None,
    baseline: str | None = None,
    baseline_line: str | Path | None = None,
    batch_size: int | None = None,
    precision: str | None = None,
    from_predictions: bool = False,
    out: str | Path | None = None,
    reporter: Reporter | None = None,
    **parameters: Any,
) -> dict[str, Any]:
    """Measure models side by side and return the content of evaluation.json.

    `models`: run directories, checkpoint directories, weight files, patterns of them, or
    "zero-shot" for the model before fine-tuning. The keywords are the options of `cfft eval` with
    underscores: those in the signature, every other setting (`workers=0`), and the parameters of
    the suite, in short (`id="photo"`) or in full (`**{"suite.domains.id": "photo"}`). None in the
    signature means not given. Without `suite` the images are those of the first run.

    `from_predictions`: recompute everything from what earlier evaluations and runs have stored.
    `out`: a directory for evaluation.json and predictions, by default a new one in evaluations/
    (from predictions: none). `reporter` hears of the progress; without one nothing is printed.
    Raises a CfftError whose lines are those of the command line.

        record = cfft.evaluate(["zero-shot", "runs/a"], suite="folder", data="images")
        {measured["model"]: measured["ood_average"] for measured in record["models"]}
    """
    keywords = given(locals(), besides=("models", "from_predictions", "out", "reporter"))
    listed = [models] if isinstance(models, (str, Path)) else models
    if not isinstance(listed, Sequence) or not all(
        isinstance(each, (str, Path)) for each in listed
    ):
        raise ConfigError("evaluate takes paths; store a model of your own with cfft.save first")
    asked = list(map(str, listed))
    planned = planned_evaluation(Registry.installed(), asked, keywords, out, from_predictions)
    with planned.directory() as place:
        return dict(as_json(planned.start(place, reporter or PythonWarnings())))


@attrs.frozen
class PlannedEvaluation:
    """Hold an evaluation that is configured and checked, but not begun."""

    models: Sequence[str]
    layer: Layer
    settings: Evaluation
    registry: Registry
    out: Path | None
    from_predictions: bool

    @contextmanager
    def directory(self) -> Iterator[Path | None]:
        """Give the directory to write to; a new one is gone where nothing was put into it."""
        if self.out is not None or self.from_predictions:
            yield self.out
            return
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise ConfigError("several processes need one directory: give --out DIR")
        chosen = self.layer.chosen.get("suite")
        with reserved(Path("evaluations", chosen[0].use if chosen else "evaluation")) as place:
            yield place

    def start(self, out: Path | None, reporter: Reporter | None = None) -> EvaluationResults:
        """Measure or recompute, write to `out` and return the results."""
        if self.from_predictions or out is None:
            from cfft.evaluation.recomputed import recompute  # torch comes with it

            return recompute(self.models, self.settings, out, reporter)
        from cfft.evaluation.job import evaluate_models  # as above

        return evaluate_models(self.models, self.layer, self.settings, self.registry, out, reporter)


def planned_evaluation(
    registry: Registry,
    models: Sequence[str],
    keywords: Mapping[str, Any],
    out: str | Path | None = None,
    from_predictions: bool = False,
) -> PlannedEvaluation:
    """Return the evaluation that keywords stand for; raises ConfigError with every problem."""
    if not models:
        raise ConfigError(f"no model is given: {MODELS}")
    wrong = [spelled(keyword) for keyword in keywords if keyword not in _RECOMPUTING]
    if from_predictions and wrong:
        allowed = ", ".join([*map(spelled, _RECOMPUTING), "--out", "--json"])
        raise ConfigError(
            f"--from-predictions measures no model and has no use for {', '.join(wrong)}: leave "
            "that out, or measure again without --from-predictions; allowed beside it: " + allowed
        )
    layer = Keywords(registry, KINDS, (Model, Evaluation), files=False).layer(keywords)
    values = layer.settings.pop("evaluation", {})
    settings: Evaluation = declaration(Evaluation).build(values, {})
    outside = [alpha for alpha in settings.alphas or () if not 0 <= alpha <= 1]
    if outside:
        raise ConfigError(
            f"--alphas: {outside[0]:g} is out of range; allowed: 0 (start) to 1 (fine-tuned)"
        )
    place = None if out is None else user_path(out)
    return PlannedEvaluation(models, layer, settings, registry, place, from_predictions)
