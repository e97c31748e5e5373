"""TF-IDF + SVD of the ICD codes of a stay's earlier admissions."""

from collections.abc import Iterator

from charthouse.models.encoders.base import Code
from charthouse.models.encoders.term_svd import TermSvd


class CodeTfidfSvd(TermSvd[tuple[Code, ...]]):
    """See TermSvd; a term is a code, or its category, of one version of ICD.

    The categories (I50, heart failure) bring codes together that are too rare alone. A code counts
    once for each admission that it was given to.
    """

    reads = "codes"
    has_terms = "code of an earlier admission"
    no_known_term = "the train split knows none of its codes"

    @staticmethod
    def terms(content: tuple[Code, ...]) -> Iterator[str]:
        """Codes and categories, such as "10 I5022" and "10 I50-"."""
        for each in content:
            yield f"{each.version} {each.code}"
            yield f"{each.version} {_category(each)}-"


def _category(code: Code) -> str:
    """Its first characters: three, but four of the external causes of ICD-9 (E880)."""
    return code.code[: 4 if code.version == 9 and code.code.startswith("E") else 3]
