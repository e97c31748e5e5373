"""Checkpoints of torch, and the libraries that make models of them: imported so that they work."""

import importlib
import importlib.util
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch.library import Library

from charthouse.core.errors import CharthouseError
from charthouse.models.weights import damage_told

CHECKPOINTS = ("model.safetensors", "*.safetensors", "pytorch_model.bin", "*.pth", "*.bin")
_declared: list[Library] = []  # a schema lives no longer than its Library


@cache
def mend_torchvision() -> None:
    """Lets torchvision be imported where its operators were compiled for another build of torch.

    timm and transformers import torchvision, and with the CPU build of torch beside the registry's
    torchvision that import fails on operators that nobody here calls. Declaring their schemas is
    enough; with a matching pair of builds nothing is declared.
    """
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None or "torchvision" in sys.modules:
        return
    for compiled in Path(found.origin).parent.glob("_C.*"):
        with suppress(OSError):  # torchvision does the same first, and once more does no harm
            torch.ops.load_library(compiled)
    absent = [name for name in ("nms", "qnms") if not hasattr(torch.ops.torchvision, name)]
    if absent:
        library = Library("torchvision", "FRAGMENT")
        for name in absent:
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)


def import_timm() -> ModuleType:
    """timm, with torchvision mended first."""
    mend_torchvision()
    return importlib.import_module("timm")


def import_transformers() -> ModuleType:
    """transformers, with torchvision mended first: its models import it too."""
    mend_torchvision()
    return importlib.import_module("transformers")


@contextmanager
def quiet(transformers: ModuleType) -> Iterator[None]:
    """No progress bars and no reports of unused tensors on the user's terminal."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def checkpoint_of(folder: Path) -> Path:
    """The weights in a folder that may hold several forms of them; CharthouseError if none."""
    for pattern in CHECKPOINTS:
        if found := sorted(folder.glob(pattern)):
            return found[0]
    raise CharthouseError(f"{folder} holds no weights ({', '.join(CHECKPOINTS)}).")


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of the folder; {} where there is none.

    Raises:
        CharthouseError: it is not JSON.
    """
    path = folder / "config.json"
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text()))
    except ValueError as error:
        raise CharthouseError(f"{path} is not JSON: fetch it again.") from error


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint by name; never runs code that a file carries.

    Raises:
        CharthouseError: it is damaged, or holds something else than tensors.
    """
    with damage_told(f"{path} cannot be read as weights"):
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    for wrapping in ("model", "state_dict"):  # as training scripts save them
        if isinstance(content, dict) and isinstance(content.get(wrapping), dict):
            content = content[wrapping]
    if not isinstance(content, dict) or not all(map(torch.is_tensor, content.values())):
        raise CharthouseError(f"{path} holds something else than named tensors.")
    return content


def load_strictly(
    model: torch.nn.Module, tensors: Mapping[str, torch.Tensor], path: Path
) -> torch.nn.Module:
    """Gives the model its weights, in evaluation mode, float32.

    Raises:
        CharthouseError: a tensor is missing, left over or of another shape.
    """
    expected = model.state_dict()
    require_fit(
        type(model).__name__,
        path,
        missing=expected.keys() - tensors.keys(),
        unexpected=tensors.keys() - expected.keys(),
        misshapen=[
            name
            for name in expected.keys() & tensors.keys()
            if expected[name].shape != tensors[name].shape
        ],
    )
    model.load_state_dict(tensors)
    return model.float().eval().requires_grad_(False)


def require_fit(
    model: str,
    path: Path,
    *,
    missing: Iterable[str],
    unexpected: Iterable[str] = (),
    misshapen: Iterable[str] = (),
) -> None:
    """Stops, by a CharthouseError, at a checkpoint whose tensors are not those of the model."""
    faults = {
        "lacks": sorted(missing),
        "has no use for": sorted(unexpected),
        "has the wrong shape of": sorted(misshapen),
    }
    listed = [
        f"{fault} {names[0]}" + (f" and {len(names) - 1} more" if names[1:] else "")
        for fault, names in faults.items()
        if names
    ]
    if listed:
        raise CharthouseError(
            f"{path} does not fit {model}: it {'; '.join(listed)}."
            " Fetch the weights again, with their config.json."
        )
