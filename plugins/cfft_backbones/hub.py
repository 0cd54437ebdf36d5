"""Fetch files from the Hugging Face hub; where it cannot be reached, say so at once."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import cfft

_PATIENCE_SECONDS = 10


def fetch(repo: str, names: Sequence[str], asked: str) -> Path:
    """Return the first of `names` that `repo` has, downloaded unless it is cached.

    `asked` is how the user named it. Raises WeightsError in one line, without the minute of
    retries that the hub's client takes when there is no network.
    """
    cached = _cached(repo, names)
    if cached is not None:
        return cached
    reason = _unreachable()
    if reason is not None:
        raise _failure(repo, asked, reason)
    return _download(repo, names, asked)


def _cached(repo: str, names: Sequence[str]) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = (try_to_load_from_cache(repo, name) for name in names)
    return next((Path(path) for path in found if isinstance(path, str)), None)


def _unreachable() -> str | None:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        with urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=_PATIENCE_SECONDS):
            return None
    except HTTPError:  # it answers, if only to refuse this address
        return None
    except URLError as error:
        trusted_elsewhere = isinstance(error.reason, ssl.SSLError)
        return None if trusted_elsewhere else f"{constants.ENDPOINT}: {error.reason}"
    except OSError as error:
        return f"{constants.ENDPOINT}: {error}"


def _download(repo: str, names: Sequence[str], asked: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    for name in names:
        try:
            return Path(hf_hub_download(repo, name))
        except LocalEntryNotFoundError as error:
            raise _failure(repo, asked, _first_line(error)) from error
        except EntryNotFoundError:
            continue
        except Exception as error:  # the client's errors have no common ancestor
            raise _failure(repo, asked, _first_line(error)) from error
    raise _failure(repo, asked, f"the repository has no {' or '.join(names)}")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__


def _failure(repo: str, asked: str, reason: str) -> cfft.WeightsError:
    return cfft.WeightsError(
        f"{asked}: not in the cache, and {repo} could not be downloaded ({reason}); "
        "go online, or give a local weight file (--pretrained PATH)"
    )
