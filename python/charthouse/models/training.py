"""How networks are trained on the cohort: reproducibly, and until it no longer pays."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch


@contextmanager
def reproducible(device: str = "cpu") -> Iterator[None]:
    """One thread; the caller's threads and random state, the device's too, are restored afterwards.

    How sums are split among threads changes bits.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[device] if device.startswith("cuda") else []):
            yield
    finally:
        torch.set_num_threads(threads)


def early_stopping(
    network: torch.nn.Module, epoch: Callable[[], float], *, epochs: int, patience: int
) -> tuple[int, bool]:
    """Trains until the loss has not fallen for `patience` epochs; the best weights are kept.

    `epoch` trains for an epoch and returns the loss of rows that it does not learn from. Where no
    loss is finite the network keeps the weights it had.

    Returns:
        How many epochs it took, and whether it stopped since the loss fell no more.
    """
    best, lowest, waited, done = copy.deepcopy(network.state_dict()), float("inf"), 0, 0
    while done < epochs and waited < patience:
        loss = epoch()
        done += 1
        if loss < lowest:
            # a copy: state_dict() hands out the live weights
            best, lowest, waited = copy.deepcopy(network.state_dict()), loss, 0
        else:
            waited += 1
    network.load_state_dict(best)
    network.eval()
    return done, waited == patience
