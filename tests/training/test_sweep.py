"""Sweep files: rows, searched values, and what runs of a row build on."""

from __future__ import annotations

from pathlib import Path

import pytest

from cfft.config.resolve import resolve
from cfft.errors import ConfigError
from cfft.plugin.registry import Registry
from cfft.scoring.spread import Spread
from cfft.training.run_directory import RunDirectory, is_begun
from cfft.training.sweep.declaration import (
    Row,
    parse_sweep,
    point_name,
    read_sweep,
    sweep_names,
)
from cfft.training.sweep.jobs import final_jobs, planned_jobs

_SWEEP = """
recipe = "embedded"
seeds = [3, 4]

[config.training]
epochs = 5

[search]
seed = 7
[search.config.training]
epochs = 1

[[row]]
name = "plain"
recipe = "vanilla"

[[row]]
name = "object / single"
config = { mask = { use = "object" }, fill = { use = "single" } }
search = { "mask.object.threshold" = [0.3, 0.6], "training.lr" = [1e-4] }
"""


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.installed()


def test_every_combination_of_searched_values_is_a_candidate_in_listed_order() -> None:
    row = Row("row", search={"a.b": [1, 2], "c.d": ["x", "y"]})

    found = [tuple(values.values()) for values in row.candidates()]

    assert found == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]


def test_a_row_becomes_a_folder_without_signs_that_shells_mind() -> None:
    assert Row("object / single (0.3)").folder == "object-single-0.3"


def test_searching_runs_take_the_search_seed_its_config_and_one_candidate_each(
    registry: Registry, tmp_path: Path
) -> None:
    sweep = parse_sweep(_SWEEP, "file")

    jobs, _ = planned_jobs(sweep, registry, tmp_path)

    assert [job.seed for job in jobs] == [7, 7]
    assert [job.config.training.epochs for job in jobs] == [1, 1]
    assert [job.config.mask.strategy.threshold for job in jobs if job.config.mask] == [0.3, 0.6]


def test_final_runs_take_every_seed_the_shared_config_and_the_chosen_values(
    registry: Registry, tmp_path: Path
) -> None:
    sweep = parse_sweep(_SWEEP, "file")

    jobs = final_jobs(
        sweep, registry, tmp_path, {"object / single": {"mask.object.threshold": 0.6}}
    )

    places = [job.directory.root.relative_to(tmp_path).as_posix() for job in jobs]
    assert places == [
        *("plain/seed-3", "object-single/seed-3"),
        *("plain/seed-4", "object-single/seed-4"),
    ]
    assert {job.config.training.epochs for job in jobs} == {5}
    assert [job.config.mask.strategy.threshold for job in jobs if job.config.mask] == [0.6, 0.6]
    assert jobs[0].config.losses == ()


_CURVE = """
recipe = "embedded"
seeds = [0, 1]

[[row]]
name = "vanilla"
recipe = "vanilla"

[[row]]
name = "no masking"
recipe = "no-masking"
vary = { "loss.feature-mse.weight" = [1, 2.5], "training.lr" = [1e-4, 2e-4] }
"""


def test_a_varied_row_has_a_run_for_each_value_and_seed(registry: Registry, tmp_path: Path) -> None:
    sweep = parse_sweep(_CURVE, "file")

    searching, jobs = planned_jobs(sweep, registry, tmp_path)

    places = [job.directory.root.relative_to(tmp_path).as_posix() for job in jobs]
    assert (searching, places) == (
        [],
        [
            "vanilla/seed-0",
            "no-masking/weight-1-lr-0.0001/seed-0",
            "no-masking/weight-2.5-lr-0.0002/seed-0",
            "vanilla/seed-1",
            "no-masking/weight-1-lr-0.0001/seed-1",
            "no-masking/weight-2.5-lr-0.0002/seed-1",
        ],
    )
    assert [job.config.training.lr for job in jobs[1:3]] == [1e-4, 2e-4]
    assert [job.config.losses[0].strategy.weight for job in jobs[1:3]] == [1, 2.5]
    assert jobs[2].name == "no masking, seed 0, loss.feature-mse.weight 2.5, training.lr 0.0002"


def test_others_are_compared_with_the_first_curve_unless_the_file_names_one() -> None:
    own = f'{_CURVE}[[row]]\nname = "b"\nvary = {{ "training.lr" = [1e-4] }}\n'

    assert parse_sweep(_CURVE, "file").reference == "no masking"
    assert parse_sweep(f'{own}[frontier]\nreference = "b"', "file").reference == "b"
    assert parse_sweep(_SWEEP, "file").reference is None


def test_values_whose_last_words_are_alike_are_told_by_their_paths() -> None:
    values = {"loss.a.weight": 1, "loss.b.weight": 2}

    assert point_name(values) == "loss.a.weight 1, loss.b.weight 2"
    assert point_name({"loss.a.weight": 1}) == "weight 1"
    assert point_name({}) == ""


def test_the_runs_of_another_row_can_be_named_in_a_rows_config(
    registry: Registry, tmp_path: Path
) -> None:
    text = """
        recipe = "embedded"
        seeds = [2]
        [[row]]
        name = "a"
        [[row]]
        name = "b"
        after = "a"
        [row.config]
        loss = [{ use = "wise-kd" }]
        teacher = [{ use = "wise", fine_tuned = "{out}/a/seed-{seed}" }]
    """
    sweep = parse_sweep(text, "file")

    config = resolve(registry, sweep.layers(sweep.row[1], 2, {}, tmp_path))

    assert config.teachers[0].strategy.fine_tuned == tmp_path / "a" / "seed-2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seeds = [0]", "file.toml: row: missing"),
        ('[[row]]\nname = "a"\nrecipes = "x"', "did you mean 'recipe'"),
        ('seeds = 3\n[[row]]\nname = "a"', "seeds: got 3, wanted a list"),
        ('seeds = ["x"]\n[[row]]\nname = "a"', "wanted a whole number"),
        ('[[row]]\nname = "a"\nsearch = { "training.lr" = "0.3" }', "takes a list"),
        ('[[row]]\nname = ".."', "folder of its own"),
        ('[[row]]\nname = "logs"', "folder of its own"),
        ('[[row]]\nname = "a"\n[[row]]\nname = "A"', "folder of its own"),
        (
            '[[row]]\nname = "a"\n[[row]]\nname = "b"\nafter = "a"\n'
            'search = { "training.lr" = [1] }',
            "leave out search or after",
        ),
        ('[[row]]\nname = "a"\n[[row]]\nname = "a"', "row 'a': give it a name"),
        ('seeds = [1, 1]\n[[row]]\nname = "a"', "each once"),
        ('[[row]]\nname = "a"\nafter = "b"', "must name a row above"),
        ('[[row]]\nname = "a"\nsearch = { "training.lr" = [] }', "takes a list"),
        ("[[row]\n", "not valid TOML"),
        ('[[row]]\nname = "a"\nvary = { "training.lr" = 1 }', "vary takes lists of one length"),
        (
            '[[row]]\nname = "a"\nvary = { "training.lr" = [1, 2], "training.epochs" = [1] }',
            "vary takes lists of one length",
        ),
        ('[[row]]\nname = "a"\nvary = { "training.lr" = [1, 1] }', "has a value twice"),
        (
            '[[row]]\nname = "a"\nvary = { "training.lr" = [1] }\nsearch = { "training.lr" = [1] }',
            "leave out search or vary",
        ),
        (
            '[frontier]\nreference = "b"\n[[row]]\nname = "a"\nvary = { "training.lr" = [1] }',
            "unknown row with vary 'b'",
        ),
        ('[[row]]\nname = "a"\nseeds = [1, 1]', "row 'a': seeds .1, 1.: give each once"),
        (
            'seeds = [0]\n[[row]]\nname = "a"\n[[row]]\nname = "b"\nafter = "a"\nseeds = [0, 1]',
            "row 'b': it follows 'a', which has no run with seed 1",
        ),
        ('[frontier]\nat = [95]\n[[row]]\nname = "a"', "ID accuracies from 0 to 1"),
    ],
)
def test_a_wrong_sweep_file_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_sweep(text, "file.toml")


def test_an_unknown_sweep_lists_those_that_are_there() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'study'.*FILE\.toml"):
        read_sweep("studi")


def test_a_row_may_have_seeds_of_its_own(registry: Registry, tmp_path: Path) -> None:
    text = (
        'recipe = "embedded"\nseeds = [0, 1]\n[[row]]\nname = "a"\nseeds = [7]\n[[row]]\nname = "b"'
    )

    jobs = final_jobs(parse_sweep(text, "file"), registry, tmp_path, {})

    assert [(job.row.name, job.seed) for job in jobs] == [("b", 0), ("b", 1), ("a", 7)]


@pytest.mark.parametrize("name", sweep_names())
def test_every_sweep_that_cfft_brings_makes_runs(
    name: str, registry: Registry, tmp_path: Path
) -> None:
    sweep = read_sweep(name)

    searching, final = planned_jobs(sweep, registry, tmp_path)

    runs = [len(row.points()) * len(sweep.seeds_of(row)) for row in sweep.row]
    assert len(final) == sum(runs)
    assert len(searching) == sum(len(row.candidates()) for row in sweep.row if row.search)


def test_a_wrong_value_in_a_row_is_told_with_the_rows_name(
    registry: Registry, tmp_path: Path
) -> None:
    text = 'recipe = "embedded"\n[[row]]\nname = "a"\nconfig = { mask = { use = "objct" } }'

    with pytest.raises(ConfigError, match="row 'a': unknown mask 'objct'"):
        final_jobs(parse_sweep(text, "file"), registry, tmp_path, {})


def test_deviation_is_the_samples_and_unknown_for_a_single_run() -> None:
    assert Spread.of([0.5, 0.7]).std == pytest.approx(0.2 / 2**0.5)
    assert Spread.of([0.5]).std is None


def test_all_mistakes_of_all_rows_are_told_at_once_each_with_its_row(
    registry: Registry, tmp_path: Path
) -> None:
    text = """
        recipe = "embedded"
        [[row]]
        name = "a"
        recipe = "vanila"
        [[row]]
        name = "b"
        config = { training = { epoch = 3 }, mask = { use = "object", threshold = 1.5 } }
        [[row]]
        name = "c"
        search = { "mask.objct.threshold" = [0.3] }
    """

    with pytest.raises(ConfigError) as told:
        planned_jobs(parse_sweep(text, "file"), registry, tmp_path)

    assert {line.split(":")[0] for line in str(told.value).split("\n")} == {
        "row 'a'", "row 'b'", "row 'c'",
    }  # fmt: skip
    assert "row 'c': row 'c'" not in str(told.value)


def test_a_half_finished_run_of_another_configuration_is_not_gone_on_with(
    registry: Registry, tmp_path: Path
) -> None:
    text = 'recipe = "embedded"\n[[row]]\nname = "a"\n'
    (job,) = final_jobs(parse_sweep(text, "file"), registry, tmp_path, {})
    directory: RunDirectory = job.directory
    directory.root.mkdir(parents=True)
    directory.config.write_text(job.config.to_toml())

    with pytest.raises(ConfigError, match=r"training\.epochs: 2 -> 7.*another --out"):
        final_jobs(
            parse_sweep(f"{text}config = {{ training = {{ epochs = 7 }} }}", "file"),
            registry, tmp_path, {},
        )  # fmt: skip


def test_a_row_may_have_a_recipe_with_stages_that_take_its_seed_and_training(
    registry: Registry, tmp_path: Path
) -> None:
    text = """
        recipe = "embedded"
        seeds = [3]
        [[row]]
        name = "wise"
        recipe = "wise-kd"
        config = { training = { epochs = 5 } }
        search = { "mask.object.threshold" = [0.3], "training.lr" = [1e-4] }
    """
    jobs, _ = planned_jobs(parse_sweep(text, "file"), registry, tmp_path)

    (stage,) = jobs[0].config.stages
    training = stage.config.training
    assert (stage.config.seed, training.epochs, training.lr) == (0, 5, 1e-4)
    assert stage.config.losses == ()


def test_a_run_that_has_no_checkpoint_yet_is_one_to_resume(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)

    assert not is_begun(run)
    run.config.write_text("")
    assert is_begun(run)


@pytest.mark.parametrize("kind", ["vary", "search"])
@pytest.mark.parametrize("path", ["view.contxt.mask.threshold", "loss.feature-cosine.weight"])
def test_values_of_nothing_that_a_row_uses_are_refused(
    registry: Registry, tmp_path: Path, kind: str, path: str
) -> None:
    text = f'recipe = "embedded"\n[[row]]\nname = "curve"\n{kind} = {{ "{path}" = [0.1, 0.2] }}\n'

    with pytest.raises(ConfigError, match=rf"row 'curve': .*0\.2 is the same run as .*{path}"):
        planned_jobs(parse_sweep(text, "sweep"), registry, tmp_path)


def test_a_sweep_of_a_thousand_million_runs_is_refused_before_they_are_listed() -> None:
    ten = list(range(10))
    values = ", ".join(f'"training.p{number}" = {ten}' for number in range(9))

    with pytest.raises(ConfigError, match="asks for 1,000,000,001 runs, allowed: 10,000"):
        parse_sweep(f'[[row]]\nname = "a"\nsearch = {{ {values} }}', "file.toml")


def test_the_seeds_of_a_sweep_have_the_bounds_of_others() -> None:
    with pytest.raises(ConfigError, match="seeds: got -1, allowed: a whole number from 0 to 42949"):
        parse_sweep('seeds = [-1]\n[[row]]\nname = "a"', "file.toml")
