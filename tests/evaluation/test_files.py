"""Writing an evaluation: nothing is overwritten, and nothing complete is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from cfft.errors import ConfigError
from cfft.evaluation.files.evaluation import EvaluationResults
from cfft.evaluation.files.files import EvaluationFiles, new_evaluation
from cfft.runtime.files import reserved
from cfft.runtime.processes import ALONE


def test_two_evaluations_at_once_choose_two_directories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = Path("evaluations", "folder")

    with (
        reserved(place) as first,
        reserved(place) as second,
        new_evaluation(first) as one,
        new_evaluation(second) as other,
    ):
        one.write(EvaluationResults(models=(), cfft="one"))
        other.write(EvaluationResults(models=(), cfft="other"))

    assert (first, second) == (Path("evaluations/folder"), Path("evaluations/folder-2"))
    assert '"one"' in (first / "evaluation.json").read_text()
    assert '"other"' in (second / "evaluation.json").read_text()


def write_late(out: Path) -> None:
    with new_evaluation(out) as late:
        late.write(EvaluationResults(models=(), cfft="late"))
        (out / "mine").touch()


def test_an_evaluation_whose_place_was_taken_meanwhile_is_kept_beside_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"was taken while .* is complete in .*/E-2; see it"):
        write_late(tmp_path / "E")

    assert [path.name for path in (tmp_path / "E").iterdir()] == ["mine"]
    assert '"late"' in (tmp_path / "E-2" / "evaluation.json").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"E", "E-2"}


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["Object", "object"], ["Object", "object-2"]),
        (["caf\u00e9", "cafe\u0301"], ["caf\u00e9", "caf\u00e9-2"]),
        (["runs/a", "runs-a"], ["runs-a", "runs-a-2"]),
    ],
)
def test_two_models_have_two_folders_on_every_file_system(
    tmp_path: Path, labels: list[str], names: list[str]
) -> None:
    files = EvaluationFiles(tmp_path, ALONE)

    assert [files.folder(label) for label in labels] == [f"predictions/{name}" for name in names]


@pytest.mark.parametrize("letter", ["x", "\u96ea"])
def test_long_labels_are_cut_and_still_tell_models_apart(tmp_path: Path, letter: str) -> None:
    files = EvaluationFiles(tmp_path, ALONE)

    one, other = (files.folder(letter * 300 + end) for end in "ab")

    (tmp_path / one).mkdir(parents=True)
    assert one != other
    assert one.startswith(f"predictions/{letter * 60}")
