"""What encoders of reports share: the setting report_encoding, and reports without words."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from charthouse.core.errors import CharthouseError
from charthouse.models.encoders.base import (
    Context,
    Encoded,
    ItemEncoder,
    Report,
    Skipped,
    Stay,
)

NO_WORDS = "the report has no words"
NONE_HAS_WORDS = "none of its reports has words"


class ReportEncoder(ItemEncoder[Report]):
    """Each report by itself, then their mean (each); or all reports of a stay at once (joined)."""

    reads = "texts"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.report_encoding = str(context.variables.get("report_encoding", "each"))
        if self.report_encoding not in ("each", "joined"):
            raise CharthouseError(
                f"report_encoding is each or joined, not '{self.report_encoding}': dbt_project.yml."
            )

    @abstractmethod
    def encode_joined(self, texts: Sequence[Sequence[str]]) -> Sequence[np.ndarray | str]:
        """For each stay the vector of all its texts, in order of time; or why there is none.

        Of each stay there is at least one text, and none without words.
        """

    def encode(self, stays: Sequence[Stay[tuple[Report, ...]]]) -> Encoded:
        """Encodes some stays as report_encoding says."""
        return self._joined(stays) if self.report_encoding == "joined" else super().encode(stays)

    def _joined(self, stays: Sequence[Stay[tuple[Report, ...]]]) -> Encoded:
        texts = [
            [report.text for report in stay.content if has_words(report.text)] for stay in stays
        ]
        found = iter(self.encode_joined([of_stay for of_stay in texts if of_stay]))
        outcomes = [next(found) if of_stay else NONE_HAS_WORDS for of_stay in texts]
        skipped = [
            Skipped(stay.stay_id, report.item, NO_WORDS)
            for stay in stays
            for report in stay.content
            if not has_words(report.text)
        ]
        return Encoded.of(stays, outcomes, skipped)


def has_words(text: str) -> bool:
    """Whether a text is more than white space."""
    return bool(text.strip())
