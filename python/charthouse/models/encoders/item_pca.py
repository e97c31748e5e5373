"""Principal components of items that are arrays of one shape, such as small pictures."""

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from charthouse.models.encoders.base import FittedEncoder, ItemEncoder, NothingToFit, Stay

COMPONENTS = 64
FIT_ITEMS = 10_000  # at most; those with the lowest hash of their names
MANY_ITEMS = 2500  # where the covariance takes less time than the SVD of the items
READERS = 4  # files; what decodes them lets go of the interpreter's lock

Item = TypeVar("Item")


class ItemPca(FittedEncoder[tuple[Item, ...]], ItemEncoder[Item]):
    """A vector [up to 64] of each item, its scores on the components, averaged over the stay.

    Scores are plain, not whitened: with few items the last components are noise, which whitening
    would raise to the size of the first, and whoever needs equal scales standardises on the train
    split, as the benchmark does.
    """

    items: ClassVar[str]
    """What people call them: X-rays."""

    all_alike: ClassVar[str]
    """What is said where all of them are the same."""

    unit: ClassVar[float] = 1.0
    """What the numbers are divided by."""

    @abstractmethod
    def numbers(self, item: Item) -> np.ndarray | str:
        """Reads one: [numbers], of as many for each, or why there are none. Called by threads."""

    def fit(self, stays: Iterable[Stay[tuple[Item, ...]]]) -> dict[str, np.ndarray]:
        """Learns the components, whatever the order of the stays.

        Returns:
            mean [numbers] and components [components, numbers], float64; explained_variance_ratio.
        """
        from sklearn.decomposition import PCA

        items = {_name(item): item for stay in stays for item in stay.content}
        chosen = [items[name] for name in sorted(items, key=_hash)[:FIT_ITEMS]]
        found = [numbers for numbers in self._read(chosen) if not isinstance(numbers, str)]
        if len(found) < 2:
            raise NothingToFit(
                f"the train split has {len(found)} readable {self.items}; 2 are needed"
            )
        table = np.stack(found) / self.unit
        if (table == table[0]).all():
            raise NothingToFit(self.all_alike)
        # one thread: sums in another order would give other last digits on another machine
        with threadpool_limits(1):
            solver = "covariance_eigh" if len(table) > MANY_ITEMS else "full"
            pca = PCA(min(COMPONENTS, len(table) - 1), svd_solver=solver).fit(table)
        real = pca.explained_variance_ > 1e-10 * pca.explained_variance_[0]
        return {
            "mean": pca.mean_,
            "components": pca.components_[real],  # of each the largest number is positive
            "explained_variance_ratio": pca.explained_variance_ratio_[real],
        }

    def restore(self, learned: Mapping[str, np.ndarray]) -> None:
        """Takes what fit returned."""
        self._mean, self._components = learned["mean"], learned["components"]

    def encode_items(self, items: Sequence[Item]) -> list[np.ndarray | str]:
        """For each its scores [components] float32, or the reason why it has none."""
        return [
            numbers if isinstance(numbers, str) else self._scores(numbers)
            for numbers in self._read(items)
        ]

    def _read(self, items: Sequence[Item]) -> list[np.ndarray | str]:
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(self.numbers, items))

    def _scores(self, numbers: np.ndarray) -> np.ndarray:
        # einsum adds in its own order; a BLAS product's depends on shapes and threads
        scores = np.einsum("kp,p->k", self._components, numbers / self.unit - self._mean)
        return scores.astype(np.float32)


def _name(item: object) -> str:
    name: str = item.item  # type: ignore[attr-defined]
    return name


def _hash(name: str) -> str:
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
