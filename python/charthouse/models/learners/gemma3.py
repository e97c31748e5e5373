"""Gemma 3 and MedGemma: SigLIP at 896 pixels, pooled to 256 tokens.

Gemma Team 2025, "Gemma 3 Technical Report".
"""

from charthouse.models.learners.base import Family, shrunk

PIXELS = 896
TOKENS = 256 + 4  # and those that mark where a picture begins and ends, with line breaks


class Gemma3(Family):
    """Sees 896 x 896, the whole picture squeezed into it."""

    model_types = ("gemma3",)

    def picture_size(self, width: int, height: int) -> tuple[int, int]:
        """The longer side at 896."""
        return shrunk(width, height, longest=PIXELS)

    def picture_tokens(self, width: int, height: int) -> int:
        """The same for every picture."""
        return TOKENS
