"""How encoders compute on torch: on which device, and how precisely."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from charthouse.models.encoders.base import Context


def on_gpu(context: Context) -> bool:
    """Whether the device is a GPU."""
    return context.device == "cuda"


@contextmanager
def inference(context: Context) -> Iterator[None]:
    """No gradients; products of matrices in bfloat16 where the context asks for it."""
    halved = context.precision == "bfloat16"
    kind = "cuda" if on_gpu(context) else "cpu"
    with torch.inference_mode(), torch.autocast(kind, torch.bfloat16, enabled=halved):
        yield
