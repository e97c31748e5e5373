"""A content hash of everything that a result depends on."""

import hashlib
import json
from typing import Any


def digest(*parts: Any) -> str:
    """MD5, in hex, of strings, numbers, dicts and lists. The order of keys does not matter.

    Example:
        >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
        True
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
