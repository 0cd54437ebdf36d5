"""Further views in a configuration: tables [[view]], what is refused, and the way back to TOML."""

from __future__ import annotations

from textwrap import dedent

import pytest

from cfft.config.layers import COMMAND_LINE, Layer, parse_layer, read_defaults
from cfft.config.resolve import in_current_terms, resolve
from cfft.config.run_config import RunConfig
from cfft.errors import ConfigError
from cfft.plugin.registry import Registry

BASE = """
    [model]
    name = "ViT-B-32"
    pretrained = "openai"
    [suite]
    use = "domains"
    data = "images"
    id = "photo"
"""
TWO_VIEWS = """
    [[view]]
    label = "scattered"
    mask = { use = "random", rate = 0.25 }
    fill = "multi"

    [[loss]]
    use = "feature-mse"

    [[loss]]
    use = "feature-mse"
    label = "on-scattered"
    view = "scattered"
"""


def toml(text: str) -> Layer:
    return parse_layer(dedent(text), "config file")


def made(toys: Registry, *layers: Layer) -> RunConfig:
    return resolve(toys, [read_defaults(), toml(BASE), *layers])


def command_line(*assignments: str) -> Layer:
    layer = Layer(COMMAND_LINE)
    for assignment in assignments:
        layer.set(assignment)
    return layer


def test_a_view_has_a_mask_a_fill_and_the_runs_own_map(toys: Registry) -> None:
    config = made(toys, toml(TWO_VIEWS), toml("[cam]\nstart_layer = 1"))

    (view,) = config.views
    assert (view.label, view.mask.name, view.fill.name) == ("scattered", "random", "multi")
    assert view.mask.strategy.rate == 0.25
    assert view.cam is not None
    assert view.cam.strategy.start_layer == 1
    assert [each.label for each in config.all_views()] == ["counterfactual", "scattered"]


def test_a_short_option_of_the_runs_map_holds_for_views_that_take_it(toys: Registry) -> None:
    config = made(toys, toml(TWO_VIEWS), Layer(COMMAND_LINE, short={"start_layer": "2"}))

    assert config.cam is not None
    assert config.views[0].cam is not None
    assert config.views[0].cam.strategy == config.cam.strategy


def test_defaults_of_a_view_depend_on_its_own_fill(toys: Registry) -> None:
    view = TWO_VIEWS.replace('{ use = "random", rate = 0.25 }', '"object"')

    config = made(toys, toml(view))

    assert config.mask is not None
    assert (config.mask.strategy.threshold, config.views[0].mask.strategy.threshold) == (0.3, 0.6)


def test_a_value_of_a_view_is_set_by_its_label(toys: Registry) -> None:
    config = made(toys, toml(TWO_VIEWS), command_line("view.scattered.mask.rate=0.75"))

    assert config.views[0].mask.strategy.rate == 0.75


def test_a_written_view_reads_back_as_itself(toys: Registry) -> None:
    config = made(toys, toml(TWO_VIEWS))

    again = made(toys, toml(config.to_toml()))

    assert again.to_dict() == config.to_dict()


def test_losses_of_a_command_line_leave_the_views_of_a_file_aside(toys: Registry) -> None:
    own = Layer(COMMAND_LINE)
    own.choose("loss", ["feature-mse"])

    assert made(toys, toml(TWO_VIEWS), own).views == ()


def test_a_run_without_the_main_view_needs_neither_its_mask_nor_its_fill(toys: Registry) -> None:
    only = TWO_VIEWS.replace('[[loss]]\n    use = "feature-mse"\n\n', "", 1)

    config = made(toys, toml(only))

    assert (config.mask, config.fill) == (None, None)
    assert [view.label for view in config.all_views()] == ["scattered"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[view]]\nlabel = "x"\nmask = "object"', "every [[view]] needs label = "),
        (
            '[[view]]\nlabel = "x"\nmask = "objct"\nfill = "multi"\n'
            '[[loss]]\nuse = "feature-mse"\nview = "x"',
            "view 'x': unknown mask 'objct'; did you mean 'object'?",
        ),
        (
            '[[view]]\nlabel = "original"\nmask = "object"\nfill = "multi"',
            "no view can be labelled 'original'",
        ),
        (
            '[[view]]\nlabel = "x"\nmask = "object"\nfill = "multi"',
            "view 'x' is not followed by any loss",
        ),
        (
            '[[loss]]\nuse = "feature-mse"\nview = "scatterd"',
            "unknown view 'scatterd'",
        ),
        (
            '[[view]]\nlabel = "x"\nmask = "object"\nfil = "multi"\nfill = "multi"',
            "view 'x': unknown key 'fil'; did you mean 'fill'?",
        ),
        ('view = "x"', "'view' must be written as [[view]]"),
    ],
)
def test_what_cannot_be_a_view_is_said(toys: Registry, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(toys, toml(text))

    assert words in str(caught.value)


def test_a_labelled_loss_starts_from_what_lower_layers_say_of_its_name(toys: Registry) -> None:
    below = toml('[[loss]]\nuse = "feature-mse"\nweight = 2')

    config = made(
        toys,
        below,
        toml(
            TWO_VIEWS.replace(
                'use = "feature-mse"\n\n', 'use = "feature-mse"\n    weight = 9\n\n', 1
            )
        ),
    )

    assert [loss.strategy.weight for loss in config.losses] == [9, 2]


def test_an_older_configuration_means_what_the_defaults_add(toys: Registry) -> None:
    config = made(toys).to_dict()
    older = {key: value for key, value in config.items() if key not in ("task", "adaptation")}
    older["training"] = {**config["training"], "train": "all"}

    assert in_current_terms(older, toys) == config
