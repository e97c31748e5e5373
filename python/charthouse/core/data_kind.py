"""Whether the marts hold synthetic, open or credentialed data, and how that is written."""

from collections.abc import Mapping
from typing import Any, Literal

DataKind = Literal["synthetic", "open", "credentialed"]


def data_kind_of(definition: Mapping[str, Any]) -> DataKind:
    """The kind of data, from a row of marts.cohort_definition.

    Where its columns contradict each other, the data count as credentialed. A copy that an older
    version published has no data_kind: there is_synthetic decides.

    Example:
        >>> data_kind_of({"is_synthetic": False, "data_kind": "synthetic"})
        'credentialed'
    """
    is_synthetic = definition["is_synthetic"]
    kind: DataKind | None = definition.get("data_kind")
    kind = kind or ("synthetic" if is_synthetic else "credentialed")
    return kind if (kind == "synthetic") == is_synthetic else "credentialed"


def headline(kind: str, source: str | None) -> str | None:
    """The line above all that shows the data; None where they are credentialed.

    `source` is the name and licence of open data.
    """
    return {
        "synthetic": "SYNTHETIC DATA: nothing here is about real patients.",
        "open": f"OPEN DATA of real patients, de-identified: {source}.",
    }.get(kind)


def tag(kind: str) -> str | None:
    """The kind of data in two words, for a corner of a picture; None for credentialed data."""
    return {"synthetic": "SYNTHETIC DATA", "open": "OPEN DATA"}.get(kind)
