"""What kind of data the marts hold, as marts.cohort_definition says, and how it is called."""

from collections.abc import Mapping
from typing import Any, Literal

DataKind = Literal["synthetic", "open", "credentialed"]


def data_kind_of(definition: Mapping[str, Any]) -> DataKind:
    """Of a row of marts.cohort_definition; where its columns contradict one another, credentialed.

    A copy that an older version published has no data_kind.
    """
    is_synthetic = definition["is_synthetic"]
    kind: DataKind | None = definition.get("data_kind")
    kind = kind or ("synthetic" if is_synthetic else "credentialed")
    return kind if (kind == "synthetic") == is_synthetic else "credentialed"


def headline(kind: str, source: str | None) -> str | None:
    """What is written above everything that shows the data; None where they are credentialed.

    Args:
        kind: A DataKind.
        source: Name and licence, where they are open.
    """
    return {
        "synthetic": "SYNTHETIC DATA: nothing here is about real patients.",
        "open": f"OPEN DATA of real patients, de-identified: {source}.",
    }.get(kind)


def tag(kind: str) -> str | None:
    """The same in two words."""
    return {"synthetic": "SYNTHETIC DATA", "open": "OPEN DATA"}.get(kind)
