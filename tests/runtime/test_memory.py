"""Free memory: of the machine, and what the limits of control groups leave."""

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from cfft.runtime.memory import free_memory


def group(tmp_path: Path, line: str, **files: str) -> tuple[Path, Path]:
    """Write the control groups of a machine: its files by place, and the line of this process."""
    for place, text in files.items():
        file = tmp_path / "groups" / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    own = tmp_path / "own"
    own.write_text(line)
    return tmp_path / "groups", own


@pytest.mark.parametrize(
    ("line", "files", "expected"),
    [
        ("0::/\n", {}, 1000),
        ("0::/\n", {"memory.max": "max\n", "memory.current": "10\n"}, 1000),
        ("0::/a\n", {"a/memory.max": "500\n", "a/memory.current": "200\n"}, 300),
        (
            "0::/a\n",
            {
                "a/memory.max": "500\n",
                "a/memory.current": "450\n",
                "a/memory.stat": "anon 50\ninactive_file 300\nactive_file 100\n",
            },
            450,
        ),
        ("0::/a\n", {"memory.max": "500\n", "memory.current": "600\n"}, 0),
        (
            "5:memory:/job\n4:cpu:/\n",
            {
                "memory/job/memory.limit_in_bytes": "700\n",
                "memory/job/memory.usage_in_bytes": "100\n",
            },
            600,
        ),
        ("0::/\n", {"memory.max": "nothing that is known\n", "memory.current": "1\n"}, 1000),
    ],
)
def test_the_least_that_machine_and_groups_leave_is_free(
    line: str,
    files: dict[str, str],
    expected: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))

    assert free_memory(*group(tmp_path, line, **files)) == expected
