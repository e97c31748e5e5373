"""GPT-4o and GPT-4o mini, by OpenAI or Azure: pictures in tiles of 512 pixels.

OpenAI, "Images and vision": at high detail within 2,048 x 2,048, then the shorter side to 768; a
number of tokens a picture and more for each tile begun. At low detail within 512 x 512, for the
tokens of a picture alone. At auto the service chooses.
"""

import math

from charthouse.models.chunking import estimate_tokens
from charthouse.models.learners.base import Family, shrunk

LONGEST, SHORTEST, TILE = 2048, 768, 512
BASE_TOKENS, TILE_TOKENS = 2833, 5667  # of gpt-4o-mini; gpt-4o takes 85 and 170


class Gpt4o(Family):
    """Only served: its weights are not published."""

    model_types = ()

    def __init__(self, detail: str = "high") -> None:
        self.detail = detail

    def at_detail(self, detail: str) -> "Gpt4o":
        """Low, high or auto."""
        return Gpt4o(detail)

    def picture_size(self, width: int, height: int) -> tuple[int, int]:
        """As the service would shrink it: more is not looked at."""
        if self.detail == "low":
            return shrunk(width, height, longest=TILE)
        width, height = shrunk(width, height, longest=LONGEST)
        return shrunk(
            width, height, longest=round(max(width, height) / min(width, height) * SHORTEST)
        )

    def picture_tokens(self, width: int, height: int) -> int:
        """Those of high detail where the service chooses: the most that it can be."""
        if self.detail == "low":
            return BASE_TOKENS
        width, height = self.picture_size(width, height)
        return BASE_TOKENS + TILE_TOKENS * math.ceil(width / TILE) * math.ceil(height / TILE)

    def text_tokens(self, text: str) -> int:
        """Its vocabulary has up to three digits together."""
        return estimate_tokens(text)
