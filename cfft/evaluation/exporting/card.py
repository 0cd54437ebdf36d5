"""The model card of an export: README.md as the Hugging Face hub has it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import tomlkit

from cfft.errors import shortened_list
from cfft.evaluation.exporting.record import Agreement
from cfft.evaluation.merging.record import MergeRecord, record_file
from cfft.evaluation.models.finding import ModelRef
from cfft.model.description import find_weights
from cfft.model.exporter import Exporter, ExportSource
from cfft.plugin.kinds import CONFIGURED
from cfft.runtime.json_files import read_json
from cfft.runtime.outside import all_shown
from cfft.scoring.results import SetResult
from cfft.training.results import RunResults

_LICENCE = "# license: fill this in; pre-trained weights and images may bind you"
_PATH = re.compile(r"(?:^|(?<=[:=]))(?:/|~/)(?:[^/:]+/)*(?=[^/:])")
_NAMED = 20
_CLASSES = "classes.json"
_TABLES = ("seed", "model", "training", *CONFIGURED, "view", "stage")
_TAGS = ("image-classification", "robustness", "cfft")


@attrs.frozen(eq=False)
class Origin:
    """Hold what is known of how a model came to be; None of what is not.

    `config`: the configuration of its run. `results`: those of the run, where it is the model that
    they were measured on. `merge`: how it was merged of others.
    """

    config: Mapping[str, Any] | None = None
    results: RunResults | None = None
    merge: MergeRecord | None = None

    @classmethod
    def of(cls, ref: ModelRef) -> Origin:
        """Read what lies beside a model; raises ConfigError or DataError for damaged files."""
        assert ref.path is not None, "the model before fine-tuning has no origin"
        run, record = ref.trained_by, record_file(ref.path)
        merge = read_json(record, MergeRecord, "merge") if record.is_file() else None
        if run is None:
            return cls(merge=merge)
        is_best = find_weights(ref.path).resolve().parent == run.best.resolve()
        return cls(run.read_config(), run.read_results() if is_best else None, merge)


@attrs.frozen(eq=False)
class ModelCard:
    """Describe an export: where it comes from, what it can do, how it is loaded.

    `title`: its name. `exporter`: the strategy called `format`. Of paths the last part alone is
    shown: a card may be published.
    """

    title: str
    model: ExportSource
    exporter: Exporter
    format: str
    origin: Origin
    difference: Agreement
    version: str

    def text(self) -> str:
        """Return the card as Markdown with a YAML header."""
        return f"---\n{_LICENCE}\n{self._header()}\n---\n\n" + "\n".join(self._body()) + "\n"

    def _header(self) -> str:
        from huggingface_hub import ModelCardData

        results = self.origin.results
        data = ModelCardData(
            library_name=self.exporter.library or None,
            tags=[*_TAGS],
            model_name=self.title if results else None,
            eval_results=_eval_results(results) if results else None,
        )
        return str(data.to_yaml())

    def _body(self) -> Iterator[str]:
        known = self.model.description
        yield f"# {_cell(self.title)}"
        yield ""
        yield (
            f"{_cell(_last_part(_short(known.name)))}, fine-tuned and exported by cfft "
            f"{self.version}: it tells {len(known.classes)} classes apart"
            f" ({_cell(shortened_list(known.classes, _NAMED))}; all of them in order in "
            f"`{_CLASSES}`)."
        )
        yield from ("", "## Licence", "")
        yield (
            "Not stated yet. It depends on the licences of the pre-trained weights and of the "
            "images, which cfft does not know: add `license:` to the header of this file, and "
            "where there is none among the hub's, `license_name:` and `license_link:`."
        )
        yield from self._recipe()
        yield from self._results()
        yield from self._loading()

    def _recipe(self) -> Iterator[str]:
        config, merge = self.origin.config, self.origin.merge
        yield from ("", "## Data and recipe", "")
        if config is None and merge is None:
            yield "Nothing beside the weights says how they were made."
            return
        if merge is not None:
            models = shortened_list(_last_part(name) for name in merge.models)
            yield f"Merged by `{merge.merge}` of: {_cell(models)}."
        if config is not None:
            yield "Images (`[suite]`) and recipe in the terms of cfft:"
            tables = {k: config[k] for k in _TABLES if config.get(k) not in (None, [])}
            yield from ("", "```toml", tomlkit.dumps(all_shown(_public(tables))).strip(), "```")

    def _results(self) -> Iterator[str]:
        results = self.origin.results
        yield from ("", "## Results", "")
        if results is None:
            yield "No accuracies are stored with these weights; `cfft eval` measures them."
            return
        yield "Top-1 in percent, with 95 % confidence intervals for the choice of images."
        yield ""
        yield "| set | role | images | before fine-tuning | after | interval |"
        yield "|---|---|---:|---:|---:|---:|"
        for name, found in results.sets.items():
            yield _row(name, found, results.before.sets.get(name))
        if results.ood_average is not None:
            before = _percent(results.before.ood_average)
            yield f"| mean of the OOD sets | ood | | {before} | {_percent(results.ood_average)} | |"

    def _loading(self) -> Iterator[str]:
        prepared, head = self.model.preprocessing, self.model.classifier.head
        yield from ("", "## Loading", "")
        usage = self.exporter.usage(self.model).strip()
        if usage:
            yield from ("```python", usage, "```", "")
        height, width = prepared.size
        yield (
            f"Images: the short side to {prepared.resize} pixels ({prepared.interpolation}), the "
            f"central {height} x {width}, mean {_numbers(prepared.mean)}, standard deviation "
            f"{_numbers(prepared.std)}."
        )
        yield ""
        normalised = " brought to L2 norm 1" if head.normalised else ""
        yield (
            f"`head.safetensors` holds `weight` [{head.weight.shape[0]}, {head.weight.shape[1]}] "
            f"and `bias` [{head.weight.shape[0]}]: logits = features{normalised} @ weight.T + bias."
        )
        yield ""
        yield (
            f"Written as `{self.format}` and loaded again, its features differ from the model's by "
            f"at most {self.difference.features:.1g} of the largest, its logits by "
            f"{self.difference.logits:.1g}."
        )


def _eval_results(results: RunResults) -> list[Any]:
    """Return accuracies in the hub's own terms, which joins what shares type and configuration."""
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type="image-classification",
            dataset_type=str(results.suite.get("use", "images")),
            dataset_name=name,
            dataset_config=name,
            metric_type="accuracy",
            metric_name=f"top-1 ({found.role.upper()})",
            metric_value=round(found.top1, 4),
        )
        for name, found in results.sets.items()
    ]


def _public(value: Any) -> Any:
    """Return tables without the folders that files of this machine lie in."""
    if isinstance(value, Mapping):
        return {key: _public(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_public(inner) for inner in value]
    return _last_part(value) if isinstance(value, str) else value


def _last_part(text: str) -> str:
    return _PATH.sub("", text.rstrip("/") if text.startswith(("/", "~")) else text)


def _short(name: str) -> str:
    return "a model" if name.startswith("{") else name


def _row(name: str, found: SetResult, before: SetResult | None) -> str:
    low, high = (_percent(share) for share in found.ci95) if found.ci95 else ("", "")
    interval = f"{low} to {high}" if low else ""
    was = _percent(None if before is None else before.top1)
    count = "" if found.n is None else f"{found.n:,}"
    return (
        f"| {_cell(name)} | {found.role} | {count} | {was} | {_percent(found.top1)} | {interval} |"
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)


def _cell(text: str) -> str:
    """Return a text as a line or a cell of Markdown shows it."""
    plain = str(all_shown(text))
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", plain)
