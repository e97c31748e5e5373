"""Independent random streams, one per purpose and chunk: the order of work never matters."""

from enum import IntEnum

import numpy as np


class RandomStream(IntEnum):
    """The purpose of a stream of random numbers."""

    POPULATION = 1
    PLANTS = 2
    VITALS = 3
    FILLER = 4
    STUDIES = 5
    REPORTS = 6
    WORDING = 7
    PICTURES = 8
    ERAS = 9
    SHIFTED = 10
    LAB_PLANS = 11
    LABS = 12
    LAB_FILLER = 13
    WEIGHTS = 14
    VENTILATION = 15
    INFECTIONS = 16
    PROCEDURES = 17
    VASOPRESSORS = 18
    INPUTS = 19
    OUTPUTS = 20
    CULTURES = 21
    PRESCRIPTIONS = 22
    DIAGNOSES = 23
    ECG_RECORDS = 24
    ECG_NUMBERS = 25
    ECG_WAVEFORMS = 26


def rng_for(seed: int, stream: RandomStream, chunk: int = 0) -> np.random.Generator:
    """The generator of one stream and chunk."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, stream, chunk))))
