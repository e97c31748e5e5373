"""Pixel PCA: principal components of small gray pictures, the plainest image encoder there is.

After the eigenfaces of Turk and Pentland 1991.
"""

import numpy as np

from charthouse.data.xray_files import Unreadable, read_grayscale
from charthouse.models.encoders.base import Image
from charthouse.models.encoders.item_pca import ItemPca

PIXELS = 64  # width and height that an X-ray is shrunk to


class PixelPca(ItemPca[Image]):
    """See ItemPca; the numbers are gray levels from 0 to 1, row by row."""

    reads = "images"
    items = "X-rays"
    all_alike = "all X-rays of the train split are the same picture"
    unit = 255.0

    def numbers(self, item: Image) -> np.ndarray | str:
        """[pixels] uint8, row by row; or why there are none."""
        try:
            return np.asarray(read_grayscale(item.path, PIXELS, fast=True)).ravel()
        except Unreadable as reason:
            return str(reason)
