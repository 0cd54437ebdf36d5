"""Names that lists, their columns and folders of images usually have."""

from __future__ import annotations

import re
from collections.abc import Mapping

from PIL import Image

SPLITS: Mapping[str, str] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""The in-distribution parts by what people call them."""
IMAGE = (
    *("path", "paths", "filepath", "filepaths", "file_path", "image_path", "img_path"),
    *("file", "files", "filename", "filenames", "file_name", "fname", "image", "images", "img"),
    *("image_name", "img_name", "image_id", "imageid", "img_id", "id", "id_code"),
)
LABEL = (
    *("class_name", "label_name", "category_name", "class", "label", "labels", "category"),
    *("target", "class_id", "label_id", "category_id", "class_index", "class_idx"),
)
SPLIT = ("split", "subset", "partition", "set", "data_set", "dataset")
DOMAIN = ("domain", "domain_name")
NO_LISTS = frozenset(
    (
        *("classes", "class_names", "classnames", "readme", "license", "licence"),
        *("requirements", "sample_submission"),
    )
)
"""Files beside lists that are none."""
_SAYS_NOTHING = frozenset(
    (
        *("list", "lists", "label", "labels", "image", "images", "img", "imgs", "file", "files"),
        *("annotation", "annotations", "metadata", "meta", "data", "dataset", "index"),
    )
)


def split_and_domain(name: str) -> tuple[str | None, str]:
    """Return what the name of a list or a folder says: the part, or None, and a domain, or "".

    `train`, `val_list` and `train_images` name a part, `clipart_train` both, `sketch` a domain and
    `labels` nothing.
    """
    words = [word for word in re.split(r"[\s_.-]+", name) if word]
    kept = [word for word in words if word.casefold() not in _SAYS_NOTHING]
    parts = [word for word in kept if word.casefold() in SPLITS]
    if len(parts) == 1:
        rest = "_".join(word for word in kept if word not in parts)
        return SPLITS[parts[0].casefold()], rest
    return None, name if kept == words else "_".join(kept)


def plain(column: str) -> str:
    """Return the name of a column without case, and with _ between its words."""
    return re.sub(r"[\s_-]+", "_", column.strip()).casefold()


def is_image_name(text: str) -> bool:
    """Tell whether a text ends like the name of an image file."""
    _, dot, suffix = text.rpartition(".")
    return bool(dot) and f".{suffix.lower()}" in Image.registered_extensions()
