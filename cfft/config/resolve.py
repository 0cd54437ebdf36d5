"""The resolved configuration of a run: defaults < recipe < file < command line."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import attrs
import tomlkit

from cfft.config.layers import COMMAND_LINE, LISTS, SETTINGS, Choice, Layer
from cfft.config.settings import Model, Training
from cfft.config.shorthand import Shorthand
from cfft.errors import CfftError, ConfigError, several, unknown
from cfft.plugin.kinds import KINDS
from cfft.plugin.params import NAME, declaration, values_of
from cfft.plugin.registry import Registry
from cfft.step.interfaces import RESERVED_LABELS, AuxLoss
from cfft.step.needs import needs_of

T = TypeVar("T")
_COUNTERFACTUAL = {"student.counterfactual", "teacher.counterfactual"}
_COUNTERFACTUAL_KINDS = ("mask", "fill", "cam")
_FILES = ("name", "pretrained", "prompts")
_NO_MODEL = "no model is chosen: give --model NAME, as in --model ViT-B-32 --pretrained openai"


@attrs.frozen
class Chosen:
    """Hold a strategy that the run uses; `label` is what others refer to it by."""

    kind: str
    label: str
    name: str
    strategy: Any
    plugin: str
    version: str


@attrs.frozen
class RunConfig:
    """Hold everything that determines a run, resolved and checked.

    `mask`, `fill` and `cam` are None where no loss looks at counterfactual images.
    """

    seed: int
    model: Model
    training: Training
    backbone: Chosen
    suite: Chosen
    mask: Chosen | None
    fill: Chosen | None
    cam: Chosen | None
    losses: tuple[Chosen, ...]
    teachers: tuple[Chosen, ...]

    @property
    def architecture(self) -> str:
        """Return the model's name as its backbone knows it, without `BACKBONE:`."""
        return self.model.name.removeprefix(f"{self.backbone.name}:")

    def strategies(self) -> Iterator[Chosen]:
        """Go through every strategy that the run uses."""
        single = (self.backbone, self.suite, self.mask, self.fill, self.cam)
        yield from (chosen for chosen in single if chosen is not None)
        yield from self.losses
        yield from self.teachers

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as TOML and JSON hold it; what is None is left out."""
        tables: dict[str, Any] = {"seed": self.seed}
        tables["cfft"] = {"version": version("cfft")}
        tables["model"] = _portable(values_of(self.model))
        tables["training"] = values_of(self.training)
        for chosen in (self.backbone, self.suite, self.mask, self.fill, self.cam):
            if chosen is not None:
                tables[chosen.kind] = _table(chosen)
        tables["loss"] = [_table(chosen) for chosen in self.losses]
        tables["teacher"] = [_table(chosen) for chosen in self.teachers]
        tables["plugins"] = {c.plugin: c.version for c in self.strategies()}
        return tables

    def to_toml(self) -> str:
        """Return TOML from which `--config` makes the same configuration."""
        return tomlkit.dumps(self.to_dict())


def _portable(values: dict[str, Any]) -> dict[str, Any]:
    """Make paths absolute, so that the file means the same from every folder."""
    return {key: _absolute(value) if key in _FILES else value for key, value in values.items()}


def _absolute(value: str) -> str:
    """Make `FILE`, `PREFIX:FILE` and `PREFIX:SOME/FOLDER` absolute; names stay as they are."""
    prefix, colon, rest = value.rpartition(":")
    path = Path(rest).expanduser()
    if path.is_file() or (colon and os.sep in rest and path.is_dir()):
        return f"{prefix}{colon}{path.resolve()}"
    return value


def _table(chosen: Chosen) -> dict[str, Any]:
    head = {"use": chosen.name}
    if chosen.label != chosen.name:
        head["label"] = chosen.label
    paths = {
        key: str(value.resolve())
        for key, value in attrs.asdict(chosen.strategy, recurse=False).items()
        if isinstance(value, Path)
    }
    return {**head, **values_of(chosen.strategy), **paths}


def resolve(
    registry: Registry, layers: Sequence[Layer], without_model: str = _NO_MODEL
) -> RunConfig:
    """Check and join layers, lowest first; raises ConfigError with every problem, one a line.

    `without_model`: the problem where no layer names a model.
    """
    return _Resolver(registry, layers, without_model).run()


class _Resolver:
    """Join layers once; collects problems instead of stopping at the first."""

    def __init__(self, registry: Registry, layers: Sequence[Layer], without_model: str) -> None:
        self.registry = registry
        self.layers = layers
        self.without_model = without_model
        self.problems: list[str] = []
        self.idle: Sequence[str] = ()
        self.settings = {table: self._merged_settings(table) for table in SETTINGS}
        self.chosen = self._merged_choices()
        self.context = {kind: picks[0].use for kind, picks in self.chosen.items() if picks}
        self.short = self._short_values()

    def run(self) -> RunConfig:
        losses = self._build_all("loss")
        self._leave_out_counterfactuals(losses)
        self._add_teachers(losses)
        self.short = self._short_values()
        self._check_names()
        teachers = self._build_all("teacher")
        self._check_labels()
        self._check_teachers(losses, teachers)
        single: dict[str, Any] = {k: self._single(k) for k in KINDS if k not in LISTS}
        model, training = self._model(), self._settings(Training)
        self._check_shorthand()
        if self.problems:
            raise ConfigError(several(dict.fromkeys(self.problems)))
        return RunConfig(
            seed=self._seed(), model=model, training=training, losses=losses, teachers=teachers,
            **single,
        )  # fmt: skip

    def _model(self) -> Any:
        if "name" in self.settings["model"]:
            return self._settings(Model)
        self.problems.append(self.without_model)
        return None

    def _settings(self, table: type[Any]) -> Any:
        declared = declaration(table)
        return self._attempt(lambda: declared.build(self.settings[declared.kind], {}))

    def _attempt(self, action: Callable[[], T]) -> Any:
        try:
            return action()
        except CfftError as error:
            self.problems.extend(str(error).split("\n"))
            return None

    def _seed(self) -> int:
        return next((layer.seed for layer in reversed(self.layers) if layer.seed is not None), 0)

    def _merged_settings(self, table: str) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for layer in self.layers:
            merged.update(layer.settings.get(table, {}))
        return merged

    def _merged_choices(self) -> dict[str, tuple[Choice, ...]]:
        merged: dict[str, tuple[Choice, ...]] = {}
        usual = next(
            (each.chosen["backbone"] for each in self.layers if "backbone" in each.chosen), ()
        )
        for layer in self.layers:
            if "name" in layer.settings.get("model", {}):
                merged["backbone"] = self._backbone_of(layer.settings["model"]["name"], usual)
            merged.update(layer.chosen)
        prefixed = self._backbone_of(self.settings["model"].get("name", ""), ())
        return {**merged, "backbone": prefixed or merged.get("backbone", ())}

    def _backbone_of(self, model: Any, usual: tuple[Choice, ...]) -> tuple[Choice, ...]:
        """Return the backbone that a model's name begins with, else the usual one."""
        prefix, colon, _ = str(model).partition(":")
        is_backbone = colon and prefix in self.registry.names("backbone")
        return (Choice(prefix, prefix),) if is_backbone else usual

    def _check_names(self) -> None:
        for kind, picks in self.chosen.items():
            for pick in picks:
                self._attempt(partial(self.registry.find, kind, pick.use))
        for layer in self.layers:
            for kind, label in layer.values:
                if kind not in self.idle or layer.source == COMMAND_LINE:
                    self._check_label(layer, kind, label)

    def _check_label(self, layer: Layer, kind: str, label: str) -> None:
        """Refuse values for strategies that do not exist, or that a command line leaves idle."""
        known = {pick.label for each in self.layers for pick in each.chosen.get(kind, ())}
        names = {*known, *self.registry.names(kind)}
        if label not in names:
            message = unknown(kind, label, names, "installed")
            self.problems.append(f"{layer.source}: {message}")
        elif layer.source == COMMAND_LINE and label not in self._labels(kind):
            chosen = ", ".join(self._labels(kind)) or "none"
            self.problems.append(
                f"--{kind}.{label}: {kind} '{label}' is not chosen (chosen: {chosen}): "
                f"add --{kind} {label} or leave its parameters out"
            )

    def _labels(self, kind: str) -> list[str]:
        return [pick.label for pick in self.chosen.get(kind, ())]

    def _shorthands(self) -> list[Shorthand]:
        return [Shorthand(self.registry, self.chosen, layer) for layer in self.layers]

    def _short_values(self) -> dict[tuple[str, str], dict[str, Any]]:
        merged: dict[tuple[str, str], dict[str, Any]] = {}
        for shorthand in self._shorthands():
            for owner, values in shorthand.values().items():
                merged.setdefault(owner, {}).update(values)
        return merged

    def _check_shorthand(self) -> None:
        for shorthand in self._shorthands():
            self.problems.extend(shorthand.problems())

    def _values(self, kind: str, pick: Choice) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for layer in self.layers:
            merged.update(layer.loose.get(kind, {}))
            merged.update(layer.values.get((kind, pick.label), {}))
        merged.update(self.short.get((kind, pick.label), {}))
        return merged

    def _build_all(self, kind: str) -> tuple[Chosen, ...]:
        built = [self._build(kind, pick) for pick in self.chosen.get(kind, ())]
        return tuple(chosen for chosen in built if chosen is not None)

    def _single(self, kind: str) -> Chosen | None:
        picks = self.chosen.get(kind, ())
        if picks:
            return self._build(kind, picks[0])
        if kind not in self.idle:
            self.problems.append(self._nothing_chosen(kind))
        return None

    def _nothing_chosen(self, kind: str) -> str:
        names = ", ".join(self.registry.names(kind)) or "none"
        return f"no {kind} is chosen: give --{kind} NAME; installed: {names}"

    def _build(self, kind: str, pick: Choice) -> Chosen | None:
        if pick.use not in self.registry.names(kind):
            return None
        values = self._values(kind, pick)
        strategy = self._attempt(lambda: self.registry.build(kind, pick.use, values, self.context))
        if strategy is None:
            return None
        plugin = self.registry.find(kind, pick.use).plugin
        return Chosen(kind, pick.label, pick.use, strategy, plugin.distribution, plugin.version)

    def _add_teachers(self, losses: Sequence[Chosen]) -> None:
        """Choose the teachers that losses follow and that nobody listed."""
        listed = self.chosen.get("teacher", ())
        wanted = dict.fromkeys(_followed(loss) for loss in losses)
        labels = [pick.label for pick in listed]
        extra = [
            Choice(name, name)
            for name in wanted
            if name not in ("", *labels) and name in self.registry.names("teacher")
        ]
        self.chosen["teacher"] = (*listed, *extra)

    def _check_labels(self) -> None:
        for kind in LISTS:
            for label in self._labels(kind):
                if not re.fullmatch(NAME, label) or (kind == "loss" and label in RESERVED_LABELS):
                    self.problems.append(
                        f"no {kind} can be labelled '{label}': labels are letters, digits, - and "
                        f"_, other than {', '.join(sorted(RESERVED_LABELS))}"
                    )

    def _check_teachers(self, losses: Sequence[Chosen], teachers: Sequence[Chosen]) -> None:
        labels = [pick.label for pick in self.chosen["teacher"]]
        for loss in losses:
            name = _followed(loss)
            if name and name not in labels:
                names = {*labels, *self.registry.names("teacher")}
                self.problems.append(
                    f"loss.{loss.label}.teacher: {unknown('teacher', name, names)}"
                )
        idle = [label for label in labels if not any(_follows(loss, label) for loss in losses)]
        if idle and self._all_built(losses):
            paths = ", ".join(f"--loss.{loss.label}.teacher {idle[0]}" for loss in losses)
            self.problems.append(
                f"teacher '{idle[0]}' is followed by no loss: give {paths or 'a --loss'}, "
                "or leave the teacher out"
            )

    def _leave_out_counterfactuals(self, losses: Sequence[Chosen]) -> None:
        """Forget mask, fill and map where no loss looks at what they make."""
        needed = any(needs_of(c.label, c.strategy) & _COUNTERFACTUAL for c in losses)
        if needed or not self._all_built(losses):
            return
        for kind in self._asked(_COUNTERFACTUAL_KINDS):
            names = ", ".join(loss.name for loss in losses) or "none"
            self.problems.append(
                f"--{kind} was given, but no loss looks at counterfactual images "
                f"(losses: {names}): add such a --loss or leave --{kind} out"
            )
        self.idle = _COUNTERFACTUAL_KINDS
        for kind in self.idle:
            self.chosen.pop(kind, None)

    def _all_built(self, losses: Sequence[Chosen]) -> bool:
        return len(losses) == len(self.chosen.get("loss", ()))

    def _asked(self, kinds: Sequence[str]) -> list[str]:
        own = [layer for layer in self.layers if layer.source == COMMAND_LINE]
        return [kind for kind in kinds if any(kind in layer.chosen for layer in own)]


def _followed(loss: Chosen) -> str:
    return AuxLoss.of(loss.strategy).teacher or ""


def _follows(loss: Chosen, teacher: str) -> bool:
    """Tell whether a loss looks at a teacher; one that names none looks at each."""
    looks = any(n.startswith("teacher.") for n in needs_of(loss.label, loss.strategy))
    return looks and _followed(loss) in ("", teacher)
