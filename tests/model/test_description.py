"""Models of a run: fresh copies, from disk, and nothing of another architecture."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import torch
from open_clip.transformer import VisionTransformer
from safetensors.torch import save_file
from torch.testing import assert_close

import cfft
from cfft.model.checkpoint import Checkpoint, save
from cfft.model.description import ModelDescription, describe, read_description
from cfft.model.heads import starting_head
from cfft.model.rebuild import TeacherSource
from cfft.runtime.json_files import as_json, write_json

PREPARED = cfft.Preprocessing((16, 24), 24, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def _pretrained(width: int = 8) -> cfft.Pretrained:
    tower = VisionTransformer((16, 24), 8, width, layers=1, heads=2, mlp_ratio=2, output_dim=4)
    return cfft.Pretrained(
        cfft.Encoder(tower, PREPARED),
        PREPARED,
        normalised=True,
        identity={"library": "mine", "width": str(width)},
        rebuild=f"tower-{width}",
    )


@pytest.fixture
def models() -> TeacherSource:
    pretrained = _pretrained()
    head = cfft.Head(torch.ones(2, 4), torch.zeros(2), normalised=True)
    description = describe("mine", "tower", pretrained, ("cat", "dog"), "zero-shot", ("a {}",))
    return TeacherSource(cfft.Classifier(pretrained.encoder, head), description)


def _store(folder: Path, model: cfft.Classifier, description: ModelDescription) -> Path:
    folder.mkdir(parents=True)
    save_file(model.weights(), folder / "weights.safetensors")
    write_json(folder / "model.json", description)
    return folder


def _save(folder: Path, models: TeacherSource) -> None:
    """Store what training starts from as a run stores its best model."""
    described = as_json(models.description)
    save(folder, Checkpoint(models.start.weights(), described))


def test_every_pretrained_model_is_a_copy_of_its_own(models: TeacherSource) -> None:
    first = models.pretrained()
    with torch.no_grad():
        first.head.bias.fill_(7)

    assert_close(models.pretrained().head.bias.detach(), torch.zeros(2))


@pytest.mark.parametrize(
    "asked", ["run", "run/checkpoints/best", "run/checkpoints/best/weights.safetensors"]
)
def test_a_model_is_found_in_a_run_a_checkpoint_or_a_file(
    asked: str, models: TeacherSource, tmp_path: Path
) -> None:
    trained = models.pretrained()
    with torch.no_grad():
        trained.head.bias.fill_(7)
    described = as_json(models.description)
    save(tmp_path / "run" / "checkpoints" / "best", Checkpoint(trained.weights(), described))

    loaded = models.load(tmp_path / asked)

    assert_close(loaded.weights(), trained.weights())


@pytest.mark.parametrize(("nest", "bias", "told"), [(":ema", 7.0, 0), ("", 0.0, 1)])
def test_a_teacher_says_which_weights_of_a_checkpoint_it_is(
    nest: str, bias: float, told: int, models: TeacherSource, tmp_path: Path
) -> None:
    raw = models.pretrained().weights()
    average = {**raw, "head.bias": torch.full((2,), 7.0)}
    torch.save({"state_dict": raw, "ema": average}, tmp_path / "last.pt")

    loaded = [models.load(Path(f"{tmp_path}/last.pt{nest}")) for _ in range(2)]

    assert_close(loaded[0].head.bias.detach(), torch.full((2,), bias))
    assert [line.count("last.pt:ema would take") for line in models.warnings] == [1] * told


def test_a_description_survives_the_way_through_json(models: TeacherSource, tmp_path: Path) -> None:
    folder = _store(tmp_path / "stored", models.pretrained(), models.description)

    assert read_description(folder) == models.description


@pytest.mark.parametrize("kind", ["zero-shot", "own", "linear-probe"])
@pytest.mark.parametrize("normalised", [True, False])
def test_the_description_tells_what_the_starting_head_acts_on(kind: str, normalised: bool) -> None:
    pretrained = attrs.evolve(
        _pretrained(),
        normalised=normalised,
        encode_text=lambda prompts: torch.ones(len(prompts), 4),
        logit_scale=0.0,
        own_head=torch.nn.Linear(4, 2),
    )
    features = torch.eye(2, 4), torch.tensor([0, 1])

    description = describe("mine", "tower", pretrained, ("cat", "dog"), kind)
    head = starting_head(kind, pretrained, ("cat", "dog"), ("a {}",), lambda: features)

    assert description.normalised is head.normalised


def test_a_damaged_weight_file_of_a_run_is_named(models: TeacherSource, tmp_path: Path) -> None:
    _save(tmp_path / "checkpoints" / "best", models)
    weights = tmp_path / "checkpoints" / "best" / "weights.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    with pytest.raises(cfft.WeightsError, match=r"weights\.safetensors is damaged"):
        models.load(tmp_path)


@pytest.mark.parametrize("asked", ["", "checkpoints/best", "checkpoints/best/weights.safetensors"])
def test_the_older_checkpoint_stands_in_where_the_machine_stopped_between_two_renames(
    asked: str, models: TeacherSource, tmp_path: Path
) -> None:
    best = tmp_path / "checkpoints" / "best"
    _save(best, models)
    best.rename(best.with_name("best.previous"))

    loaded = models.load(tmp_path / asked)

    assert_close(loaded.weights(), models.pretrained().weights())


def test_a_weight_file_that_was_copied_away_still_says_whose_it_is(
    models: TeacherSource, tmp_path: Path
) -> None:
    older = attrs.evolve(models.description, identity={"library": "mine", "width": "9"})
    _save(tmp_path / "stored", TeacherSource(models.start, older))
    copied = (tmp_path / "stored" / "weights.safetensors").rename(tmp_path / "w.safetensors")

    with pytest.raises(cfft.WeightsError, match=r"w\.safetensors: .* width is 9, not 8"):
        models.load(copied)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"identity": {"library": "mine", "width": "16"}}, "width is 16, not 8"),
        ({"classes": ("cat", "dog", "cow")}, "it has 3 classes, not 2"),
        ({"classes": ("cat", "cow")}, "class 1 is 'cow', not 'dog'"),
        ({"normalised": False}, "head on normalised features is False, not True"),
        ({"preprocessing": attrs.evolve(PREPARED, resize=30)}, "preprocessing resize is 30"),
    ],
)
def test_every_difference_of_a_stored_model_is_named(
    change: dict[str, object], words: str, models: TeacherSource, tmp_path: Path
) -> None:
    other = attrs.evolve(models.description, **change)
    folder = _store(tmp_path / "stored", models.pretrained(), other)

    with pytest.raises(cfft.WeightsError, match=words):
        models.load(folder)


def test_another_head_or_other_prompts_do_no_harm(models: TeacherSource, tmp_path: Path) -> None:
    other = attrs.evolve(models.description, head="linear-probe", prompts=())
    folder = _store(tmp_path / "stored", models.pretrained(), other)

    assert_close(models.load(folder).weights(), models.pretrained().weights())


def test_a_bare_file_of_another_width_is_named(models: TeacherSource, tmp_path: Path) -> None:
    head = cfft.Head(torch.ones(2, 4), torch.zeros(2), normalised=True)
    wide = cfft.Classifier(_pretrained(16).encoder, head)
    save_file(wide.weights(), tmp_path / "wide.safetensors")

    with pytest.raises(cfft.WeightsError, match=r"wide.safetensors: weights of another model"):
        models.load(tmp_path / "wide.safetensors")


@pytest.mark.parametrize("name", ["gone", "empty"])
def test_a_place_without_weights_is_named(name: str, models: TeacherSource, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(cfft.WeightsError, match=f"{name}: no weights here; give a run directory"):
        models.load(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "no model description that cfft wrote"),
        ("[]", "no model description that cfft wrote"),
        ('{"backbone": "mine"}', r"required field missing @ \$\.rebuild"),
        ('{"colour": "red"}', "extra fields found .colour"),
    ],
)
def test_a_broken_description_is_named(
    text: str, says: str, models: TeacherSource, tmp_path: Path
) -> None:
    folder = _store(tmp_path / "stored", models.pretrained(), models.description)
    (folder / "model.json").write_text(text)

    with pytest.raises(cfft.WeightsError, match=f"model.json: .*{says}"):
        models.load(folder)


def _without_digests(folder: Path, models: TeacherSource, damage: str) -> Path:
    """Store a checkpoint, damage its weights, and take away what tells."""
    _save(folder, models)
    file = folder / "weights.safetensors"
    content = bytearray(file.read_bytes())
    content[-4:] = b"\x3f\x3f\x3f\x3f"
    file.write_bytes(content)
    (folder / "manifest.json").unlink()
    if damage == "a directory":
        (folder / "manifest.json").mkdir()
    return folder


@pytest.mark.parametrize("damage", ["gone", "a directory"])
@pytest.mark.parametrize("asked", ["run", "run/checkpoints/best/weights.safetensors"])
def test_a_checkpoint_of_a_run_that_lost_its_digests_is_refused(
    damage: str, asked: str, models: TeacherSource, tmp_path: Path
) -> None:
    _without_digests(tmp_path / "run" / "checkpoints" / "best", models, damage)
    (tmp_path / "run" / "config.toml").touch()

    with pytest.raises(
        cfft.WeightsError, match=r"best is incomplete: it has no manifest\.json to compare"
    ):
        models.load(tmp_path / asked)


def test_what_is_to_be_trained_further_is_refused_without_its_digests(
    models: TeacherSource, tmp_path: Path
) -> None:
    folder = _without_digests(tmp_path / "last", models, "gone")
    (folder / "state.json").write_text("{}")

    with pytest.raises(cfft.WeightsError, match=r"it has no manifest\.json to compare its weights"):
        models.load(folder)


def test_a_copy_of_weights_and_description_is_used_with_a_warning(
    models: TeacherSource, tmp_path: Path
) -> None:
    _without_digests(tmp_path / "copy", models, "gone")

    models.load(tmp_path / "copy")

    assert len(models.warnings) == 1
    assert "no manifest.json is beside it" in models.warnings[0]
