"""TF-IDF + SVD of the words of a stay's reports."""

import re
from collections.abc import Iterator
from itertools import pairwise

from charthouse.models.encoders.base import Report
from charthouse.models.encoders.term_svd import TermSvd

WORD = re.compile(r"[^\W\d_]{2,30}")  # letters: no number, no ___ of de-identification


class TfidfSvd(TermSvd[tuple[Report, ...]]):
    """See TermSvd; a term is a word, or two that follow each other within a report."""

    reads = "texts"
    has_terms = "report with words"
    no_known_term = "its reports have no word that the train split knows"

    @staticmethod
    def terms(content: tuple[Report, ...]) -> Iterator[str]:
        """Words and pairs of words of all reports of a stay."""
        for report in content:
            words = WORD.findall(report.text.lower())
            yield from words
            for pair in pairwise(words):
                yield " ".join(pair)
