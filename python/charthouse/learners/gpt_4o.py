"""GPT-4o and GPT-4o mini, by OpenAI or Azure: pictures in tiles of 512 pixels.

OpenAI, "Images and vision": within 2,048 x 2,048, then the shorter side to 768; a number of tokens
a picture and more for each tile begun.
"""

import math

from charthouse.encoders.text_pieces import estimate_tokens
from charthouse.learners.base import Family, shrunk

LONGEST, SHORTEST, TILE = 2048, 768, 512
BASE_TOKENS, TILE_TOKENS = 2833, 5667  # of gpt-4o-mini; gpt-4o takes 85 and 170


class Gpt4o(Family):
    """Only served: its weights are not published."""

    model_types = ()

    def picture_size(self, width: int, height: int) -> tuple[int, int]:
        """As the service would shrink it: more is not looked at."""
        width, height = shrunk(width, height, longest=LONGEST)
        return shrunk(
            width, height, longest=round(max(width, height) / min(width, height) * SHORTEST)
        )

    def picture_tokens(self, width: int, height: int) -> int:
        """At high detail."""
        width, height = self.picture_size(width, height)
        return BASE_TOKENS + TILE_TOKENS * math.ceil(width / TILE) * math.ceil(height / TILE)

    def text_tokens(self, text: str) -> int:
        """Its vocabulary has up to three digits together."""
        return estimate_tokens(text)
