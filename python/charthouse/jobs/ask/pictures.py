"""The picture that stands beside a question."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import PIL.Image

from charthouse.data.xray_files import read_grayscale

BLANK_GRAY = 128  # of 255: the middle; black would look like an X-ray that failed


def at_size_of(
    path: Path | None, size_of: Callable[[int, int], tuple[int, int]]
) -> PIL.Image.Image:
    """The X-ray in 8-bit gray at the size at which a learner sees it; Unreadable if it is none."""
    picture = read_grayscale(path)
    size = size_of(*picture.size)
    return picture if size == picture.size else picture.resize(size, PIL.Image.Resampling.BICUBIC)


def blank_like(picture: PIL.Image.Image) -> PIL.Image.Image:
    """All gray, of the same size."""
    return PIL.Image.new("L", picture.size, BLANK_GRAY)


def hash_of(picture: PIL.Image.Image) -> str:
    """Of the pixels as they are shown, whatever file they came from."""
    content = repr(picture.size).encode() + picture.tobytes()
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def swapped(subjects: Mapping[int, int], seed: int) -> dict[int, int]:
    """For each stay that has a picture the stay of another patient, to take its picture from.

    The stays stand in a ring, in an order that depends on the seed and on their numbers alone; each
    gets the next one that is another patient's. Takes stay_id to subject_id; gives stay_id to
    stay_id, without the stays for which there is no other patient.
    """
    ring = sorted(subjects, key=lambda stay_id: seeded_order(stay_id, seed))
    found = {}
    for place, stay_id in enumerate(ring):
        others = (ring[(place + step) % len(ring)] for step in range(1, len(ring)))
        other = next((each for each in others if subjects[each] != subjects[stay_id]), None)
        if other is not None:
            found[stay_id] = other
    return found


def seeded_order(stay_id: int, seed: int) -> bytes:
    """By which stays are drawn: as good as at random, and the same whatever else there is."""
    return hashlib.md5(f"{seed}:{stay_id}".encode(), usedforsecurity=False).digest()
