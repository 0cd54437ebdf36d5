"""Everything that may differ when a run is resumed: refused by name, or taken where a user says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import attrs
import pytest

from cfft.config.settings import Model, Training
from cfft.errors import ConfigError
from cfft.plugin.params import declaration
from cfft.training.inputs import RunInputs, allowed_changes, check_allowed

Config = dict[str, Any]

CONFIG: Config = {
    "seed": 3,
    "cfft": {"version": "1.0"},
    "model": {
        "name": "ViT-B-32",
        "pretrained": "/weights/a.pt",
        "head": "auto",
        "prompts": "openai",
    },
    "training": {
        **{param.name: param.default for param in declaration(Training).params},
        "epochs": 10,
        "micro_batch": 32,
        "warmup_steps": 5,
        "patience": 3,
        "limit_train": 99,
    },
    "backbone": {"use": "open_clip", "quick_gelu": True},
    "suite": {"use": "domains", "data": "/data/a", "id": "photo", "split": [70.0, 10.0, 20.0]},
    "mask": {"use": "object", "threshold": 0.3, "draw": "paper"},
    "fill": {"use": "single", "donor": "other"},
    "cam": {"use": "relevance"},
    "task": {"use": "cross-entropy", "label_smoothing": 0.0},
    "loss": [
        {"use": "feature-mse", "weight": 30.0, "scale": "none", "view": "counterfactual"},
        {"use": "logit-kl", "weight": 1, "temperature": 10, "teacher": "wise"},
    ],
    "teacher": [{"use": "wise", "alpha": 0.5}, {"use": "checkpoint", "path": "/teacher"}],
    "view": [{"label": "context", "mask": {"use": "context"}, "fill": {"use": "multi"}}],
    "adaptation": {"use": "lora", "rank": 4},
    "average": {"use": "ema", "decay": 0.99},
    "merge": {"use": "wise", "alpha": 0.5},
    "stage": [{"name": "probe", "seed": 0, "merged": False, "config": {"training": {"lr": 1e-3}}}],
    "plugins": {"cfft": "1.0"},
}


def put(path: str, value: Any) -> Callable[[Config], None]:
    """Change one value; a number in the path is a place in a list."""

    def change(config: Config) -> None:
        *tables, last = path.split(".")
        place: Any = config
        for name in tables:
            place = place[int(name)] if name.isdecimal() else place[name]
        place[last] = value

    return change


def leave_out(config: Config) -> None:
    config["loss"].pop()


def turn_around(config: Config) -> None:
    config["loss"].reverse()


def add(kind: str, **table: Any) -> Callable[[Config], None]:
    return lambda config: config[kind].append(table)


FROM_NOW_ON: Mapping[str, Callable[[Config], None]] = {
    "training.lr": put("training.lr", 1e-6),
    "training.weight_decay": put("training.weight_decay", 0.01),
    "training.beta1": put("training.beta1", 0.8),
    "training.beta2": put("training.beta2", 0.98),
    "training.schedule": put("training.schedule", "constant"),
    "training.warmup_steps": put("training.warmup_steps", 50),
    "training.warmup_share": put("training.warmup_share", 0.5),
    "training.clip_norm": put("training.clip_norm", None),
    "training.clip_at": put("training.clip_at", "micro-batch"),
    "training.precision": put("training.precision", "fp32"),
    "training.micro_batch": put("training.micro_batch", 8),
    "training.patience": put("training.patience", None),
    "training.ties": put("training.ties", "earlier"),
    "training.workers": put("training.workers", 0),
    "training.checkpoint_every": put("training.checkpoint_every", "5m"),
    "training.log_every": put("training.log_every", 1),
    "training.checkpoint_activations": put("training.checkpoint_activations", True),
    "training.keep_gib": put("training.keep_gib", 0.5),
    "training.keep_best": put("training.keep_best", 3),
    "training.keep_decoded": put("training.keep_decoded", "none"),
    "loss.feature-mse.weight": put("loss.0.weight", 3.0),
    "loss.logit-kl.temperature": put("loss.1.temperature", 5),
    "task.label_smoothing": put("task.label_smoothing", 0.1),
    "merge.use": put("merge.use", "greedy-soup"),
    "merge.alpha": put("merge.alpha", 0.7),
    "model.pretrained": put("model.pretrained", "/moved/a.pt"),
    "suite.data": put("suite.data", "/moved/a"),
    "teacher.checkpoint.path": put("teacher.1.path", "/moved/teacher"),
}
NEVER: Mapping[str, Callable[[Config], None]] = {
    "seed": put("seed", 4),
    "split_seed": put("split_seed", 4),
    "training.epochs": put("training.epochs", 9),
    "training.batch_size": put("training.batch_size", 32),
    "training.limit_train": put("training.limit_train", None),
    "training.skip_unreadable": put("training.skip_unreadable", True),
    "training.limit_eval": put("training.limit_eval", 50),
    "training.augment": put("training.augment", "flip"),
    "training.sampling": put("training.sampling", "balanced"),
    "training.freeze": put("training.freeze", ["visual.conv1*"]),
    "training.layer_decay": put("training.layer_decay", 0.7),
    "training.decay_on": put("training.decay_on", "weights"),
    "training.val_metric": put("training.val_metric", "loss"),
    "training.no_before": put("training.no_before", True),
    "model.name": put("model.name", "ViT-L-14"),
    "model.pretrained": put("model.pretrained", "openai"),
    "model.head": put("model.head", "own"),
    "model.prompts": put("model.prompts", "class-name"),
    "backbone.use": put("backbone.use", "timm"),
    "backbone.quick_gelu": put("backbone.quick_gelu", False),
    "suite.use": put("suite.use", "folder"),
    "suite.id": put("suite.id", "sketch"),
    "suite.split": put("suite.split", [80.0, 10.0, 10.0]),
    "mask.use": put("mask.use", "context"),
    "mask.threshold": put("mask.threshold", 0.6),
    "mask.draw": put("mask.draw", "reference"),
    "fill.use": put("fill.use", "multi"),
    "fill.donor": put("fill.donor", "permutation"),
    "cam.use": put("cam.use", "gradcam"),
    "view.context.mask.use": put("view.0.mask.use", "random"),
    "view": add("view", label="more", mask={"use": "random"}, fill={"use": "none"}),
    "task.use": put("task.use", "contrastive"),
    "loss.feature-mse.scale": put("loss.0.scale", "relative"),
    "loss.feature-mse.view": put("loss.0.view", "original"),
    "loss.logit-kl.teacher": put("loss.1.teacher", "checkpoint"),
    "loss.more.weight": add("loss", use="l2-sp", label="more", weight=1),
    "loss.logit-kl.use": leave_out,
    "loss": turn_around,
    "teacher.wise.alpha": put("teacher.0.alpha", 0.7),
    "teacher": add("teacher", use="clip"),
    "adaptation.use": put("adaptation.use", "all"),
    "adaptation.rank": put("adaptation.rank", 8),
    "average.use": put("average.use", "swa"),
    "average.decay": put("average.decay", 0.9),
    "stage.probe.config.training.lr": put("stage.0.config.training.lr", 1e-4),
    "stage": add("stage", name="more", seed=1, merged=True, config={}),
    "training.edited": put("training.edited", "by hand"),
    "something": put("something", 1),
}


def inputs(**changed: Any) -> RunInputs:
    """Describe a run with images, weights and prompts of its own."""
    own = RunInputs(
        pictures="list",
        contents={"train": "1", "sketch": "2"},
        weights={"": "3", "checkpoint": "4"},
        prompts=("a {}",),
        config=CONFIG,
    )
    return attrs.evolve(own, **changed)


def configured(change: Callable[[Config], None]) -> RunInputs:
    config = deepcopy(CONFIG)
    change(config)
    return inputs(config=config)


@pytest.mark.parametrize("path", FROM_NOW_ON)
def test_what_the_next_steps_take_anew_is_asked_for_and_taken(path: str) -> None:
    now = configured(FROM_NOW_ON[path])

    asked = rf"(?s)not what the run was started with:\n  {path}: .*--allow-changed settings"
    with pytest.raises(ConfigError, match=asked):
        allowed_changes(inputs(), now, (), "RUN")
    with pytest.raises(ConfigError, match=path):
        allowed_changes(inputs(), now, ("images", "weights", "prompts"), "RUN")
    (line,) = allowed_changes(inputs(), now, ("settings",), "RUN")

    assert line.startswith(f"{path}: ")


@pytest.mark.parametrize("path", NEVER)
def test_what_was_settled_as_the_run_began_is_refused_with_the_reason(path: str) -> None:
    now = configured(NEVER[path])

    with pytest.raises(ConfigError, match=path) as plain:
        allowed_changes(inputs(), now, (), "RUN")
    with pytest.raises(ConfigError, match=rf"{path}: .* -> .* \(.*\)"):
        allowed_changes(inputs(), now, ("settings",), "RUN")

    assert "--allow-changed" not in str(plain.value)


@pytest.mark.parametrize("allowed", [(), ("settings",)])
def test_more_epochs_need_no_word(allowed: tuple[str, ...]) -> None:
    now = configured(put("training.epochs", 11))

    assert allowed_changes(inputs(), now, allowed, "RUN") == ["training.epochs: 10 -> 11"]


def test_one_setting_that_may_not_change_refuses_all_and_names_it_alone() -> None:
    def change(config: Config) -> None:
        put("training.lr", 1e-6)(config)
        put("training.epochs", 20)(config)
        put("seed", 4)(config)

    with pytest.raises(ConfigError) as caught:
        allowed_changes(inputs(), configured(change), ("settings",), "RUN")

    assert [line for line in caught.value.problems if line.startswith("  ")] == [
        "  seed: 3 -> 4 (images, masks and their order are drawn from it, also those of the steps "
        "that are done)"
    ]


def test_the_schedule_one_cycle_cannot_be_changed() -> None:
    config = deepcopy(CONFIG)
    put("training.schedule", "one-cycle")(config)
    before = inputs(config=config)
    for path, value in (("lr", 1e-6), ("beta1", 0.5), ("schedule", "cosine")):
        now = deepcopy(config)
        put(f"training.{path}", value)(now)

        with pytest.raises(ConfigError, match=r"one-cycle is laid down as a run begins"):
            allowed_changes(before, inputs(config=now), ("settings",), "RUN")


@pytest.mark.parametrize(
    ("changed", "said", "kind"),
    [
        ({"pictures": "other"}, "the set of images has changed", None),
        ({"contents": {"train": "9", "sketch": "2"}}, "images: other content .* train", "images"),
        ({"contents": {"train": "1", "sketch": "9"}}, "images: other content .* sketch", "images"),
        ({"weights": {"": "9", "checkpoint": "4"}}, "weights: .* the pre-trained model", "weights"),
        ({"weights": {"": "3", "checkpoint": "9"}}, "weights: .* 'checkpoint'", "weights"),
        ({"prompts": ("the {}",)}, r"prompts: 'a \{\}' -> 'the \{\}'", "prompts"),
        ({"prompts": ()}, r"prompts: 'a \{\}' -> none", "prompts"),
    ],
)
def test_other_files_are_refused_by_name(changed: Any, said: str, kind: str | None) -> None:
    others = {"images", "weights", "prompts", "settings"} - {kind}

    for allowed in ((), tuple(others)):
        with pytest.raises(ConfigError, match=said):
            allowed_changes(inputs(), inputs(**changed), allowed, "RUN")


def test_a_moved_file_with_other_content_is_still_another_file() -> None:
    moved = configured(put("model.pretrained", "/moved/b.pt"))
    now = attrs.evolve(moved, weights={"": "9", "checkpoint": "4"})

    with pytest.raises(ConfigError, match="weights: others in the file of the pre-trained model"):
        allowed_changes(inputs(), now, ("settings",), "RUN")


@pytest.mark.parametrize(("table", "settings"), [("model", Model), ("training", Training)])
def test_every_setting_has_a_test(table: str, settings: type) -> None:
    known = {*FROM_NOW_ON, *NEVER}

    assert {f"{table}.{param.name}" for param in declaration(settings).params} <= known


def test_only_what_can_be_allowed_is() -> None:
    with pytest.raises(ConfigError, match="allowed: images, prompts, settings, weights"):
        check_allowed(["seed"], resume=True)
