"""Layers: what one TOML file or one command line says."""

from __future__ import annotations

from pathlib import Path

import pytest

from cfft.config.layers import (
    COMMAND_LINE,
    Choice,
    Layer,
    parse_layer,
    read_defaults,
    read_file,
    read_recipe,
    read_stored,
    recipe_names,
    recipe_summary,
)
from cfft.errors import ConfigError


def test_a_table_with_use_chooses_and_sets() -> None:
    layer = parse_layer('[mask]\nuse = "object"\nthreshold = 0.4', "file")

    assert layer.chosen == {"mask": (Choice("object", "object"),)}
    assert layer.values == {("mask", "object"): {"threshold": 0.4}}


def test_a_table_without_use_sets_whatever_is_chosen() -> None:
    layer = parse_layer("[mask]\nthreshold = 0.4", "file")

    assert layer.chosen == {}
    assert layer.loose == {"mask": {"threshold": 0.4}}


def test_an_inner_table_sets_one_strategy_without_choosing_it() -> None:
    layer = parse_layer('[mask.random]\ndraw = "reference"', "file")

    assert layer.chosen == {}
    assert layer.values == {("mask", "random"): {"draw": "reference"}}


def test_tables_in_a_list_get_labels() -> None:
    layer = parse_layer('[[loss]]\nuse = "kl"\n[[loss]]\nuse = "kl"\nlabel = "b"\nweight = 2', "f")

    assert layer.chosen["loss"] == (Choice("kl", "kl"), Choice("b", "kl"))
    assert layer.values["loss", "b"] == {"weight": 2}


def test_an_empty_list_chooses_nothing() -> None:
    assert parse_layer("loss = []", "file").chosen == {"loss": ()}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mask = [", r"file is not valid TOML: .*at end of document"),
        ("[mask]\nuse = 1\nuse = 2", "file is not valid TOML"),
        ("[maks]", "file: unknown key 'maks'; did you mean 'mask'?"),
        ('mask = "object"', r"'mask' must be written as \[mask\] and, .* use = \"object\""),
        ('loss = "none"', r"written as \[\[loss\]\] and, .* use = \"none\"; or loss = \[\]"),
        ("fill = 3", r"'fill' must be written as \[fill\] and, .* use = \"NAME\""),
        ("[mask]\nuse = 3", r"file: mask.use: got 3, allowed: a name in quotes"),
        ("[[loss]]\nweight = 3", r'every \[\[loss\]\] needs use = "NAME"'),
        ("loss = [1]", r'every \[\[loss\]\] needs use = "NAME"'),
        ('[[loss]]\nuse = "a"\nlabel = 3', "loss.label: got 3"),
        ('[[loss]]\nuse = "a"\n[[loss]]\nuse = "a"', "two .* are called 'a': give each its own"),
        ("seed = -1", "file: seed: got -1, allowed: a whole number from 0 to 4294967295"),
        ("seed = true", "file: seed: got True"),
        ("seed = 1.5", "file: seed: got 1.5"),
        ("training = 3", r"'training' must be written as \[training\] and, .* NAME = VALUE"),
    ],
)
def test_a_file_that_says_nothing_sensible_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_layer(text, "file")


def test_everything_that_is_wrong_with_a_file_is_reported_at_once() -> None:
    text = 'mask = "object"\nmaks = 1\nseed = -1\n[[loss]]\nweight = 3\n[[loss]]\nuse = 4'

    with pytest.raises(ConfigError) as caught:
        parse_layer(text, "file")

    form, name, seed, missing, wrong = str(caught.value).split("\n")
    assert (
        form == """file: 'mask' must be written as [mask] and, on the next line, use = "object\""""
    )
    assert name.startswith("file: unknown key 'maks'")
    assert seed.startswith("file: seed: got -1")
    assert missing == 'file: every [[loss]] needs use = "NAME"'
    assert wrong.startswith("file: loss.use: got 4")


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("mask.object.threshold=0.4", {("mask", "object"): {"threshold": "0.4"}}),
        ("suite.folder.data=a=b", {("suite", "folder"): {"data": "a=b"}}),
    ],
)
def test_set_takes_the_full_path_of_a_parameter(
    assignment: str, expected: dict[tuple[str, str], dict[str, str]]
) -> None:
    layer = Layer(COMMAND_LINE)

    layer.set(assignment)

    assert layer.values == expected


def test_set_takes_settings() -> None:
    layer = Layer(COMMAND_LINE)

    layer.set("training.beta1=0.8")

    assert layer.settings == {"training": {"beta1": "0.8"}}


@pytest.mark.parametrize(
    "assignment", ["threshold=1", "mask.object.threshold", "maks.object.t=1", "a.b=1", "", "="]
)
def test_set_says_what_to_write(assignment: str) -> None:
    with pytest.raises(ConfigError, match=r"write KIND.NAME.PARAM=VALUE with a kind out of mask"):
        Layer(COMMAND_LINE).set(assignment)


def test_none_alone_empties_a_list() -> None:
    layer = Layer(COMMAND_LINE)

    layer.choose("loss", ["none"])

    assert layer.chosen == {"loss": ()}


def test_the_mask_called_none_is_a_mask() -> None:
    layer = Layer(COMMAND_LINE)

    layer.choose("mask", ["none"])

    assert layer.chosen == {"mask": (Choice("none", "none"),)}


def test_choosing_one_name_twice_asks_for_labels() -> None:
    with pytest.raises(ConfigError, match=r"--loss kl is given twice.*label"):
        Layer(COMMAND_LINE).choose("loss", ["kl", "kl"])


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_can_be_read_and_says_what_it_is(name: str) -> None:
    assert read_recipe(name).source == f"recipe '{name}'"
    assert 10 < len(recipe_summary(name)) < 110


@pytest.mark.parametrize("name", ["paper", "reference"])
def test_recipes_of_the_paper_keep_the_earlier_of_equally_good_epochs(name: str) -> None:
    assert read_recipe(name).settings["training"]["ties"] == "earlier"


def test_the_defaults_are_no_recipe() -> None:
    assert "defaults" not in recipe_names()
    assert read_defaults().seed == 0


def test_an_unknown_recipe_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown recipe 'papr'; did you mean 'paper'"):
        read_recipe("papr")


def test_a_recipe_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("[training]\nepochs = 3")

    layer = read_recipe(str(tmp_path / "own.toml"))

    assert layer.settings == {"training": {"epochs": 3}}


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such config file: .*nope.toml"):
        read_file(tmp_path / "nope.toml")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read config file .*: Is a directory"):
        read_file(tmp_path)


def test_a_file_in_another_encoding_is_named_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_bytes(b"seed = 1\n# caf\xe9\n")

    with pytest.raises(ConfigError, match=r"run.toml line 2: not UTF-8: save it as UTF-8"):
        read_file(tmp_path / "run.toml")


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("seed = 3\n", "utf-8-sig")

    assert read_file(tmp_path / "run.toml").seed == 3


def test_a_file_in_utf_16_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("seed = 3\n", "utf-16")

    with pytest.raises(ConfigError, match=r"run.toml is UTF-16: save it as UTF-8"):
        read_file(tmp_path / "run.toml")


def test_a_stored_configuration_that_was_cut_off_is_named(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    whole = 'seed = 1\n[model]\nname = "x"\n[training]\nlr = 1.0\n[suite]\nuse = "domains"\n'
    file.write_text(f"{whole}[plugins]\nsuites = '1.0'\n")
    assert read_stored(file).seed == 1

    file.write_text(whole[: whole.index("[suite]")])
    with pytest.raises(ConfigError, match=r"config\.toml lacks \[suite\], \[plugins\]: it was cut"):
        read_stored(file)
    file.write_text(whole)
    with pytest.raises(ConfigError, match=r"config\.toml lacks \[plugins\]: it was cut off"):
        read_stored(file)
