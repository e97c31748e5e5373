"""MOMENT-1-large, a foundation model of time series, as it is: nothing is trained.

Goswami et al. 2024, "MOMENT: A Family of Open Time-series Foundation Models", ICML. It reads 512
steps in 64 patches of 8; a shorter series stands at the end, and a mask says what was observed. 24
hourly bins fill 3 patches of the 64, yet momentfm computes all 64 and throws 61 away. Here only the
observed patches go through the encoder, with the same result:

- no query attends to a masked patch, so what those hold changes nothing,
- T5's position bias depends on distances alone,
- the sinusoids that are added are those of the patches' true positions, the last ones.

tests/test_encode_vitals.py proves it against momentfm's own `embed`; benchmarks/moment_trimmed.py
measures it.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from charthouse.encoders.base import Context, Encoded, Encoder, Stay
from charthouse.encoders.hourly_grid import gaps, require_whole
from charthouse.encoders.torch_models import (
    checkpoint_of,
    load_strictly,
    mend_torchvision,
    on_gpu,
    read_config,
    read_tensors,
)
from charthouse.encoders.weights import find_weights, hash_of_files
from charthouse.errors import CharthouseError

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


class Moment(Encoder[np.ndarray]):
    """Mean of MOMENT's patch embeddings over the vital signs and the observed patches of a stay.

    Content: float32 [variables, bins], the imputed hourly grid; the embedding is [1024], that of
    `embed(reduction="mean")`. Each vital sign is a series of its own and is scaled by its own mean
    and deviation over all bins (RevIN), so the embedding holds shapes and no levels.

    A patch counts only when its 8 steps are observed. With bins that are not a multiple of 8 the
    first of them (4 of 20) enter the mean and deviation, but lie in a patch that is masked.

    Mean and deviation are computed in float64. In float32, as momentfm does it, the mean of a
    constant series (every vital sign that was never measured) is off by a rounding error, and
    dividing by a deviation of 1e-5 turns that error into a signal; in float64 it is exactly zero.

    Vectors of a stay encoded in other batches agree within 1e-5, not bit for bit: matrix products
    of another size may sum in another order.
    """

    reads = "vitals_hourly"
    weight_files = FILES

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._dtype = getattr(torch, context.precision)
        self.chunk_stays = 2048 if on_gpu(context) else 128  # minutes at most, on two cores
        self._tokens = TOKENS["cuda" if on_gpu(context) else "cpu"]
        self._patches = context.bins // PATCH_LEN

    def settings(self) -> dict[str, Any]:
        """Whatever changes the vectors besides the stays and the weights."""
        return {
            "bins": self.context.bins,
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
        """Too few or too many bins, or a grid with gaps."""
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

    def encode(self, stays: Sequence[Stay[np.ndarray]]) -> Encoded:
        """Encodes the grids of some stays, in batches of about as many patches as suit the device.

        Raises:
            CharthouseError: a grid has empty cells, or the model gives something that is no number.
        """
        size = max(1, self._tokens // max(1, len(self.context.vital_signs) * self._patches))
        vectors = [
            self._embed(np.stack([stay.content for stay in stays[first : first + size]]))
            for first in range(0, len(stays), size)
        ]
        return Encoded(
            np.array([stay.stay_id for stay in stays], dtype=np.int64),
            np.concatenate(vectors) if vectors else np.empty((0, 0), np.float32),
        )

    @torch.inference_mode()
    def _embed(self, grids: np.ndarray) -> np.ndarray:
        """Embeddings [stays, d_model] of grids [stays, variables, bins]."""
        # momentfm would set empty cells to the mean of the series and say nothing
        require_whole(grids, self.context)
        observed = self._normalised(torch.from_numpy(grids).to(self.context.device))
        # series that are equal once scaled, such as all the constant ones, are computed once
        rows, place = observed.flatten(0, 1).unique(dim=0, return_inverse=True)
        embedding = self._model.patch_embedding
        last = SEQ_LEN // PATCH_LEN
        positions = embedding.position_embedding.pe[0, last - self._patches : last]
        tokens = embedding.value_embedding(rows.unflatten(-1, (-1, PATCH_LEN))) + positions
        hidden = self._model.encoder(inputs_embeds=tokens.to(self._dtype)).last_hidden_state
        over_patches = hidden.float().mean(dim=1)
        vectors = over_patches[place].unflatten(0, grids.shape[:2]).mean(dim=1).cpu().numpy()
        if not np.isfinite(vectors).all():
            raise CharthouseError(
                f"{self.context.spec.encoder} gives vectors that are no numbers at precision "
                f"{self.context.precision}: fetch its weights again, or use float32."
            )
        return vectors

    def _normalised(self, series: torch.Tensor) -> torch.Tensor:
        """The steps of the full patches [stays, variables, patches * 8], scaled over all bins."""
        exact = series.double()
        centred = exact - exact.mean(dim=-1, keepdim=True)
        deviation = centred.square().mean(dim=-1, keepdim=True).sqrt()
        scaled = centred / (deviation + self._model.normalizer.eps)
        return scaled[..., -self._patches * PATCH_LEN :].float()


def load_pipeline(folder: Path) -> MOMENTPipeline:
    """MOMENT from a folder with FILES, in float32 and ready to embed.

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
        try:
            model = MOMENTPipeline(config, model_kwargs={"task_name": "embedding"})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CharthouseError(
                f"{folder / 'config.json'} is not that of a MOMENT-1 ({type(error).__name__})."
                " Fetch it again."
            ) from error
        path = checkpoint_of(folder)
        load_strictly(model, read_tensors(path), path)
        model.init()  # only now: the checkpoint has the head that the model was pretrained with
    return model
