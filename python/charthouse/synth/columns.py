"""Several columns of the same rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray


class Columns:
    """A dataclass all of whose fields are arrays of one length."""

    def __len__(self) -> int:
        return len(next(iter(vars(self).values())))

    def take(self, index: slice | NDArray[np.int64] | NDArray[np.bool_]) -> Self:
        """Some of the rows."""
        return type(self)(*(column[index] for column in vars(self).values()))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The rows of several, one after the other."""
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return cls(*map(np.concatenate, columns))


@dataclass(frozen=True)
class OfStays(Columns):
    """Rows of stays, sorted by stay."""

    stay: NDArray[np.int64]  # position in Stays

    def of(self, chosen: slice) -> Self:
        """Those of consecutive stays, which are then counted from the first of them."""
        some = self.take(slice(*np.searchsorted(self.stay, (chosen.start, chosen.stop))))
        return replace(some, stay=some.stay - chosen.start)
