"""One declaration: defaults, conversion, ranges and mistakes in declarations."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from cfft.errors import ConfigError
from cfft.plugin.decorators import fill, loss, mask, settings
from cfft.plugin.params import Param, declaration, param, values_of


@settings("sample")
class Sample:
    """Hold one parameter of every type."""

    count: int = param(2, help="how many", ge=1, lt=10)
    rate: float = param(0.5, help="how much", gt=0, le=1)
    name: str = param("a", help="what")
    on: bool = param(False, help="whether")
    size: Literal["small", "large"] = param("small", help="which")
    file: Path | None = param(None, help="where")
    limit: int | None = param(None, help="at most", ge=1)
    clip: float | None = param(1.0, help="norm", gt=0)
    split: tuple[float, float] = param((0.7, 0.3), help="parts", ge=0)
    layers: tuple[int, ...] = param((1,), help="layers", ge=0)
    either: int | str = param(3, help="a number or a word")


def build(**values: Any) -> Sample:
    made: Sample = declaration(Sample).build(values, {})
    return made


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "3", 3),
        ("rate", "1e-3", 0.001),
        ("rate", "1", 1.0),
        ("name", "none", "none"),
        ("name", "", ""),
        ("on", "true", True),
        ("on", "False", False),
        ("size", "large", "large"),
        ("file", "a b/c.txt", Path("a b/c.txt")),
        ("file", "~/c.txt", Path.home() / "c.txt"),
        ("file", "none", None),
        ("limit", "None", None),
        ("limit", "7", 7),
        ("clip", "none", None),
        ("split", "0.5/0.5", (0.5, 0.5)),
        ("split", "0.5,0.5", (0.5, 0.5)),
        ("layers", "1/2/3", (1, 2, 3)),
        ("either", "4", 4),
        ("either", "four", "four"),
        ("either", "none", "none"),
    ],
)
def test_text_of_the_command_line_becomes_the_declared_type(
    name: str, text: str, value: object
) -> None:
    assert getattr(build(**{name: text}), name) == value


@pytest.mark.parametrize(
    ("name", "toml"),
    [("count", 3), ("rate", 1), ("on", True), ("split", [1, 0]), ("limit", 7), ("size", "large")],
)
def test_toml_values_are_taken_as_they_are(name: str, toml: Any) -> None:
    wanted = tuple(toml) if isinstance(toml, list) else toml

    assert getattr(build(**{name: toml}), name) == wanted


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("count", "0", "got '0', allowed: a whole number >= 1 and < 10"),
        ("count", "10", "got '10'"),
        ("count", "2.5", "got '2.5', allowed: a whole number"),
        ("count", 2.0, "got 2.0, allowed: a whole number"),
        ("count", True, "got True"),
        ("rate", 0, "allowed: a number > 0 and <= 1"),
        ("rate", "nan", "got 'nan'"),
        ("rate", "much", "got 'much', allowed: a number"),
        ("rate", False, "got False"),
        ("clip", "inf", "got 'inf', allowed: a number > 0, or none"),
        ("name", 3, "got 3, allowed: text"),
        ("on", "maybe", "got 'maybe', allowed: true or false"),
        ("on", 1, "got 1"),
        ("size", "medium", "got 'medium', allowed: one of small, large"),
        ("file", "", "got '', allowed: a path, or none"),
        ("limit", "0", "allowed: a whole number >= 1, or none"),
        ("split", "0.5", "got '0.5', allowed: two numbers >= 0 such as 0.7/0.3"),
        ("split", "-1/2", "got '-1/2', allowed: two numbers >= 0 such as 0.7/0.3"),
        ("split", 3, "got 3"),
        ("layers", "1/-2", "got '1/-2', allowed: whole numbers >= 0 with , between"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(name: str, value: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(**{name: value})

    assert f"(sample.{name}): " in str(caught.value)
    assert words in str(caught.value)


def test_all_bad_values_are_reported_together_one_a_line() -> None:
    with pytest.raises(ConfigError) as caught:
        build(count="x", rate=2, cuont=3)

    unknown, count, rate = str(caught.value).split("\n")
    assert "unknown parameter 'cuont'; did you mean 'count'?" in unknown
    assert count.startswith("--count (sample.count): got 'x'")
    assert rate.startswith("--rate (sample.rate): got 2")


@pytest.mark.parametrize(
    ("annotation", "default", "allowed"),
    [
        (tuple[float, float, float], (70.0, 10.0, 20.0), "three numbers such as 70/10/20"),
        (tuple[float, float, float] | None, None, "three numbers with / between, or none"),
        (tuple[int, ...], (1, 2), "whole numbers such as 1,2"),
        (tuple[int, str], (1, "a"), "int/str such as 1/a"),
    ],
)
def test_a_series_is_described_in_words_with_an_example(
    annotation: Any, default: Any, allowed: str
) -> None:
    assert Param("value", annotation, default, "").allowed == allowed


def test_a_table_called_like_an_option_gives_it_to_its_name() -> None:
    @settings("engine")
    class Engine:
        """Have a name."""

        name: str = param(help="which")
        top_speed: int = param(1, help="how fast")

    with pytest.raises(ConfigError) as caught:
        declaration(Engine).build({"name": 1, "top_speed": "x"}, {})

    name, speed = str(caught.value).split("\n")
    assert name.startswith("--engine (engine.name): got 1")
    assert speed.startswith("--top-speed (engine.top_speed): got 'x'")


def test_a_parameter_called_like_a_kind_is_offered_no_short_option() -> None:
    @loss("following")
    class Following:
        """Need a teacher."""

        teacher: str = param(help="whom to follow")

        def measure(self, outputs: Any) -> Any: ...

    with pytest.raises(ConfigError, match=r"give --loss.following.teacher STR \(whom"):
        declaration(Following).build({}, {})


def test_values_are_written_so_that_reading_them_gives_the_same() -> None:
    made = build(clip="none", file="x", split="1/2", layers="")

    assert declaration(Sample).build(values_of(made), {}) == made


def test_no_value_is_written_as_the_word_none() -> None:
    assert values_of(build(clip="none"))["clip"] == "none"


@mask("given")
class Given:
    """Have defaults that depend on the fill and on an earlier parameter."""

    scale: Literal["raw", "relative"] = param(
        "relative", help="scale", given={"backbone": {"open_clip": "raw"}}
    )
    weight: float = param(6.0, help="weight", given={"scale": {"raw": 30.0}})
    share: float | None = param(None, help="share")
    threshold: float | None = param(
        0.3, help="threshold", given={"share": {...: None}, "fill": {"multi": 0.6}}
    )

    def select(self, batch: Any, view: Any) -> Any: ...


@pytest.mark.parametrize(
    ("values", "fill", "threshold"),
    [({}, "none", 0.3), ({}, "multi", 0.6), ({"share": 0.0}, "multi", None)],
)
def test_a_default_may_hold_wherever_an_earlier_parameter_is_given(
    values: dict[str, Any], fill: str, threshold: float | None
) -> None:
    assert declaration(Given).build(values, {"fill": fill}).threshold == threshold


def test_other_defaults_are_spelt_with_what_they_depend_on() -> None:
    found = declaration(Given).param("threshold")

    assert found is not None
    assert found.other_defaults() == [("share", "given", None), ("fill", "multi", 0.6)]


@pytest.mark.parametrize(
    ("values", "context", "weight"),
    [
        ({}, {}, 6.0),
        ({}, {"backbone": "open_clip"}, 30.0),
        ({}, {"backbone": "timm"}, 6.0),
        ({"scale": "raw"}, {"backbone": "timm"}, 30.0),
        ({"scale": "relative"}, {"backbone": "open_clip"}, 6.0),
        ({"weight": "2"}, {"backbone": "open_clip"}, 2.0),
    ],
)
def test_a_default_follows_context_and_earlier_parameters(
    values: dict[str, Any], context: dict[str, str], weight: float
) -> None:
    assert declaration(Given).build(values, context).weight == weight


def test_a_parameter_without_default_has_to_be_given() -> None:
    @fill("needy")
    class Needy:
        """Need a folder."""

        folder: Path = param(help="folder with donors")

        def refill(self, batch: Any, selection: Any, rng: Any) -> Any: ...

    with pytest.raises(ConfigError, match=r"give --fill.needy.folder PATH, in short --folder \("):
        declaration(Needy).build({}, {})


def test_a_check_of_the_strategy_itself_becomes_an_error_that_names_it() -> None:
    @mask("pair")
    class Pair:
        """Need an order."""

        low: int = param(1, help="low")
        high: int = param(2, help="high")

        def __attrs_post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("low must not exceed high")

        def select(self, batch: Any, view: Any) -> Any: ...

    with pytest.raises(ConfigError, match=r"mask.pair: low must not exceed high"):
        declaration(Pair).build({"low": 3}, {})


def test_parameters_of_a_declared_class_are_inherited() -> None:
    @mask("wider")
    class Wider(Given):
        """Add one parameter."""

        border: int = param(1, help="border")

    assert [p.name for p in declaration(Wider).params] == [
        *("scale", "weight", "share", "threshold", "border")
    ]
    assert declaration(Wider).summary == "Add one parameter."


def test_a_strategy_is_frozen() -> None:
    made = build()

    with pytest.raises(AttributeError):
        made.count = 3  # type: ignore[misc]


def test_an_undecorated_class_is_refused() -> None:
    with pytest.raises(TypeError, match=r"decorate the class with one of @cfft.mask"):
        declaration(int)


def test_a_subclass_that_is_not_decorated_itself_is_refused() -> None:
    class Plain(Given):
        """Forget the decorator."""

    with pytest.raises(TypeError, match="is not a strategy"):
        declaration(Plain)


def test_the_method_of_the_kind_has_to_be_there() -> None:
    with pytest.raises(TypeError, match=r"mask 'x' .* has no method select\(\)"):

        @mask("x")
        class NoMethod:
            """Select nothing."""


@pytest.mark.parametrize("name", ["a.b", "a b", "", "-a", "a=b", "none"])
def test_a_name_that_options_cannot_spell_is_refused(name: str) -> None:
    class Measure:
        """Measure."""

        def measure(self, outputs: Any) -> Any: ...

    with pytest.raises(TypeError, match="loss cannot be called"):
        loss(name)(Measure)


def declare(annotation: Any, name: str = "value", default: Any = None, **limits: Any) -> None:
    namespace = {
        "__annotations__": {name: annotation},
        name: param(default, help="value", **limits),
        "select": lambda self, batch, view: None,
    }
    mask("declared")(type("Declared", (), namespace))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"annotation": list[int]}, "no parameter can have the type"),
        ({"annotation": dict[str, int]}, "no parameter can have the type"),
        ({"annotation": int, "default": "x"}, "default: got 'x'"),
        ({"annotation": int, "default": 0, "ge": 1}, "default: got 0, allowed"),
        ({"annotation": int, "default": "1"}, "default '1' is read as 1"),
        ({"annotation": str, "name": "use"}, "TOML tables use"),
        ({"annotation": str, "name": "label"}, "TOML tables use"),
        ({"annotation": int, "default": 1, "given": {"fil": {"multi": 2}}}, "did you mean 'fill'"),
        ({"annotation": int, "default": 1, "given": {"fill": {"multi": "x"}}}, "default: got 'x'"),
    ],
)
def test_a_mistaken_declaration_fails_where_it_is_made(
    arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(TypeError, match=words):
        declare(**arguments)


def test_a_field_that_is_no_parameter_is_refused() -> None:
    with pytest.raises(TypeError, match=r"period: write NAME: TYPE = cfft.param"):

        @mask("plain-field")
        class PlainField:
            """Forget param()."""

            period: int = 2

            def select(self, batch: Any, view: Any) -> Any: ...


def test_a_parameter_without_a_type_is_refused() -> None:
    with pytest.raises(TypeError, match=r"period: write NAME: TYPE = cfft.param"):

        @mask("untyped")
        class Untyped:
            """Forget the type."""

            period = param(2, help="period")

            def select(self, batch: Any, view: Any) -> Any: ...


def test_a_class_attribute_is_no_parameter() -> None:
    @mask("with-attribute")
    class WithAttribute:
        """Have a class attribute."""

        smallest: ClassVar[int] = 2
        period: int = param(2, help="period")

        def select(self, batch: Any, view: Any) -> Any: ...

    assert [p.name for p in declaration(WithAttribute).params] == ["period"]
