"""Text from outside: names of classes, files and models as others can hold them.

A file name may hold every byte but two; Python spells bytes that are no UTF-8 as lone surrogates.
JSON holds these as escapes. TOML, HTML and figures hold no surrogate, and terminals obey control
characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

_MARK = "%bytes:"
_SURROGATE = "[\ud800-\udfff]"
# C0 and C1 but tab and newline, separators of lines, marks that change the direction of writing
_UNSHOWN = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff"
    "\ufffe\uffff]"
)
_IN_A_LINE = f"{_UNSHOWN[:-1]}\t\n]"


def shown(text: str) -> str:
    r"""Return a text as a terminal may have it: what it would obey is spelled, such as \x1b.

    Tabs and ends of lines stay. A byte that is no UTF-8 is spelled as that byte.
    """
    return re.sub(_UNSHOWN, _spelled, text)


def shown_in_line(text: str) -> str:
    r"""Return a text as one line of a terminal, a page or a figure may have it."""
    return re.sub(_IN_A_LINE, _spelled, text)


def shell_word(text: str) -> str:
    r"""Return a text as a shell reads it, where need be as bash's $'\x1b'."""
    import shlex  # --help does without

    plain = shown_in_line(text)
    if plain == text:
        return shlex.quote(text)
    escaped = shown_in_line(text.replace("\\", r"\\").replace("'", r"\'"))
    return f"$'{escaped}'"


def encodable(text: str) -> str:
    r"""Return a text with bytes that are no UTF-8 spelled, such as \xe9; all else stays."""
    return re.sub(_SURROGATE, _spelled, text)


def json_line(value: Any) -> str:
    r"""Return a value as one line of JSON in UTF-8; other bytes of names are escaped, as \udce9."""
    import json  # --help does without

    text = json.dumps(value, ensure_ascii=False)
    return re.sub(_SURROGATE, lambda found: f"\\u{ord(found[0]):04x}", text)


def all_shown(value: Any) -> Any:
    """Return tables, lists and values with every text, keys included, as `shown_in_line`."""
    return _with_texts(value, shown_in_line)


def for_toml(value: Any) -> Any:
    """Return tables, lists and values with every text, keys included, as `toml_text`."""
    return _with_texts(value, toml_text)


def toml_text(text: str) -> str:
    """Return a text as TOML can hold it, from which `restored` makes the same again.

    Bytes that are no UTF-8 are written %XX, after a mark that says so.
    """
    if not re.search(_SURROGATE, text) and not text.startswith(_MARK):
        return text
    return _MARK + quote(text, errors="surrogateescape")


def restored(text: str) -> str:
    """Return the text that `toml_text` was given."""
    if not text.startswith(_MARK):
        return text
    return unquote(text.removeprefix(_MARK), errors="surrogateescape")


def _with_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {change(key): _with_texts(inner, change) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_texts(inner, change) for inner in value]
    return change(value) if isinstance(value, str) else value


def _spelled(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"
