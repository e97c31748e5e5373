"""Which device networks run on."""

from pathlib import Path

from charthouse.core.errors import CharthouseError, require_known


def choose_device(requested: str) -> str:
    """cpu or cuda; auto is the GPU if there is one. torch is only requested where a driver is.

    Raises:
        CharthouseError: cuda was requested for, and torch finds none; or another word.
    """
    require_known("--device", requested, ("auto", "cpu", "cuda"))
    if requested == "cpu" or (requested == "auto" and not Path("/proc/driver/nvidia").exists()):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if requested == "cuda":
        raise CharthouseError("--device cuda: torch finds no GPU here. Use --device cpu.")
    return "cpu"
