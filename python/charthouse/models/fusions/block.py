"""What a fusion reads: the vectors of one encoder, for every stay."""

from dataclasses import dataclass

import numpy as np

PRESENCE = "presence"
"""Name of the block that says which modalities a stay has, and of the arm of it alone."""


@dataclass(frozen=True)
class Source:
    """Vectors of the present cohort that one run of an encoder made (results.run_inputs)."""

    encoder: str
    task: str | None  # of encoders that are trained per task
    run_id: str  # of the encoder's run
    stays: int  # how many of the vectors it made
    content_hash: str  # of all vectors of the encoder for the task, whichever runs made them


@dataclass(frozen=True, eq=False)
class Block:
    """One encoder's part of an arm."""

    modality: str  # its name, or presence
    encoder: str
    names: tuple[str, ...]  # [d], of the numbers of a vector
    # [n, d] float32, by stay in order of stay_id; zeros where the stay has none
    vectors: np.ndarray
    present: np.ndarray  # [n], whether the stay has one
    sources: tuple[Source, ...] = ()  # the runs that made the vectors; of presences none
    # of the bytes of the vectors that were read (results.run_inputs)
    vectors_hash: str | None = None
