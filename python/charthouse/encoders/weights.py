"""Where pretrained weights are: a local folder, or the Hugging Face hub at a pinned revision."""

import fnmatch
import hashlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from charthouse.encoders.registry import EncoderSpec
from charthouse.errors import CharthouseError


def local_weights(spec: EncoderSpec, patterns: Sequence[str]) -> Path | None:
    """The folder with the weights on this machine, without asking the network; None if absent.

    CHARTHOUSE_WEIGHTS/<encoder> comes before the hub's cache.
    """
    if (folder := _named_folder(spec)) is not None:
        return folder if _has(folder, patterns) else None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        found = snapshot_download(
            spec.hub_id,
            revision=spec.revision or None,
            allow_patterns=list(patterns),
            local_files_only=True,
        )
    except (LocalEntryNotFoundError, ValueError):
        return None
    return Path(found) if _has(Path(found), patterns) else None


def find_weights(spec: EncoderSpec, patterns: Sequence[str]) -> Path:
    """The folder with the weights: local, else fetched from the hub unless HF_HUB_OFFLINE is set.

    Args:
        spec: names the model and its revision.
        patterns: the files needed, such as ("config.json", "*.safetensors"); "a|b" is either.

    Raises:
        CharthouseError: they are absent and cannot be fetched; gives the command that does.
    """
    alternatives = [pattern for either in patterns for pattern in either.split("|")]
    if (found := local_weights(spec, patterns)) is not None:
        return found
    if (folder := _named_folder(spec)) is not None:
        missing = [pattern for pattern in patterns if not _has(folder, [pattern])]
        raise CharthouseError(
            f"{folder} lacks {', '.join(missing)}. Fetch them: {fetch_command(spec, folder)}"
        )
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    absent = f"The weights of {spec.encoder} are not on this machine"
    mend = (
        f"{fetch_command(spec)}; or put them in a folder {spec.encoder} below CHARTHOUSE_WEIGHTS."
    )
    if constants.HF_HUB_OFFLINE:
        raise CharthouseError(
            f"{absent} and HF_HUB_OFFLINE is set. Where there is a network: {mend}"
        )
    # each retry without a network would be a line of its own; the one below says it all
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        folder = Path(
            snapshot_download(
                spec.hub_id, revision=spec.revision or None, allow_patterns=alternatives
            )
        )
    except (HfHubHTTPError, HFValidationError, OSError, ValueError) as error:
        raise CharthouseError(
            f"{absent} and could not be fetched ({type(error).__name__}). Fetch them: {mend}"
        ) from None
    if not _has(folder, patterns):
        raise CharthouseError(f"{spec.hub_id} at {spec.revision} holds no {', '.join(patterns)}.")
    return folder


def fetch_command(spec: EncoderSpec, folder: Path | None = None) -> str:
    """The command line that fetches the weights."""
    revision = f" --revision {spec.revision}" if spec.revision else ""
    return f"hf download {spec.hub_id}{revision}" + (f" --local-dir {folder}" if folder else "")


def hash_of_files(folder: Path, patterns: Sequence[str]) -> str:
    """A hash of the bytes of the files that match, so that weights are known by what they are."""
    hashed = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and any(
            fnmatch.fnmatch(name, pattern) for either in patterns for pattern in either.split("|")
        ):
            with path.open("rb") as file:
                hashed.update(
                    f"{name}:{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode()
                )
    return hashed.hexdigest()[:32]


def _named_folder(spec: EncoderSpec) -> Path | None:
    root = os.environ.get("CHARTHOUSE_WEIGHTS")
    folder = Path(root) / spec.encoder if root else None
    return folder if folder is not None and folder.is_dir() else None


def _has(folder: Path, patterns: Sequence[str]) -> bool:
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return all(
        any(fnmatch.filter(names, pattern) for pattern in either.split("|")) for either in patterns
    )
