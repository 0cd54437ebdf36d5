"""Configurations: precedence, short options, what is reported, and the way to TOML and back."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import Distribution
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from cfft.config.choices import Choices, choose
from cfft.config.layers import (
    COMMAND_LINE,
    Choice,
    Layer,
    parse_layer,
    read_defaults,
    read_recipe,
)
from cfft.config.resolve import build, resolve
from cfft.config.run_config import RunConfig
from cfft.errors import ConfigError, Problems
from cfft.plugin.registry import Registry

CHOSEN = {
    "backbone": "open_clip",
    "suite": "domains",
    "mask": "object",
    "task": "cross-entropy",
    "adaptation": "all",
    "teacher": "wise",
}
BASE = """
    [model]
    name = "ViT-B-32"

    [suite]
    use = "domains"
    data = "/images"
    id = "photo"
"""


def toml(text: str, source: str = "config file") -> Layer:
    return parse_layer(dedent(text), source)


def command_line(*assignments: str, **short: Any) -> Layer:
    layer = Layer(COMMAND_LINE, short=short)
    for assignment in assignments:
        layer.set(assignment)
    return layer


def choosing(**names: list[str]) -> Layer:
    layer = Layer(COMMAND_LINE)
    for kind, listed in names.items():
        layer.choose(kind, listed)
    return layer


def labelled(label: str) -> Layer:
    return toml(f'''
        [[loss]]
        use = "feature-mse"
        label = "{label}"
    ''')


def made(registry: Registry, *layers: Layer) -> RunConfig:
    return resolve(registry, [read_defaults(), toml(BASE), *layers])


def problems(registry: Registry, *layers: Layer) -> str:
    with pytest.raises(ConfigError) as caught:
        made(registry, *layers)
    return str(caught.value)


def chosen_mask(registry: Registry, *layers: Layer) -> Any:
    mask = made(registry, *layers).mask
    assert mask is not None
    return mask.strategy


def test_defaults_choose_the_papers_method(toys: Registry) -> None:
    config = made(toys)

    chosen = [(c.kind, c.name) for c in config.strategies()]
    assert chosen == [
        ("backbone", "open_clip"),
        ("suite", "domains"),
        ("mask", "object"),
        ("fill", "single"),
        ("cam", "relevance"),
        ("task", "cross-entropy"),
        ("adaptation", "all"),
        ("loss", "feature-mse"),
        ("teacher", "clip"),
    ]
    assert config.losses[0].strategy.weight == 30.0


def test_each_layer_overrides_the_ones_below(toys: Registry) -> None:
    recipe = toml("[training]\nepochs = 1\nlr = 1.0\nbeta1 = 0.1\n[mask.object]\nthreshold = 0.1")
    file = toml("seed = 7\n[training]\nlr = 2.0\nbeta1 = 0.2\n[mask.object]\nthreshold = 0.2")
    own = command_line("training.beta1=0.3", "mask.object.threshold=0.9")

    config = made(toys, recipe, file, own)

    assert (config.training.epochs, config.training.lr, config.training.beta1) == (1, 2.0, 0.3)
    assert config.mask is not None
    assert config.mask.strategy.threshold == 0.9
    assert config.seed == 7


def test_a_file_and_a_command_line_that_say_the_same_make_the_same(toys: Registry) -> None:
    file = toml(
        """
        seed = 3
        [model]
        pretrained = "openai"
        [training]
        epochs = 2
        clip_norm = "none"
        [mask]
        use = "random"
        rate = 0.25
        [fill]
        use = "multi"
        [[loss]]
        use = "feature-mse"
        weight = 5.0
        [[loss]]
        use = "logit-kl"
        """
    )
    own = command_line(
        "model.pretrained=openai",
        "training.epochs=2",
        "training.clip_norm=none",
        "loss.feature-mse.weight=5",
        rate="0.25",
    )
    own.seed = 3
    own.choose("mask", ["random"])
    own.choose("fill", ["multi"])
    own.choose("loss", ["feature-mse", "logit-kl"])

    assert made(toys, own) == made(toys, file)


def test_a_default_given_by_the_fill_holds_until_the_user_says_otherwise(toys: Registry) -> None:
    multi = choosing(fill=["multi"])

    assert chosen_mask(toys, multi).threshold == 0.6
    assert chosen_mask(toys, toml("[mask]\nthreshold = 0.3"), multi).threshold == 0.3


@pytest.mark.parametrize(
    "layer",
    [
        Layer(COMMAND_LINE),
        choosing(loss=["none"]),
        choosing(loss=["logit-kl"]),
        choosing(mask=["random"], fill=["multi"], loss=["logit-kl", "feature-mse"]),
        command_line("training.clip_norm=none", "model.pretrained=openai", "model.prompts=none"),
        toml('[[loss]]\nuse = "logit-kl"\n[[loss]]\nuse = "logit-kl"\nlabel = "second"\nweight=2'),
        toml(
            '[[loss]]\nuse = "feature-mse"\nteacher = "half"\n'
            '[[teacher]]\nuse = "wise"\nlabel = "half"\nweights = "/w"'
        ),
    ],
)
def test_a_written_configuration_reads_back_as_itself(toys: Registry, layer: Layer) -> None:
    config = made(toys, layer)

    again = resolve(toys, [read_defaults(), parse_layer(config.to_toml(), "RUN/config.toml")])

    assert again == config


def test_a_written_configuration_overrides_every_recipe(toys: Registry) -> None:
    config = made(toys, command_line("training.warmup_steps=none"))
    layers = [read_defaults(), read_recipe("paper"), parse_layer(config.to_toml(), "config.toml")]

    assert resolve(toys, layers) == config


def test_a_written_configuration_names_distributions_and_versions(toys: Registry) -> None:
    tables = made(toys).to_dict()

    assert tables["plugins"] == {"toys": "1.0"}
    assert tables["mask"] == {"use": "object", "threshold": 0.3}


def test_paths_are_written_so_that_they_mean_the_same_from_every_folder(
    toys: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.pt").touch()
    (tmp_path / "auto").touch()

    own = command_line("model.pretrained=weights.pt", "suite.domains.data=images")
    tables = made(toys, own).to_dict()

    assert tables["model"]["pretrained"] == str(tmp_path / "weights.pt")
    assert tables["model"]["head"] == "auto"
    assert tables["suite"]["data"] == str(tmp_path / "images")


@pytest.mark.parametrize(
    ("written", "stored"),
    [("w.pt:ema", "{}/w.pt:ema"), ("a:b.pt", "{}/a:b.pt"), ("gone.pt:me", "gone.pt:me")],
)
def test_a_nest_stays_beside_the_file_that_is_written_in_full(
    written: str, stored: str, toys: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.pt").touch()
    (tmp_path / "a:b.pt").touch()
    (tmp_path / "ema").touch()  # no weights are meant by that

    tables = made(toys, command_line(f"model.pretrained={written}")).to_dict()

    assert tables["model"]["pretrained"] == stored.format(tmp_path)


def test_a_short_option_goes_to_the_chosen_strategy_that_has_it(toys: Registry) -> None:
    config = made(toys, command_line(threshold="0.7", start_layer="2"))

    assert config.mask is not None
    assert config.cam is not None
    assert config.mask.strategy.threshold == 0.7
    assert config.cam.strategy.start_layer == 2


def test_a_short_option_that_nothing_chosen_has_names_who_has_it(toys: Registry) -> None:
    message = problems(toys, command_line(rate="0.5"))

    assert message.startswith("no chosen strategy has --rate (")
    assert "mask object" in message
    assert message.endswith("it exists as --mask.random.rate")


def test_a_short_option_that_several_have_lists_the_full_spellings(toys: Registry) -> None:
    own = choosing(loss=["feature-mse", "logit-kl"])
    own.short = {"weight": "2"}

    assert problems(toys, own) == (
        "--weight is ambiguous: write --loss.feature-mse.weight or --loss.logit-kl.weight"
    )


def test_a_labelled_strategy_is_spelled_with_set(toys: Registry) -> None:
    file = toml('[[loss]]\nuse = "logit-kl"\nlabel = "a"\n[[loss]]\nuse = "feature-mse"')

    message = problems(toys, file, command_line(weight="2"))

    assert "--set loss.a.weight=VALUE or --loss.feature-mse.weight" in message


def test_a_parameter_given_in_both_spellings_is_refused(toys: Registry) -> None:
    message = problems(toys, command_line("mask.object.threshold=0.1", threshold="0.2"))

    assert message == ("--threshold and --mask.object.threshold are the same: give one of them")


def test_an_unrelated_plugin_changes_no_short_option(
    toys: Registry, install: Callable[..., Distribution]
) -> None:
    rival = """
        import cfft
        @cfft.mask("rival")
        class Rival:
            '''Have a threshold too.'''
            threshold: float = cfft.param(0.5, help="threshold")
            def select(self, batch, view): ...
        @cfft.hookimpl
        def cfft_masks():
            return [Rival]
    """
    installed = (install("rival", rival), Distribution.from_name("toys"))
    registry = Registry.installed([p for found in installed for p in found.entry_points])

    assert chosen_mask(registry, command_line(threshold="0.7")).threshold == 0.7


def test_every_problem_is_reported_at_once(toys: Registry) -> None:
    own = command_line("mask.object.threshold=2", "training.epochs=x", "model.head=odd")
    own.choose("fill", ["sinlge"])
    own.short = {"donor": "none"}

    lines = problems(toys, own).split("\n")

    assert len(lines) == 4
    assert any("unknown fill 'sinlge'; did you mean 'single'?" in line for line in lines)
    assert any(line.startswith("mask.object.threshold: got '2'") for line in lines)
    assert any(line.startswith("--epochs (training.epochs): got 'x'") for line in lines)
    assert any(line.startswith("--head (model.head): got 'odd'") for line in lines)


def test_a_short_option_is_no_second_problem_where_its_strategy_is_misspelt(toys: Registry) -> None:
    own = choosing(mask=["objct"])
    own.short = {"threshold": "0.5"}

    assert problems(toys, own).startswith("unknown mask 'objct'")
    assert "--threshold" not in problems(toys, own)


def test_a_run_without_suite_and_model_asks_for_both(toys: Registry) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(toys, [read_defaults()])

    lines = str(caught.value).split("\n")
    assert sorted(line.split(":")[0] for line in lines) == [
        "no model is chosen",
        "no suite is chosen",
    ]


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (command_line("mask.objct.threshold=1"), "command line: unknown mask 'objct'; did you"),
        (command_line("mask.random.rate=1"), "mask 'random' is not chosen (chosen: object)"),
        (command_line("mask.object.thresh=1"), "unknown parameter 'thresh'; did you mean"),
        (command_line("training.epoch=1"), "training: unknown parameter 'epoch'; did you mean"),
        (toml("[mask.objct]\nthreshold = 1"), "config file: unknown mask 'objct'"),
        (toml('[[loss]]\nuse = "feature-mse"\nteacher = "clp"'), "did you mean 'clip'?"),
        (choosing(teacher=["clip", "wise"]), "teacher 'wise' is not followed by any loss"),
        (choosing(loss=["none"], teacher=["clip"]), "teacher 'clip' is not followed by any loss"),
        (choosing(loss=["none"], mask=["object"]), "--mask was given, but no loss looks at"),
        (choosing(loss=["logit-kl"], fill=["multi"]), "(losses: logit-kl)"),
        (labelled("loss"), "no loss can be labelled 'loss'"),
        (labelled("v1.0"), "no loss can be labelled 'v1.0'"),
        (
            command_line("loss.feature-mse.teacher=wise"),
            "is missing: give --teacher.wise.weights PATH",
        ),
    ],
)
def test_what_cannot_be_meant_is_an_error(toys: Registry, layer: Layer, words: str) -> None:
    assert words in problems(toys, layer)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[training]\nlr = -1.0", "training.lr: got -1.0"),
        ("[training]\nepoch = 1", "training: unknown parameter 'epoch'"),
        ("[mask.object]\nthreshold = 2", "mask.object.threshold: got 2"),
        ("[mask]\nthresh = 2", "mask.object: unknown parameter 'thresh'"),
        ("[mask]\nuse = 'objct'", "unknown mask 'objct'"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_name(
    toys: Registry, text: str, said: str
) -> None:
    file = toml(text, "config file my.toml")

    assert problems(toys, file, toml("seed = 1")).startswith(f"config file my.toml: {said}")


def test_of_two_layers_the_one_that_says_the_bad_value_is_named(toys: Registry) -> None:
    low = toml("[training]\nlr = 1.0\nbeta1 = 2", "recipe 'a'")
    high = toml("[training]\nlr = -1.0\nbeta1 = 2", "config file b")

    lines = problems(toys, low, high, command_line("training.beta1=3")).split("\n")

    assert [line.partition(": got")[0] for line in lines] == [
        "config file b: training.lr",
        "--beta1 (training.beta1)",
    ]


def test_choosing_tells_what_is_used_and_what_no_loss_needs(toys: Registry) -> None:
    layers = [read_defaults(), toml(BASE), command_line("loss.logit-kl.teacher=wise")]
    layers[-1].choose("loss", ["logit-kl"])

    wrong = Problems()
    choices = choose(toys, layers, wrong)

    assert (choices.idle, wrong) == (("mask", "fill", "cam"), [])
    assert {kind: choices.labels(kind) for kind in choices.picks} == {
        "backbone": ["open_clip"],
        "suite": ["domains"],
        "task": ["cross-entropy"],
        "adaptation": ["all"],
        "loss": ["logit-kl"],
        "teacher": ["wise"],
    }


def test_building_tells_every_bad_value_of_what_was_chosen(toys: Registry) -> None:
    layers = [read_defaults(), toml(BASE), command_line("mask.object.threshold=2", alpha="x")]
    choices = Choices(
        {kind: (Choice(name, name),) for kind, name in CHOSEN.items()}, idle=("fill", "cam")
    )

    with pytest.raises(ConfigError) as caught:
        build(toys, layers, choices, Problems())

    assert [problem.partition(": ")[0] for problem in caught.value.problems] == [
        "mask.object.threshold",
        "teacher.wise.alpha",
        "teacher.wise.weights is missing",
        "teacher 'wise' is not followed by any loss",
    ]


def test_a_teacher_that_a_loss_follows_need_not_be_listed(toys: Registry) -> None:
    own = command_line("loss.feature-mse.teacher=wise", "teacher.wise.weights=w", alpha="0.25")

    config = made(toys, own)

    assert [(t.name, t.strategy.alpha) for t in config.teachers] == [("wise", 0.25)]


def test_several_losses_may_follow_different_teachers(toys: Registry) -> None:
    own = command_line("loss.logit-kl.teacher=wise", "teacher.wise.weights=w")
    own.choose("loss", ["feature-mse", "logit-kl"])

    config = made(toys, own)

    assert [teacher.label for teacher in config.teachers] == ["clip", "wise"]


def test_no_auxiliary_loss_means_no_mask_fill_map_and_teacher(toys: Registry) -> None:
    config = made(toys, read_recipe("vanilla"))

    assert (config.mask, config.fill, config.cam) == (None, None, None)
    assert (config.losses, config.teachers) == ((), ())


def test_a_run_without_counterfactuals_needs_no_mask_to_be_installed(
    toys: Registry, install: Callable[..., Distribution]
) -> None:
    hooks = [
        *("cfft_cams", "cfft_teachers", "cfft_losses", "cfft_tasks", "cfft_adaptations"),
        *("cfft_backbones", "cfft_suites"),
    ]
    others = install("others", f"from toys import {', '.join(hooks)}")
    registry = Registry.installed(others.entry_points)

    assert made(registry, read_recipe("vanilla")).mask is None


def test_the_prefix_of_a_model_chooses_its_backbone(toys: Registry) -> None:
    config = made(toys, command_line("model.name=timm:vit_tiny_patch16_224"))

    assert (config.backbone.name, config.architecture) == ("timm", "vit_tiny_patch16_224")
    assert config.losses[0].strategy.weight == 6.0


def test_another_model_forgets_the_backbone_of_the_one_below(toys: Registry) -> None:
    written = toml(made(toys, command_line("model.name=timm:vit_tiny_patch16_224")).to_toml())

    config = made(toys, written, command_line("model.name=ViT-B-16"))

    assert (config.backbone.name, config.architecture) == ("open_clip", "ViT-B-16")


def test_a_prefix_that_is_no_backbone_belongs_to_the_name(toys: Registry) -> None:
    config = made(toys, command_line("model.name=hf-hub:someone/model"))

    assert (config.backbone.name, config.architecture) == ("open_clip", "hf-hub:someone/model")


def test_a_loss_that_names_no_teacher_follows_each(
    toys: Registry, install: Callable[..., Distribution]
) -> None:
    source = """
        import cfft

        @cfft.loss("free")
        class FreeLoss:
            '''Look at whatever teacher there is.'''
            needs = frozenset({"teacher.original"})
            weight: float = cfft.param(1.0, help="factor")
            def measure(self, outputs): ...

        @cfft.hookimpl
        def cfft_losses():
            return [FreeLoss]
    """
    installed = (install("free", source), Distribution.from_name("toys"))
    both = Registry.installed([p for found in installed for p in found.entry_points])
    assert [t.name for t in made(both, choosing(loss=["free"], teacher=["clip"])).teachers] == [
        "clip"
    ]


def test_a_model_that_is_a_file_is_written_so_that_it_is_found_from_every_folder(
    toys: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.json").write_text("{}")
    layer = Layer("test", settings={"model": {"name": "open_clip:tiny.json"}})
    written = made(toys, layer).to_dict()["model"]["name"]
    assert written == f"open_clip:{tmp_path / 'tiny.json'}"


def test_files_of_the_model_may_lie_in_the_home_directory(
    toys: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    layer = toml('[model]\nname = "ViT-B-32"\npretrained = "~/a.safetensors"\n')

    config = resolve(toys, [read_defaults(), toml(BASE), layer])

    assert config.model.pretrained == "/home/me/a.safetensors"
