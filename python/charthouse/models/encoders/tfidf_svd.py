"""TF-IDF + SVD: latent semantic analysis of a stay's reports (Deerwester et al. 1990)."""

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from charthouse.models.encoders.base import Encoded, FittedEncoder, NothingToFit, Report, Stay

WORD = re.compile(r"[^\W\d_]{2,30}")  # letters: no number, no ___ of de-identification
MIN_STAYS = 5  # a term of fewer train stays says nothing of others
MAX_SHARE = 0.95  # one of more than this share of them is boilerplate
MAX_TERMS = 50_000
HASHES = 2**24  # bytes that counting terms by hash takes
COMPONENTS = 256

Reports = tuple[Report, ...]


class TfidfSvd(FittedEncoder[Reports]):
    """A vector [up to 256] of unit length of all reports of a stay together.

    A bag of words and of pairs of words that follow each other within a report, so that the order
    of the reports does not count. A term weighs (1 + log count) x idf.
    """

    reads = "texts"

    def settings(self) -> dict[str, Any]:
        """What decides which terms there are."""
        return {"min_stays": MIN_STAYS, "max_share": MAX_SHARE, "max_terms": MAX_TERMS}

    def fit(self, stays: Iterable[Stay[Reports]]) -> dict[str, np.ndarray]:
        """Learns terms, their idf and the components; goes through the stays twice, holding none.

        Most pairs of words occur in a stay or two: the first time leaves them out by a hash, so
        that memory does not grow with the texts. The result is the same as without.

        Returns:
            vocabulary [terms] strings, sorted; idf [terms] float64; components [terms, components]
            float32; singular_values.
        """
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import CountVectorizer

        n, at_most = _count_by_hash(stays)
        # in a small train split a rule for tens of thousands of stays would leave no term
        least = min(MIN_STAYS, max(1, n // 20))

        def frequent(reports: Reports) -> Iterator[str]:
            return (term for term in _terms(reports) if at_most[_hash(term)] >= least)

        counter = CountVectorizer(analyzer=frequent, dtype=np.float32)
        try:
            counts = counter.fit_transform(stay.content for stay in stays)
        except ValueError:  # how scikit-learn says that there is no term at all
            raise NothingToFit("the train split has no report with words") from None
        in_stays = np.bincount(counts.indices, minlength=counts.shape[1])
        wanted = (in_stays >= least) & (in_stays <= max(1, MAX_SHARE * n))
        places = np.flatnonzero(wanted)
        places = np.sort(places[np.argsort(-in_stays[places], kind="stable")[:MAX_TERMS]])
        components = min(COMPONENTS, n - 1, len(places) - 1)
        if components < 1:
            raise NothingToFit(f"{n} train stays with reports share {len(places)} terms: too few")
        idf = np.log((1 + n) / (1 + in_stays[places])) + 1
        weights = _weights(counts[:, places].astype(np.float64), idf)
        # ARPACK finds the components to the last digits, from a fixed start; in one thread, as sums
        # in another order would give other last digits on another machine
        with threadpool_limits(1):
            svd = TruncatedSVD(components, algorithm="arpack", random_state=0).fit(weights)
        real = svd.singular_values_ > 1e-6 * svd.singular_values_[0]
        return {
            "vocabulary": counter.get_feature_names_out()[places].astype(np.str_),
            "idf": idf,
            "components": np.ascontiguousarray(svd.components_[real].T, dtype=np.float32),
            "singular_values": svd.singular_values_[real],
        }

    def restore(self, learned: Mapping[str, np.ndarray]) -> None:
        """Takes what fit returned."""
        from sklearn.feature_extraction.text import CountVectorizer

        self._counter = CountVectorizer(
            analyzer=_terms, dtype=np.float64, vocabulary=learned["vocabulary"].tolist()
        )
        self._idf = learned["idf"]
        self._components = learned["components"].astype(np.float64)

    def encode(self, stays: Sequence[Stay[Reports]]) -> Encoded:
        """Encodes each stay by itself: a sparse row times the components is summed term by term."""
        if not stays:
            return Encoded.of((), ())
        counts = self._counter.transform(stay.content for stay in stays)
        scores = _weights(counts, self._idf) @ self._components
        lengths = [np.sqrt(np.einsum("k,k->", row, row)) for row in scores]
        reason = "its reports have no word that the train split knows"
        rows = zip(scores, lengths, strict=True)
        return Encoded.of(stays, [row / length if length > 0 else reason for row, length in rows])


def _terms(reports: Reports) -> Iterator[str]:
    """Words and pairs of words of all reports of a stay."""
    for report in reports:
        words = WORD.findall(report.text.lower())
        yield from words
        for pair in pairwise(words):
            yield " ".join(pair)


def _hash(term: str) -> int:
    return zlib.crc32(term.encode()) % HASHES


def _count_by_hash(stays: Iterable[Stay[Reports]]) -> tuple[int, bytes]:
    """How many stays there are, and how many hold a term of each hash, up to 255.

    A term is in no more stays than its hash is.
    """
    n = 0
    counts = np.zeros(HASHES, np.uint8)
    for stay in stays:
        n += 1
        hashes = list({_hash(term) for term in _terms(stay.content)})
        counts[hashes] += counts[hashes] < 255
    return n, counts.tobytes()


def _weights(counts: Any, idf: np.ndarray) -> Any:
    """Sparse [stays, terms] counts to TF-IDF, rows of unit length (but for rows of zeros)."""
    weights = counts.tocsr()
    weights.sort_indices()  # terms are summed in this order
    weights.data = (1 + np.log(weights.data)) * idf[weights.indices]
    squares = weights.multiply(weights).sum(axis=1)
    lengths = np.sqrt(np.asarray(squares, dtype=np.float64).ravel())
    rows = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))
    weights.data /= lengths[rows]
    return weights
