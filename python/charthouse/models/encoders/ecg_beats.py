"""The median beat of an ECG: all of its beats laid over each other, and the middle of them.

Noise and single odd beats vanish; what every beat has, its waves and intervals, stays. Beats are
found as Pan and Tompkins 1985 (IEEE Transactions on Biomedical Engineering) do, in all leads at
once: where the slopes of the frequencies of a QRS complex are steep.
"""

from fractions import Fraction

import numpy as np
from scipy import signal
from scipy.ndimage import uniform_filter1d

RATE = 500  # Hz at which beats are found; other rates are resampled to it
BAND = (0.5, 40.0)  # Hz; below is breathing, above are muscles and the mains
QRS_BAND = (5.0, 15.0)
BEFORE, AFTER = 0.25, 0.45  # seconds around the R peak: P wave, QRS complex, T wave
ENVELOPE = 0.12  # seconds, about the width of a QRS complex
REFRACTORY = 0.24  # seconds: no two beats are nearer
HEIGHT = 0.3  # of the height of the steepest complexes
FEWEST = 3  # beats; a middle of fewer keeps the noise of one
ALIKE = 0.5  # correlation of half of the beats with the median beat; noise has less
STEP = 2  # of 500 samples a second every second: nothing above 40 Hz is left

SAMPLES = round((BEFORE + AFTER) * RATE) // STEP
"""Of the median beat of a lead."""

NO_BEAT = "no beat was found"


def median_beat(leads: np.ndarray, rate: float) -> np.ndarray | str:
    """The median beat of an ECG.

    Args:
        leads: [leads, samples] float64 in mV, none NaN.
        rate: samples a second.

    Returns:
        float32 [leads, SAMPLES] in mV, at 250 Hz, from 0.25 s before the R peak to 0.45 s after it;
        or why there is none.
    """
    if rate != RATE:
        ratio = Fraction(RATE / rate).limit_denominator(1000)
        leads = signal.resample_poly(leads, ratio.numerator, ratio.denominator, axis=1)
    filtered = _band_pass(leads, BAND)
    start, length = round(BEFORE * RATE), round((BEFORE + AFTER) * RATE)
    first = r_peaks(leads) - start
    first = first[(first >= 0) & (first + length <= filtered.shape[1])]  # whole beats
    if len(first) < FEWEST:
        return NO_BEAT
    beats = np.stack([filtered[:, place : place + length] for place in first])
    median = np.median(beats, axis=0)
    if np.median(_correlations(beats, median)) < ALIKE:
        return NO_BEAT
    beat: np.ndarray = median[:, ::STEP].astype(np.float32)
    return beat


def r_peaks(leads: np.ndarray) -> np.ndarray:
    """Places of the R peaks, in samples, of leads [leads, samples] at RATE."""
    complexes = _band_pass(leads, QRS_BAND)
    steepness = (np.gradient(complexes, axis=1) ** 2).sum(axis=0)
    width = round(ENVELOPE * RATE)
    envelope = uniform_filter1d(steepness, width, mode="constant")
    # the steepest of each second: a single artefact does not set the height
    seconds = [envelope[start : start + RATE].max() for start in range(0, len(envelope), RATE)]
    found, _ = signal.find_peaks(
        envelope, height=HEIGHT * np.median(seconds), distance=round(REFRACTORY * RATE)
    )
    # from the middle of the complex to where it is largest
    size = (complexes**2).sum(axis=0)
    reach = width // 2
    peaks = []
    for place in found:
        low = max(0, place - reach)
        peaks.append(low + int(np.argmax(size[low : place + reach + 1])))
    return np.unique(np.array(peaks, np.int64))


def _band_pass(leads: np.ndarray, band: tuple[float, float]) -> np.ndarray:
    """Forward and backward, so that no wave is moved."""
    sections = signal.butter(2, band, "bandpass", fs=RATE, output="sos")
    passed: np.ndarray = signal.sosfiltfilt(sections, leads, axis=1)
    return passed


def _correlations(beats: np.ndarray, median: np.ndarray) -> np.ndarray:
    """Of each beat with the median beat, over all leads; [beats]."""
    centred = beats - beats.mean(axis=(1, 2), keepdims=True)
    middle = median - median.mean()
    products = (centred * middle).sum(axis=(1, 2))
    lengths = np.sqrt((centred**2).sum(axis=(1, 2)) * (middle**2).sum())
    return products / np.maximum(lengths, np.finfo(float).tiny)
