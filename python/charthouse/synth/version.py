"""Which generator wrote the data, and how it tells how far it is."""

from collections.abc import Callable

GENERATOR_VERSION = "1.2"

SynthProgress = Callable[[str, int, int], None]
"""Called as ``progress(label, done, total)``."""
