"""Where an evaluation is written: nothing is overwritten, and nothing complete is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from cfft.errors import ConfigError
from cfft.evaluation.files import new_evaluation, reserved_evaluation


def test_two_evaluations_at_once_choose_two_directories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with (
        reserved_evaluation("folder") as first,
        reserved_evaluation("folder") as second,
        new_evaluation(first) as one,
        new_evaluation(second) as other,
    ):
        one.write({"is": "one"})
        other.write({"is": "other"})

    assert (first, second) == (Path("evaluations/folder"), Path("evaluations/folder-2"))
    assert '"one"' in (first / "evaluation.json").read_text()
    assert '"other"' in (second / "evaluation.json").read_text()


def test_a_directory_that_was_reserved_in_vain_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match="bad"), reserved_evaluation("folder"):
        raise ConfigError("bad")

    assert not list(tmp_path.iterdir())


def write_two_at_once(out: Path) -> None:
    with new_evaluation(out) as late, new_evaluation(out) as early:
        late.write({"is": "late"})
        early.write({"is": "early"})


def test_an_evaluation_whose_place_was_taken_meanwhile_is_kept_beside_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"was taken while .* is complete in .*/E-2; see it"):
        write_two_at_once(tmp_path / "E")

    assert '"early"' in (tmp_path / "E" / "evaluation.json").read_text()
    assert '"late"' in (tmp_path / "E-2" / "evaluation.json").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"E", "E-2"}
