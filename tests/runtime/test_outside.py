"""Names from outside: as a terminal, a figure, TOML, JSON and HTML hold them."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
import tomlkit
import torch
from hypothesis import given
from hypothesis import strategies as st

from cfft.model.prompts import class_prompt
from cfft.runtime.documents import parse_toml
from cfft.runtime.outside import (
    all_shown,
    for_toml,
    restored,
    shell_word,
    shown,
    shown_in_line,
    toml_text,
)
from cfft.training.sheet import SheetColumn, draw_columns

ODD = {
    "mathematics": "$x^$",
    "one dollar": "5 $",
    "backslash": r"\alpha",
    "braces": "{x}_{y}^",
    "percent": "100 %s %d",
    "mark of TOML": "%bytes:a%41",
    "quotes": "\"'`",
    "brackets": "[red]a[/red]",
    "tags": "<script>alert(1)</script>&amp;",
    "formula": "=1+1",
    "escape": "\x1b[31mred",
    "bell": "a\ab",
    "backspace": "a\bb",
    "NUL": "a\0b",
    "vertical tab": "a\x0bb",
    "form feed": "a\x0cb",
    "return": "a\rb",
    "delete": "a\x7fb",
    "C1": "a\x9b31mb",
    "next line": "a\x85b",
    "line separator": "a\u2028b",
    "right to left": "a\u202eb",
    "not a character": "a\uffffb",
    "latin-1": os.fsdecode(b"caf\xe9"),
    "every byte": os.fsdecode(bytes(range(128, 256))),
    "cut UTF-8": os.fsdecode("é".encode()[:1]),
    "accents": "é e\u0301",
    "German": "Straße",
    "only blanks": "   ",
    "long": "a" * 5000,
}
LOCALES = {
    "C": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "ascii output": {"PYTHONIOENCODING": "ascii"},
    "latin-1 output": {"PYTHONIOENCODING": "latin-1"},
    "UTF-8": {"LC_ALL": "C.UTF-8"},
}
PRINTED = """
import json, sys
from cfft.cli.errors import reported
from cfft.cli.output.consoles import console, print_whole, table
from cfft.cli.streams import lasting_streams, say
from cfft.errors import ConfigError
names = json.load(open(sys.argv[1]))
with lasting_streams(), reported():
    print_whole(console(), table(("name", "n"), [(name, "1") for name in names], title=names[0]))
    console(stderr=True).print(*names)
    for name in names:
        say(name)
    raise ConfigError(*(f"unknown '{name}'" for name in names))
"""


def control_characters(text: str) -> set[str]:
    return {sign for sign in text if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")}


@pytest.mark.parametrize("name", ODD.values(), ids=ODD)
def test_what_is_shown_has_nothing_that_a_terminal_obeys(name: str) -> None:
    assert control_characters(shown(name)) <= {"\t", "\n"}
    assert not control_characters(shown_in_line(f"{name}\n\t"))


def test_ordinary_text_is_shown_as_it_is() -> None:
    text = "Straße, 猫, קוף, e\u0301, $5 \\ [a] 👩\u200d🚀\n\tnext"

    assert shown(text) == text


def test_a_byte_that_is_no_utf_8_is_shown_as_that_byte() -> None:
    assert shown(os.fsdecode(b"caf\xe9\x1b")) == r"caf\xe9\x1b"


@pytest.mark.parametrize("name", ODD.values(), ids=ODD)
def test_toml_and_json_give_the_name_back(name: str) -> None:
    written = tomlkit.dumps(for_toml({"table": {name: [name, {"key": name}]}}))

    assert parse_toml(written.encode().decode()) == {"table": {name: [name, {"key": name}]}}
    assert json.loads(json.dumps(name).encode()) == name


@given(st.text(st.characters(codec="utf-8")) | st.binary().map(os.fsdecode))
def test_any_name_comes_back_from_toml(name: str) -> None:
    toml_text(name).encode()

    assert restored(toml_text(name)) == name


def test_a_name_that_toml_can_hold_is_written_as_it_is() -> None:
    assert toml_text("/data/café $1\\") == "/data/café $1\\"
    assert toml_text(os.fsdecode(b"/data/caf\xe9")) == "%bytes:/data/caf%E9"


@pytest.mark.parametrize("name", ODD.values(), ids=ODD)
def test_a_sheet_is_drawn_with_any_name(name: str) -> None:
    column = SheetColumn(name[:40], torch.zeros(1, 3, 4, 4), notes=(name[:40],))
    written = io.BytesIO()

    draw_columns([column], [name[:40]]).savefig(written, format="png", dpi=20)

    assert written.getvalue()


def test_a_prompt_has_no_bytes_that_a_tokeniser_cannot_read() -> None:
    assert class_prompt("a {}", os.fsdecode(b"caf\xe9_au_lait")) == r"a caf\xe9 au lait"


def test_texts_in_tables_and_lists_are_shown() -> None:
    assert all_shown({"a\0": ["\x1b", (1, None)]}) == {r"a\x00": [r"\x1b", [1, None]]}


@pytest.mark.parametrize("variables", LOCALES.values(), ids=LOCALES)
def test_tables_and_messages_with_odd_names_in_any_locale(
    variables: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "names.json").write_text(json.dumps(list(ODD.values())))
    command = [sys.executable, "-c", PRINTED, str(tmp_path / "names.json")]

    done = subprocess.run(command, capture_output=True, env={**os.environ, **variables})

    errors = done.stderr.decode("latin-1")
    assert (done.returncode, "Traceback" in errors) == (2, False), errors
    assert errors.count("error: unknown '") == len(ODD)
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", done.stdout + done.stderr)


@pytest.mark.parametrize("name", [name for name in ODD.values() if "\0" not in name])
def test_a_shell_reads_the_word_that_a_message_gives_it(name: str) -> None:
    script = f"printf %s {shell_word(name)}"

    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True)

    assert os.fsdecode(done.stdout) == name
