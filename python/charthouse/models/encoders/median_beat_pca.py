"""Median beat PCA: principal components of the median beats of 12 leads, learned here.

Castells et al. 2007 (EURASIP Journal on Advances in Signal Processing) review principal components
of ECGs. It needs no weights, and is what a model that was pretrained on ECGs has to beat.
"""

from typing import Any

import numpy as np

from charthouse.core.errors import CharthouseError
from charthouse.data.ecg_files import lists_only, no_reader, read_leads
from charthouse.data.xray_files import Unreadable
from charthouse.models.encoders.base import Ecg
from charthouse.models.encoders.ecg_beats import ALIKE, BAND, RATE, median_beat
from charthouse.models.encoders.item_pca import ItemPca
from charthouse.models.encoders.spec import EncoderSpec


class MedianBeatPca(ItemPca[Ecg]):
    """See ItemPca; the numbers are the median beat of each lead in mV, lead by lead.

    The median beat says nothing of the rhythm: that is for `ecg_measurements`, which has the heart
    rate, and for encoders to come.
    """

    reads = "ecgs"
    items = "ECGs"
    all_alike = "all ECGs of the train split have the same beat"

    def settings(self) -> dict[str, Any]:
        """What decides which beat is found, and how it looks."""
        return {"rate": RATE, "band": BAND, "alike": ALIKE}

    @classmethod
    def not_ready(cls, spec: EncoderSpec) -> str | None:
        """The package that reads the records is not installed, or there are only lists of them."""
        missing = no_reader()
        return f"it needs {missing}" if missing else lists_only()

    def load(self) -> None:
        """Stops, by a CharthouseError, where the records could not be read."""
        if missing := self.not_ready(self.context.spec):
            raise CharthouseError(f"{self.context.spec.encoder} cannot run: {missing}")

    def numbers(self, item: Ecg) -> np.ndarray | str:
        """[leads x samples] float32; or why there are none."""
        try:
            beat = median_beat(*read_leads(item.path))
        except Unreadable as reason:
            return str(reason)
        return beat if isinstance(beat, str) else beat.ravel()
