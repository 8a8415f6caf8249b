"""Weights files on the Hugging Face Hub, by an address `hf://USER/REPO[/FILE][@REVISION]`."""

import re
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from vosmem.errors import InputError

SCHEME = "hf://"
FILE = "model.safetensors"  # the Hub's own name for a repository's weights
_ADDRESS = re.compile(r"hf://(?P<repo>[^/@\s]+/[^/@\s]+)(?:/(?P<file>[^@\s]*[^/@\s]))?(?:@(?P<revision>\S+))?")


class Address(NamedTuple):
    """The address of a file on the Hub."""

    repo: str  # `USER/REPO`
    file: str  # its path there
    revision: str | None  # branch, tag or commit; None for the main branch


def parse_address(address: str) -> Address:
    """Split an address into its parts.

    Raises:
        InputError: the address has another form, or names a file other than .safetensors.

    Example:
        >>> parse_address("hf://someone/vos/remn/small.safetensors@v2")
        Address(repo='someone/vos', file='remn/small.safetensors', revision='v2')
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise InputError(f"{address!r} is no address on the Hub: write hf://USER/REPO[/FILE][@REVISION]")
    file = found["file"] or FILE
    if not file.endswith(".safetensors"):
        raise InputError(f"{address!r} names no weights file: from the Hub only .safetensors is read")
    return Address(found["repo"], file, found["revision"])


def fetch(address: str) -> Path:
    """Download a file from the Hub, or take it from the local cache.

    `huggingface_hub` reads its environment variables: `HF_HOME`, `HF_ENDPOINT`, `HF_HUB_OFFLINE`, `HF_TOKEN`.

    Raises:
        InputError: the address has another form, `huggingface_hub` is not installed, or there is no such file, no
            permission, or no connection and nothing in the cache.
    """
    repo, file, revision = parse_address(address)
    try:
        from huggingface_hub import errors, hf_hub_download
    except ImportError as error:
        raise InputError(f"{address!r} needs huggingface_hub: pip install 'vosmem[hub]'") from error
    faults = {  # subclasses before their base classes
        errors.GatedRepoError: "access has to be requested: do so on its page, then `hf auth login`",
        errors.RepositoryNotFoundError: f"there is no repository {repo!r}, or it is private (`hf auth login`)",
        errors.RevisionNotFoundError: f"it has no revision {revision!r}: check the part after @",
        errors.LocalEntryNotFoundError: "it is not in the local cache, and the Hub cannot be reached: go online once "
        "(without HF_HUB_OFFLINE), or give a file",
        errors.EntryNotFoundError: f"it holds no {file!r}: name its weights file, hf://{repo}/FILE",
        errors.HFValidationError: "this is no valid name on the Hub: write hf://USER/REPO",
    }
    try:
        return Path(
            hf_hub_download(repo, file, revision=revision, library_name="vosmem", library_version=version("vosmem"))
        )
    except Exception as error:  # connections fail with many types of error
        known = [text for kind, text in faults.items() if isinstance(error, kind)]
        raise InputError(
            f"{address!r} cannot be fetched: {known[0] if known else f'{type(error).__name__}, try again'}"
        ) from error
