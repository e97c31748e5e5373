"""Where pretrained weights are: a local folder, or the Hugging Face hub at a pinned revision."""

import fnmatch
import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from charthouse.core.errors import CharthouseError


class Published(Protocol):
    """A row of seeds/registries/encoders.csv or seeds/registries/learners.csv."""

    @property
    def name(self) -> str:
        """Of the encoder or learner, and of its folder below CHARTHOUSE_WEIGHTS."""

    @property
    def hub_id(self) -> str:
        """On the Hugging Face hub."""

    @property
    def revision(self) -> str:
        """Pinned; '' for the newest."""


def local_weights(spec: Published, patterns: Sequence[str]) -> Path | None:
    """The folder with the weights on this machine, without asking the network; None if absent.

    CHARTHOUSE_WEIGHTS/<name> comes before the hub's cache.
    """
    if (folder := _named_folder(spec)) is not None:
        return None if _missing(_names(folder), patterns) else folder
    snapshot = _cached_snapshot(spec)
    if snapshot is None or _missing(_names(snapshot), patterns):
        return None
    return snapshot


def find_weights(spec: Published, patterns: Sequence[str]) -> Path:
    """The folder with the weights: local, else fetched from the hub unless HF_HUB_OFFLINE is set.

    Patterns are of the files needed, such as ("config.json", "*.safetensors|*.bin", "merges.txt?"):
    a|b is a, or b where there is no a; a? is taken along if it is there. One without a slash is of
    the top folder alone, where a repository has its weights for torch.

    Raises:
        CharthouseError: they are absent and cannot be fetched; gives the command that does.
    """
    if (found := local_weights(spec, patterns)) is not None:
        return found
    if (folder := _named_folder(spec)) is not None:
        missing = _missing(_names(folder), patterns)
        command = fetch_command(spec, patterns, folder)
        raise CharthouseError(f"{folder} lacks {', '.join(missing)}. Fetch them: {command}")
    from huggingface_hub import constants, list_repo_files, snapshot_download

    absent = f"The weights of {spec.name} are not on this machine"
    command = fetch_command(spec, patterns)
    mend = f"{command}; or put them in a folder {spec.name} below CHARTHOUSE_WEIGHTS."
    if constants.HF_HUB_OFFLINE:
        raise CharthouseError(
            f"{absent} and HF_HUB_OFFLINE is set. Where there is a network: {mend}"
        )
    # each retry without a network would be a line of its own; the one below says it all
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    revision = spec.revision or None
    with damage_told(f"{absent} and could not be fetched", f". Fetch them: {mend}"):
        names = list_repo_files(spec.hub_id, revision=revision)
        if missing := _missing(names, patterns):
            raise CharthouseError(
                f"{spec.hub_id} at {revision or 'its newest revision'} holds no"
                f" {', '.join(missing)}: correct the row of {spec.name} in seeds/."
            )
        wanted = [name for pattern in patterns for name in _matches(names, pattern)]
        return Path(snapshot_download(spec.hub_id, revision=revision, allow_patterns=wanted))


@contextmanager
def damage_told(what: str, mend: str = ": fetch it again.") -> Iterator[None]:
    """Any exception becomes a line: damaged files raise all sorts, each library its own."""
    try:
        yield
    except CharthouseError:
        raise
    except Exception as error:
        raise CharthouseError(f"{what} ({type(error).__name__}){mend}") from None


def published_revision(spec: Published, patterns: Sequence[str]) -> str | None:
    """The commit on the hub that the weights are of; None for a folder below CHARTHOUSE_WEIGHTS.

    Raises:
        CharthouseError: as find_weights.
    """
    folder = find_weights(spec, patterns)
    return None if folder == _named_folder(spec) else folder.name


def fetch_command(spec: Published, patterns: Sequence[str], folder: Path | None = None) -> str:
    """The command line that fetches the weights; of a large repository only their part."""
    parts = dict.fromkeys(pattern.split("/")[0] for pattern in patterns if "/" in pattern)
    words = [f"hf download {spec.hub_id}"]
    words += [f"--revision {spec.revision}"] if spec.revision else []
    words += [f"--include '{part}/*'" for part in parts]
    words += [f"--local-dir {folder}"] if folder else []
    return " ".join(words)


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


def _named_folder(spec: Published) -> Path | None:
    root = os.environ.get("CHARTHOUSE_WEIGHTS")
    if not root:
        return None
    if not Path(root).is_dir():
        raise CharthouseError(f"CHARTHOUSE_WEIGHTS: {root} is no folder. Correct it, or unset it.")
    folder = Path(root) / spec.name
    return folder if folder.is_dir() else None


def _cached_snapshot(spec: Published) -> Path | None:
    """The revision in the hub's cache, whose layout is documented and the same for all its clients.

    Not by snapshot_download, which takes a snapshot for incomplete unless it holds every file.
    """
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    name = repo_folder_name(repo_id=spec.hub_id, repo_type="model")
    cache = Path(constants.HF_HUB_CACHE) / name
    newest = cache / "refs/main"
    revision = spec.revision or (newest.read_text().strip() if newest.exists() else "")
    return cache / "snapshots" / revision if revision else None


def _names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _missing(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """The patterns that must match something and do not."""
    return [p for p in patterns if not p.endswith("?") and not _matches(names, p)]


def _matches(names: Sequence[str], pattern: str) -> list[str]:
    """The names that the first alternative to match any matches."""
    on_top = [name for name in names if "/" not in name]
    found = (
        fnmatch.filter(names if "/" in either else on_top, either)
        for either in pattern.removesuffix("?").split("|")
    )
    return next((matching for matching in found if matching), [])
