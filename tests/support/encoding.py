"""What tests of encoders share: stays made of contents, a fit as the job does it, equal bits."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench import PROJECT
from charthouse.models.encoders.base import Context, Encoded, Encoder, FittedEncoder, Stay
from charthouse.models.encoders.registry import encoder_spec


def context(name: str, **more: Any) -> Context:
    return Context(encoder_spec(PROJECT, name), more.pop("variables", {}), **more)


def stays(contents: Sequence[Any]) -> list[Stay]:
    return [Stay(100 + n, n, "train", content) for n, content in enumerate(contents)]


def fitted(encoder: FittedEncoder, train: Sequence[Stay]) -> FittedEncoder:
    """Fits, and restores from what a file gives back, as the job does."""
    file = io.BytesIO()
    np.savez_compressed(file, **encoder.fit(train))  # type: ignore[arg-type]
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        encoder.restore({name: arrays[name] for name in arrays.files})
    return encoder


def by_stay(encoded: Encoded) -> dict[int, bytes]:
    return {
        int(stay): row.tobytes()
        for stay, row in zip(encoded.stay_ids, encoded.vectors, strict=True)
    }


def assert_same_in_any_company(encoder: Encoder, all_stays: Sequence[Stay]) -> None:
    together = by_stay(encoder.encode(all_stays))
    assert together
    rng = np.random.default_rng(0)
    for size in (1, 3, len(all_stays)):
        shuffled = [all_stays[place] for place in rng.permutation(len(all_stays))]
        apart: dict[int, bytes] = {}
        for start in range(0, len(shuffled), size):
            apart |= by_stay(encoder.encode(shuffled[start : start + size]))
        assert apart == together
    empty = encoder.encode([])
    assert len(empty.stay_ids) == len(empty.vectors) == len(empty.skipped) == 0


def assert_fit_ignores_order(make: Any, train: Sequence[Stay]) -> None:
    learned, again = make().fit(train), make().fit(train[::-1])
    assert set(learned) == set(again)
    for name, values in learned.items():
        assert values.dtype.kind in "fiU"
        np.testing.assert_array_equal(values, again[name])
