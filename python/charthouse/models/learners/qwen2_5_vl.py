"""Qwen2.5-VL and Lingshu: pictures at their own shape, a token for each 28 x 28 pixels.

Bai et al. 2025, "Qwen2.5-VL Technical Report".
"""

import math

from charthouse.models.learners.base import Family, shrunk

CELL = 28  # two patches of 14 pixels each way become one token
LONGEST = 896  # at most 1,024 tokens; the paper's models see no more of an X-ray either
LEAST = 56 * 56  # pixels; smaller pictures are enlarged by its processor


class Qwen25Vl(Family):
    """Would take pictures of any size, and a context full of tokens: bounded here."""

    model_types = ("qwen2_5_vl",)

    def picture_size(self, width: int, height: int) -> tuple[int, int]:
        """The longer side at 896."""
        return shrunk(width, height, longest=LONGEST)

    def picture_tokens(self, width: int, height: int) -> int:
        """Cells begun, and the two tokens around a picture."""
        grow = max(1.0, math.sqrt(LEAST / (width * height)))
        return math.ceil(width * grow / CELL) * math.ceil(height * grow / CELL) + 2
