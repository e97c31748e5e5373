"""LLaVA 1.5 and its offspring: CLIP ViT-L/14 at 336 pixels, each patch a token.

Liu et al. 2024, "Improved Baselines with Visual Instruction Tuning".
"""

from charthouse.models.learners.base import Family, shrunk

PIXELS = 336
PATCH = 14


class Llava(Family):
    """Sees 336 x 336; its processor shrinks the shorter side to that and crops the middle."""

    model_types = ("llava",)

    def picture_size(self, width: int, height: int) -> tuple[int, int]:
        """The shorter side at 336, so that what is cropped is what the model would crop."""
        longest = max(width, height) / min(width, height) * PIXELS
        return shrunk(width, height, longest=round(longest))

    def picture_tokens(self, width: int, height: int) -> int:
        """One a patch, whatever the size."""
        return (PIXELS // PATCH) ** 2
