"""MOMENT-1-large, a foundation model of time series, as it is: nothing is trained.

Goswami et al. 2024, "MOMENT: A Family of Open Time-series Foundation Models", ICML. It reads 512
steps in 64 patches of 8; a shorter series stands at the end, and a mask says what was observed. 24
hourly bins fill 3 patches of the 64, yet momentfm computes all 64 and throws 61 away. Here only the
observed patches go through the encoder, with the same result (the more charted rows, the less is
saved):

- no query attends to a masked patch, so what those hold changes nothing,
- T5's position bias depends on distances alone,
- the sinusoids that are added are those of the patches' true positions, the last ones.

tests/models/test_encode_vitals.py proves it against momentfm's own `embed`;
benchmarks/moment_trimmed.py measures it.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from charthouse.core.errors import CharthouseError
from charthouse.models.checkpoints import (
    checkpoint_of,
    load_strictly,
    mend_torchvision,
    read_config,
    read_tensors,
)
from charthouse.models.encoders.base import Context, Encoded, Encoder, Events, Stay
from charthouse.models.encoders.charted_rows import charted_rows
from charthouse.models.encoders.hourly_grid import gaps, require_whole
from charthouse.models.encoders.precision import on_gpu
from charthouse.models.weights import damage_told, find_weights, hash_of_files

mend_torchvision()  # transformers' T5, which momentfm imports, imports torchvision

from momentfm import MOMENTPipeline  # noqa: E402

SEQ_LEN = 512
PATCH_LEN = 8
LAYOUT = {
    "seq_len": SEQ_LEN,
    "patch_len": PATCH_LEN,
    "patch_stride_len": PATCH_LEN,
    "revin_affine": False,
    "add_positional_embedding": True,
}
"""What this module relies on; all sizes of MOMENT-1 have it."""

FILES = ("config.json", "*.safetensors|*.bin")

TOKENS = {"cpu": 2048, "cuda": 65536}
"""Patches in a batch. More than some hundreds gains nothing on a CPU."""


class Moment(Encoder[np.ndarray | Events]):
    """Mean of MOMENT's patch embeddings over the variables and the observed patches of a stay.

    The embedding is [1024], that of `embed(reduction="mean")`. Each variable is a series of its
    own and is scaled by its own mean and deviation over all steps (RevIN), so the embedding holds
    shapes and no levels. The setting `moment_input` says what the steps are:

    - hourly: float32 [variables, bins], the imputed hourly grid,
    - charted: a step for each time at which anything was charted, filled forward, then backward, as
      in the paper's code. A variable that was never measured is a constant, which the scaling
      turns into zeros whatever its value. Of more than 512 rows the last are read. Of fewer than 8
      the first is repeated before them until a patch is full: without one MOMENT gives NaN.

    A patch counts only when its 8 steps are observed. With steps that are not a multiple of 8 the
    first of them (4 of 20) enter the mean and deviation, but lie in a patch that is masked.

    Mean and deviation are computed in float64. In float32, as momentfm does it, the mean of a
    constant series (every variable that was never measured) is off by a rounding error, and
    dividing by a deviation of 1e-5 turns that error into a signal; in float64 it is exactly zero.

    Stays of as many patches go through the encoder together. Vectors of a stay encoded in other
    batches agree within 1e-5, not bit for bit: matrix products
    of another size may sum in another order.
    """

    reads = "grid"
    weight_files = FILES

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        if is_charted(context):
            self.reads = "events"
        self._dtype = getattr(torch, context.precision)
        self.chunk_stays = 2048 if on_gpu(context) else 128  # minutes at most, on two cores
        self._tokens = TOKENS["cuda" if on_gpu(context) else "cpu"]

    def settings(self) -> dict[str, Any]:
        """Whatever changes the vectors besides the stays and the weights."""
        return {
            "steps": "charted" if is_charted(self.context) else self.context.bins,
            "seq_len": SEQ_LEN,
            "patch_len": PATCH_LEN,
            "padding": "left",
            "reduction": "mean",
            "precision": self.context.precision,
        }

    def fingerprint(self) -> str:
        """A hash of the configuration and the weights."""
        folder = find_weights(self.context.spec, FILES)
        return hash_of_files(folder, ["config.json", checkpoint_of(folder).name])

    @classmethod
    def unsuited(cls, context: Context) -> str | None:
        """Too few or too many bins, or a grid with gaps; charted rows filled in another way."""
        if is_charted(context):
            if context.variables.get("imputation") == "forward_backward":
                return None
            return (
                "Charted rows (setting moment_input) are filled forward, then backward: set"
                " imputation to forward_backward, or moment_input to hourly."
            )
        if context.bins < PATCH_LEN:
            return (
                f"The window has {context.bins} bins, and MOMENT needs {PATCH_LEN} for a single"
                " patch: raise window_end_hours, or lower bin_hours."
            )
        if context.bins > SEQ_LEN:
            return (
                f"The window has {context.bins} bins, and MOMENT reads {SEQ_LEN} at most: lower"
                " window_end_hours, or raise bin_hours."
            )
        return gaps(context)

    def load(self) -> None:
        """Loads the weights.

        Raises:
            CharthouseError: the settings do not suit the model, or the weights are absent or not
                those of a MOMENT-1.
        """
        if reason := self.unsuited(self.context):
            raise CharthouseError(reason)
        self._model = load_pipeline(find_weights(self.context.spec, FILES)).to(self.context.device)
        self._model.encoder.to(self._dtype)

    def encode(self, stays: Sequence[Stay[np.ndarray | Events]]) -> Encoded:
        """Encodes some stays, in batches of about as many patches as suit the device.

        Raises:
            CharthouseError: a grid has empty cells, or the model gives something that is no number.
        """
        scaled = [self._scaled(self._series(stay.content)) for stay in stays]
        steps = np.array([series.shape[1] for series in scaled], np.int64)
        vectors: dict[int, np.ndarray] = {}  # by place
        for length in np.unique(steps):
            patches = len(self.context.channels) * int(length) // PATCH_LEN
            alike, size = np.flatnonzero(steps == length), max(1, self._tokens // max(1, patches))
            for first in range(0, len(alike), size):
                batch = alike[first : first + size].tolist()
                found = self._embed(np.stack([scaled[place] for place in batch]))
                vectors |= dict(zip(batch, found, strict=True))
        return Encoded.of(stays, [vectors[place] for place in range(len(stays))])

    def _series(self, content: np.ndarray | Events) -> np.ndarray:
        """Steps without gaps [variables, steps]."""
        if isinstance(content, Events):
            return filled_rows(content, len(self.context.channels))
        # momentfm would set empty cells to the mean of the series and say nothing
        require_whole(content, self.context)
        return content

    def _scaled(self, series: np.ndarray) -> np.ndarray:
        """Steps of the full patches, float32 [variables, patches * 8], scaled over all steps."""
        exact = series.astype(np.float64)
        centred = exact - exact.mean(axis=1, keepdims=True)
        deviation = np.sqrt(np.square(centred).mean(axis=1, keepdims=True))
        scaled = centred / (deviation + self._model.normalizer.eps)
        return scaled[:, series.shape[1] % PATCH_LEN :].astype(np.float32)

    @torch.inference_mode()
    def _embed(self, series: np.ndarray) -> np.ndarray:
        """Embeddings [stays, d_model] of scaled series [stays, variables, steps]."""
        observed = torch.from_numpy(series).to(self.context.device)
        # series that are equal once scaled, such as all the constant ones, are computed once
        rows, place = observed.flatten(0, 1).unique(dim=0, return_inverse=True)
        embedding = self._model.patch_embedding
        last = SEQ_LEN // PATCH_LEN
        positions = embedding.position_embedding.pe[0, last - series.shape[2] // PATCH_LEN : last]
        tokens = embedding.value_embedding(rows.unflatten(-1, (-1, PATCH_LEN))) + positions
        hidden = self._model.encoder(inputs_embeds=tokens.to(self._dtype)).last_hidden_state
        over_patches = hidden.float().mean(dim=1)
        vectors = over_patches[place].unflatten(0, series.shape[:2]).mean(dim=1).cpu().numpy()
        if not np.isfinite(vectors).all():
            raise CharthouseError(
                f"{self.context.spec.encoder} gives vectors that are no numbers at precision "
                f"{self.context.precision}: fetch its weights again, or use float32."
            )
        return vectors


def is_charted(context: Context) -> bool:
    """Whether it reads charted rows: where the setting says so, and a value holds to the next."""
    return context.variables.get("moment_input") == "charted" and not context.spec.modality.fill


def filled_rows(events: Events, variables: int) -> np.ndarray:
    """The charted rows of a stay without gaps, filled forward, then backward.

    Returns [variables, rows] float64 in the units charted, 8 to 512 rows, the last ones; 0 for a
    variable that was never measured.
    """
    rows = charted_rows(events, events.value, variables).values
    has_any = ~np.isnan(rows).all(axis=0)
    first = np.take_along_axis(rows, (~np.isnan(rows)).argmax(axis=0)[None], axis=0)
    rows = np.where(np.isnan(rows), np.where(has_any, first, 0.0), rows)[-SEQ_LEN:]
    lacking = max(0, PATCH_LEN - len(rows))
    return np.concatenate([np.repeat(rows[:1], lacking, axis=0), rows]).T


def load_pipeline(folder: Path) -> MOMENTPipeline:
    """MOMENT (momentfm 0.1.4) from a folder with FILES, in float32 and ready to embed.

    What `from_pretrained(folder, strict=True)` does, but for a .bin as well as a .safetensors.

    Raises:
        CharthouseError: config.json is not that of a MOMENT-1, or the weights do not fit it.
    """
    config = {"revin_affine": False, "add_positional_embedding": True} | read_config(folder)
    if other := [name for name, value in LAYOUT.items() if config.get(name) != value]:
        raise CharthouseError(
            f"{folder / 'config.json'} is not that of a MOMENT-1: {', '.join(other)} differ."
        )
    with warnings.catch_warnings():  # of heads that we do not use, and of names about to change
        warnings.simplefilter("ignore")
        with damage_told(
            f"{folder / 'config.json'} is not that of a MOMENT-1", ". Fetch it again."
        ):
            model = MOMENTPipeline(config, model_kwargs={"task_name": "embedding"})
        path = checkpoint_of(folder)
        load_strictly(model, read_tensors(path), path)
        model.init()  # only now: the checkpoint has the head that the model was pretrained with
    return model
