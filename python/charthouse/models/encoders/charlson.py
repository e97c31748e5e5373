"""The Charlson comorbidity index of a stay's earlier diagnoses, and its groups.

After Charlson et al. 1987 (Journal of Chronic Diseases), by the ICD codes of Quan et al. 2005
(Medical Care): which codes count for which group, and what a group weighs, is in the seed of the
modality (seeds/concepts/charlson_codes.csv).
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from charthouse.models.encoders.base import (
    Code,
    Context,
    Encoded,
    FittedEncoder,
    NothingToFit,
    Stay,
)
from charthouse.models.encoders.standardised import mean_and_sd

GRAVER = {
    "mild_liver_disease": "severe_liver_disease",
    "diabetes_without_cc": "diabetes_with_cc",
    "malignant_cancer": "metastatic_solid_tumor",
}
"""Of two grades of one disease the graver alone counts in the index."""

TOTALS = ("charlson_index", "earlier_admissions", "distinct_codes")

Codes = tuple[Code, ...]


class Charlson(FittedEncoder[Codes]):
    """A vector [groups + 3], standardised on the train split.

    Of each group whether any code counts for it; the index, without the points for age; how many
    earlier admissions were coded, and with how many different codes.
    """

    reads = "codes"
    zero_is_a_value = True  # of a stay where all is as everywhere in the train split

    @classmethod
    def unsuited(cls, context: Context) -> str | None:
        """The seed of the modality has no groups."""
        if context.groups or not context.variables:  # before there is a warehouse
            return None
        return (
            f"The seed of the modality {context.spec.modality.name} names no charlson_group: let it"
            " name charlson_codes (dbt_project.yml, vars.modalities), or use code_tfidf_svd."
        )

    def fit(self, stays: Iterable[Stay[Codes]]) -> dict[str, np.ndarray]:
        """Learns mean and standard deviation of each number, [groups + 3] float64."""
        rows = [self._numbers(stay.content) for stay in stays]
        if not rows:
            raise NothingToFit("the train split has no earlier diagnosis")
        mean, sd = mean_and_sd(rows)
        return {"mean": mean, "sd": sd}

    def restore(self, learned: Mapping[str, np.ndarray]) -> None:
        """Takes what fit returned."""
        self._mean, self._sd = learned["mean"], learned["sd"]

    def feature_names(self, learned: Mapping[str, np.ndarray]) -> Sequence[str]:
        """aids, cerebrovascular_disease, ..., charlson_index, ..."""
        return [*(name for name, _ in self.context.groups), *TOTALS]

    def encode(self, stays: Sequence[Stay[Codes]]) -> Encoded:
        """Encodes each stay by itself."""
        vectors = [(self._numbers(stay.content) - self._mean) / self._sd for stay in stays]
        return Encoded.of(stays, vectors)

    def _numbers(self, codes: Codes) -> np.ndarray:
        """[groups + 3], as they are."""
        found = {group for code in codes for group in code.groups}
        index = sum(
            weight
            for name, weight in self.context.groups
            if name in found and GRAVER.get(name) not in found
        )
        admissions = {code.hadm_id for code in codes}
        distinct = {(code.version, code.code) for code in codes}
        has = [name in found for name, _ in self.context.groups]
        return np.array([*has, index, len(admissions), len(distinct)], np.float64)
