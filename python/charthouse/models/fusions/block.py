"""What a fusion reads: the vectors of one encoder, for every stay."""

from dataclasses import dataclass

import numpy as np

PRESENCE = "presence"
"""Name of the block that says which modalities a stay has, and of the arm of it alone."""


@dataclass(frozen=True)
class Source:
    """Vectors of the present cohort that one run of an encoder made (results.run_inputs).

    Attributes:
        encoder: Its name.
        task: Of encoders that are trained per task.
        run_id: Of the encoder's run.
        stays: How many of the vectors it made.
        content_hash: Of all vectors of the encoder for the task, whichever runs made them.
    """

    encoder: str
    task: str | None
    run_id: str
    stays: int
    content_hash: str


@dataclass(frozen=True, eq=False)
class Block:
    """One encoder's part of an arm.

    Attributes:
        modality: Its name, or presence.
        encoder: Name of the encoder.
        names: [d], of the numbers of a vector.
        vectors: [n, d] float32, by stay in order of stay_id; zeros where the stay has none.
        present: [n], whether the stay has one.
        sources: The runs that made the vectors; of presences none.
        vectors_hash: Of the bytes of the vectors that were read (results.run_inputs).
    """

    modality: str
    encoder: str
    names: tuple[str, ...]
    vectors: np.ndarray
    present: np.ndarray
    sources: tuple[Source, ...] = ()
    vectors_hash: str | None = None
