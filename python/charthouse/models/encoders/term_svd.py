"""TF-IDF and a truncated SVD of the terms of a stay: latent semantic analysis.

After Deerwester et al. 1990; what a term is, a word or a code, is for each encoder to say.
"""

import zlib
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from charthouse.models.encoders.base import Encoded, FittedEncoder, NothingToFit, Stay

MIN_STAYS = 5  # a term of fewer train stays says nothing of others
MAX_SHARE = 0.95  # one of more than this share of them is boilerplate
MAX_TERMS = 50_000
HASHES = 2**24  # bytes that counting terms by hash takes
COMPONENTS = 256

Content = TypeVar("Content")


class TermSvd(FittedEncoder[Content]):
    """A vector [up to 256] of unit length of all that a stay holds.

    A bag of terms, so that their order does not count. A term weighs (1 + log count) x idf.
    """

    has_terms: ClassVar[str]
    """What a stay of the train split must have, for people: a report with words."""

    no_known_term: ClassVar[str]
    """Why a stay has no vector where the train split knows none of its terms."""

    @staticmethod
    @abstractmethod
    def terms(content: Any) -> Iterator[str]:
        """The terms of a stay, each as often as it occurs."""

    def settings(self) -> dict[str, Any]:
        """What decides which terms there are."""
        return {"min_stays": MIN_STAYS, "max_share": MAX_SHARE, "max_terms": MAX_TERMS}

    def fit(self, stays: Iterable[Stay[Content]]) -> dict[str, np.ndarray]:
        """Learns terms, their idf and the components; goes through the stays twice, holding none.

        Most pairs of words occur in a stay or two: the first time leaves them out by a hash, so
        that memory does not grow with the texts. The result is the same as without.

        Returns:
            vocabulary [terms] strings, sorted; idf [terms] float64; components [terms, components]
            float32; singular_values.
        """
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import CountVectorizer

        n, at_most = self._count_by_hash(stays)
        # in a small train split a rule for tens of thousands of stays would leave no term
        least = min(MIN_STAYS, max(1, n // 20))

        def frequent(content: Content) -> Iterator[str]:
            return (term for term in self.terms(content) if at_most[_hash(term)] >= least)

        counter = CountVectorizer(analyzer=frequent, dtype=np.float32)
        try:
            counts = counter.fit_transform(stay.content for stay in stays)
        except ValueError:  # how scikit-learn says that there is no term at all
            raise NothingToFit(f"the train split has no {self.has_terms}") from None
        in_stays = np.bincount(counts.indices, minlength=counts.shape[1])
        wanted = (in_stays >= least) & (in_stays <= max(1, MAX_SHARE * n))
        places = np.flatnonzero(wanted)
        places = np.sort(places[np.argsort(-in_stays[places], kind="stable")[:MAX_TERMS]])
        components = min(COMPONENTS, n - 1, len(places) - 1)
        if components < 1:
            raise NothingToFit(f"{n} train stays share {len(places)} terms: too few")
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
            analyzer=self.terms, dtype=np.float64, vocabulary=learned["vocabulary"].tolist()
        )
        self._idf = learned["idf"]
        self._components = learned["components"].astype(np.float64)

    def encode(self, stays: Sequence[Stay[Content]]) -> Encoded:
        """Encodes each stay by itself: a sparse row times the components is summed term by term."""
        if not stays:
            return Encoded.of((), ())
        counts = self._counter.transform(stay.content for stay in stays)
        scores = _weights(counts, self._idf) @ self._components
        lengths = [np.sqrt(np.einsum("k,k->", row, row)) for row in scores]
        rows = zip(scores, lengths, strict=True)
        return Encoded.of(
            stays, [row / length if length > 0 else self.no_known_term for row, length in rows]
        )

    def _count_by_hash(self, stays: Iterable[Stay[Content]]) -> tuple[int, bytes]:
        """How many stays there are, and how many hold a term of each hash, up to 255.

        A term is in no more stays than its hash is.
        """
        n = 0
        counts = np.zeros(HASHES, np.uint8)
        for stay in stays:
            n += 1
            hashes = list({_hash(term) for term in self.terms(stay.content)})
            counts[hashes] += counts[hashes] < 255
        return n, counts.tobytes()


def _hash(term: str) -> int:
    return zlib.crc32(term.encode()) % HASHES


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
