"""A hash of what a result depends on."""

import hashlib
import json
from typing import Any


def digest(*parts: Any) -> str:
    """A short hash of strings, numbers, dicts and lists; order of keys does not count."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
