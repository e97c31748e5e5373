"""The device that neural networks run on."""

from pathlib import Path

from charthouse.core.errors import CharthouseError, require_known


def choose_device(requested: str) -> str:
    """Resolves --device to cpu or cuda; auto is the GPU if there is one.

    torch is imported only where the machine has a driver.

    Raises:
        CharthouseError: cuda was requested, but torch finds no GPU; or the word is unknown.

    Example:
        >>> choose_device("cpu")
        'cpu'
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
