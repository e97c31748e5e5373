"""Demographics: numbers standardised, categories one-hot, both as the train split has them."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from charthouse.core.errors import CharthouseError
from charthouse.models.encoders.base import Encoded, FittedEncoder, NothingToFit, Stay

Values = tuple[str | None, ...]


class Demographics(FittedEncoder[Values]):
    """A vector [columns] of the variables of seeds/concepts/tabular_variables.csv.

    A number is one column, (value - mean) / sd of the train split; a missing one is the mean. A
    category is a column, but for the least frequent one, which is where all the others are 0 (of
    several the first in the alphabet); a missing value is a category too. Each categorical variable
    has a last column for whatever the train split does not know.
    """

    reads = "tabular"
    zero_is_a_value = True  # of the mean age, and in the least frequent category everywhere

    def fit(self, stays: Iterable[Stay[Values]]) -> dict[str, np.ndarray]:
        """Learns means, standard deviations and categories.

        Returns:
            columns: names of the vector's numbers, in order: age, gender=M, "gender unseen";
            dropped: the least frequent category of each categorical variable: gender=F;
            mean, sd: [numeric variables] float64.
        """
        numbers: dict[str, list[float]] = {}
        categories: dict[str, Counter[str]] = {}
        for stay in stays:
            for (name, kind), value in zip(self.context.columns, stay.content, strict=True):
                if kind != "numeric":
                    categories.setdefault(name, Counter())[_column(name, value)] += 1
                elif (number := _number(name, value)) is not None:
                    numbers.setdefault(name, []).append(number)
        if not numbers and not categories:
            raise NothingToFit("the train split has no demographics")
        columns: list[str] = []
        dropped: list[str] = []
        moments: list[tuple[float, float]] = []
        for name, kind in self.context.columns:
            if kind == "numeric":
                columns.append(name)
                moments.append(_moments(numbers.get(name, [])))
            else:
                counts = categories[name]
                rarest = min(sorted(counts), key=counts.__getitem__)
                dropped.append(rarest)
                columns += [column for column in sorted(counts) if column != rarest]
                columns.append(_unseen(name))
        return {
            "columns": np.array(columns, dtype=np.str_),
            "dropped": np.array(dropped, dtype=np.str_),
            "mean": np.array([mean for mean, _ in moments], dtype=np.float64),
            "sd": np.array([sd for _, sd in moments], dtype=np.float64),
        }

    def restore(self, learned: Mapping[str, np.ndarray]) -> None:
        """Takes what fit returned."""
        self._places = {str(column): place for place, column in enumerate(learned["columns"])}
        self._dropped = {str(column) for column in learned["dropped"]}
        numeric = [name for name, kind in self.context.columns if kind == "numeric"]
        pairs = zip(learned["mean"].tolist(), learned["sd"].tolist(), strict=True)
        self._moments = dict(zip(numeric, pairs, strict=True))

    def feature_names(self, learned: Mapping[str, np.ndarray]) -> Sequence[str] | None:
        """age, gender=M, ..."""
        return [str(column) for column in learned["columns"]] if learned else None

    def encode(self, stays: Sequence[Stay[Values]]) -> Encoded:
        """Encodes each stay by itself."""
        return Encoded.of(stays, [self._vector(stay.content) for stay in stays])

    def _vector(self, values: Values) -> np.ndarray:
        vector = np.zeros(len(self._places))
        for (name, kind), value in zip(self.context.columns, values, strict=True):
            if kind == "numeric":
                mean, sd = self._moments[name]
                number = _number(name, value)
                vector[self._places[name]] = 0.0 if number is None else (number - mean) / sd
            elif (column := _column(name, value)) not in self._dropped:
                vector[self._places.get(column, self._places[_unseen(name)])] = 1.0
        return vector


def _column(name: str, category: str | None) -> str:
    return f"{name}={'(missing)' if category is None else category}"


def _unseen(name: str) -> str:
    return f"{name} unseen"


def _number(name: str, value: str | None) -> float | None:
    """The value; None where it is missing."""
    try:
        number = math.nan if value is None else float(value)
    except ValueError:
        raise CharthouseError(
            f"{name} is numeric in seeds/concepts/tabular_variables.csv, but has a value that is no"
            " number. Make it categorical."
        ) from None
    return number if math.isfinite(number) else None


def _moments(numbers: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation; exact sums, so that no order of the stays is seen."""
    if not numbers:
        return 0.0, 1.0
    mean = math.fsum(numbers) / len(numbers)
    variance = math.fsum((number - mean) ** 2 for number in numbers) / len(numbers)
    return mean, math.sqrt(variance) or 1.0
