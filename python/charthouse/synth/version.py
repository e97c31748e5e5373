"""The version of the generator, and the type of its progress callback."""

from collections.abc import Callable

GENERATOR_VERSION = "1.2"

SynthProgress = Callable[[str, int, int], None]
"""Called as ``progress(label, done, total)``."""
