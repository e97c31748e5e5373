"""Which device networks run on."""

from pathlib import Path

from charthouse.core.errors import CharthouseError, require_known


def choose_device(asked: str) -> str:
    """cpu or cuda; auto is the GPU if there is one. torch is only asked where a driver is.

    Raises:
        CharthouseError: cuda was asked for, and torch finds none; or another word.
    """
    require_known("--device", asked, ("auto", "cpu", "cuda"))
    if asked == "cpu" or (asked == "auto" and not Path("/proc/driver/nvidia").exists()):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if asked == "cuda":
        raise CharthouseError("--device cuda: torch finds no GPU here. Use --device cpu.")
    return "cpu"
