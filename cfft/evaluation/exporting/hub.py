"""Send a folder to the Hugging Face hub, which nothing but an explicit --push asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cfft.errors import ConfigError

_OWN = frozenset({".gitattributes"})
"""What the hub puts into a new repository."""


def require_access(repo: str) -> None:
    """Raise ConfigError unless `repo`, OWNER/NAME, is free and somebody is logged in.

    Asks the hub, so that an export does not fail after its work.
    """
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise ConfigError(f"--push {repo}: {_first_line(error)}: give OWNER/NAME") from None
    if huggingface_hub.get_token() is None:
        raise ConfigError(
            f"--push {repo}: nobody is logged in to the Hugging Face hub: run `hf auth login`, or "
            "set HF_TOKEN, with a token that may write"
        )
    held = _asked(repo, huggingface_hub.HfApi())
    if held:
        raise ConfigError(
            f"--push {repo}: that repository holds {', '.join(held[:3])} already: give another "
            f"name, or export without --push and upload it yourself: hf upload {repo} DIR"
        )


def push(folder: Path, repo: str) -> str:
    """Make `repo`, for its owner alone to see, and send what is in `folder`; return its address.

    Raises ConfigError where the hub refuses; the folder stays.
    """
    import huggingface_hub

    api = huggingface_hub.HfApi()
    try:
        made = api.create_repo(repo, private=True, exist_ok=True)
        api.upload_folder(
            repo_id=repo, folder_path=folder, commit_message="Add a model exported by cfft"
        )
    except Exception as error:  # the client's errors have no common ancestor
        raise ConfigError(
            f"wrote {folder}, but it could not be pushed to {repo}: {_first_line(error)}; when "
            f"that is mended: hf upload {repo} {folder}"
        ) from error
    return str(made)


def _asked(repo: str, api: Any) -> list[str]:
    """Return the files that the repository holds, none where it does not exist."""
    try:
        api.whoami()
        return sorted({*api.list_repo_files(repo)} - _OWN) if api.repo_exists(repo) else []
    except Exception as error:  # as above
        raise ConfigError(f"--push {repo}: the hub refuses: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
