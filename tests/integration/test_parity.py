"""The published method as numbers: every quantity of the vector file holds."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cfft.testing import parity, tiny_batch, tiny_classifier
from cfft.testing.vectors import VectorFile

VECTORS = Path(__file__).parents[1] / "data" / "parity.safetensors"


@pytest.fixture(scope="module")
def report() -> parity.Report:
    return parity.check(VECTORS)


def only_inputs(path: Path, changed: dict, metadata: dict | None = None) -> Path:
    """Write a file of the same form that has the inputs and the given quantities alone."""
    own = VectorFile.read(VECTORS)
    kept = {name: own[name] for name in own.inputs}
    save_file({**kept, **changed}, path, {**own.metadata, **(metadata or {})})
    return path


@pytest.mark.parametrize("quantity", VectorFile.read(VECTORS).quantities)
def test_every_quantity_holds(report: parity.Report, quantity: str):
    (row,) = [row for row in report.rows if row.quantity == quantity]

    assert row.holds, f"relative error {row.relative:.1e}, allowed {row.tolerance:.0e}"


def test_every_tensor_of_the_file_is_an_input_or_a_quantity(report: parity.Report):
    named = [*report.inputs, *report.unknown, *(row.quantity for row in report.rows)]

    assert sorted(named) == sorted(VectorFile.read(VECTORS).tensors)


def test_norms_may_be_off_by_a_thousandth_and_other_numbers_by_a_ten_thousandth(report):
    tolerances = {row.quantity: row.tolerance for row in report.rows}

    assert tolerances["step.none.object.0.3.grad_norms"] == 1e-3
    assert tolerances["step.none.object.0.3.losses"] == 1e-4
    assert tolerances["mask.object.0.3"] == 0


def test_the_command_prints_a_line_a_quantity_and_exits_with_0(capsys):
    code = parity.main([str(VECTORS)])

    printed = capsys.readouterr().out.splitlines()
    assert code == 0
    assert printed[0].split() == ["quantity", "max", "abs", "max", "rel", "allowed"]
    assert printed[-1] == "72 of 72 quantities hold; 96 inputs"


def test_the_command_prints_json_for_machines(tmp_path, capsys):
    logits = VectorFile.read(VECTORS)["logits"]
    code = parity.main([str(only_inputs(tmp_path / "v", {"logits": logits})), "--json"])

    printed = json.loads(capsys.readouterr().out)
    assert code == 0
    assert printed["holds"] is True
    assert [row["quantity"] for row in printed["rows"]] == ["logits"]
    assert len(printed["inputs"]) == 96


def test_a_number_that_is_off_fails_alone(tmp_path, capsys):
    logits = VectorFile.read(VECTORS)["logits"] * 1.001
    features = VectorFile.read(VECTORS)["features"]
    path = only_inputs(tmp_path / "v", {"logits": logits, "features": features})

    code = parity.main([str(path)])

    printed = capsys.readouterr().out
    assert code == 1
    assert "1 of 2 quantities hold" in printed
    assert [line.split()[0] for line in printed.splitlines() if "FAILS" in line] == ["logits"]


def test_one_wrong_patch_of_a_mask_fails(tmp_path):
    mask = VectorFile.read(VECTORS)["mask.object.0.3"].clone()
    mask[0, 0] = ~mask[0, 0]

    (row,) = parity.check(only_inputs(tmp_path / "v", {"mask.object.0.3": mask})).rows

    assert (row.absolute, row.holds) == (1, False)


def test_a_drawn_mask_of_another_number_of_patches_fails(tmp_path):
    mask = torch.zeros(6, 16, dtype=torch.bool)

    (row,) = parity.check(only_inputs(tmp_path / "v", {"mask.random.0.5": mask})).rows

    assert not row.holds


@pytest.mark.parametrize("name", ["riddle", "step.none.object.0.3.riddle", "cam", "logits.0.3"])
def test_a_quantity_of_unknown_form_is_named_and_fails(tmp_path, capsys, name: str):
    code = parity.main([str(only_inputs(tmp_path / "v", {name: torch.zeros(1)}))])

    assert code == 1
    assert f"unknown quantity: {name}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "metadata", "says"),
    [
        ({"cam.riddle": torch.zeros(6, 16)}, {}, "unknown cam 'riddle'"),
        ({"logits": torch.zeros(6, 11)}, {}, "logits has another shape: [6, 11] in the file"),
        ({"student.riddle": torch.zeros(1)}, {}, "weights of another model"),
        ({}, {"act": "swish"}, "act is 'swish', allowed: quick_gelu, gelu"),
        ({}, {"width": "wide"}, "width is 'wide'"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(tmp_path, capsys, changed, metadata, says):
    code = parity.main([str(only_inputs(tmp_path / "v", changed, metadata))])

    said = capsys.readouterr().err
    assert code == 2
    assert said.count("\n") == 1
    assert says in said


def test_a_quantity_whose_donors_are_missing_names_them(tmp_path, capsys):
    masked = VectorFile.read(VECTORS)["features.random.none.0.5"]

    code = parity.main([str(only_inputs(tmp_path / "v", {"features.random.none.0.5": masked}))])

    assert code == 2
    assert "lacks 'mask.random.0.5'" in capsys.readouterr().err


def test_a_missing_file_is_one_clear_line(tmp_path, capsys):
    assert parity.main([str(tmp_path / "none.safetensors")]) == 2
    assert capsys.readouterr().err.startswith("error: there is no file")


def test_another_kind_of_file_is_one_clear_line(tmp_path, capsys):
    (tmp_path / "words").write_text("no tensors here, only words and more words")

    assert parity.main([str(tmp_path / "words")]) == 2
    assert "as a safetensors file" in capsys.readouterr().err


def test_a_weight_file_is_no_vector_file(tmp_path, capsys):
    save_file({"weight": torch.zeros(1)}, tmp_path / "w.safetensors")

    assert parity.main([str(tmp_path / "w.safetensors")]) == 2
    assert "not a file of parity vectors: its metadata lacks" in capsys.readouterr().err


def test_all_sizes_come_from_the_file(tmp_path):
    """A non-square GELU model with other sizes than the project's own vectors."""
    model, batch = tiny_classifier((2, 3), classes=5), tiny_batch(4, (2, 3), classes=5)
    logits = model(batch.images).logits.detach()
    student = {f"student.{name}": value for name, value in model.weights().items()}
    teacher = {f"teacher.{name}": value.clone() for name, value in model.weights().items()}
    metadata = {
        "image_size": "(8, 12)",
        "patch_size": "4",
        "width": "16",
        "layers": "2",
        "heads": "2",
        "embed_dim": "8",
        "act": "gelu",
        "mean": "(0.5, 0.5, 0.5)",
        "std": "(0.25, 0.25, 0.25)",
        "order": "classifier.weight",
    }
    given = {"images": batch.images, "labels": batch.labels, "logits": logits}
    save_file({**student, **teacher, **given}, tmp_path / "v", metadata)

    assert parity.check(tmp_path / "v").holds


def test_relative_errors_are_of_the_largest_element_but_of_each_number_in_a_list():
    expected, computed = torch.tensor([0.0, 1.0, 100.0]), torch.tensor([0.0, 1.01, 100.0])

    listed = parity.compare("losses", computed, expected)
    tensor = parity.compare("features", computed[None], expected[None])

    assert listed.relative == pytest.approx(0.01)
    assert tensor.relative == pytest.approx(0.0001)


def test_what_is_not_a_number_fails():
    assert not parity.compare("logits", torch.tensor([[float("nan")]]), torch.ones(1, 1)).holds
