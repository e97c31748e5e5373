"""Pixel PCA: principal components of small gray pictures, the plainest image encoder there is.

After the eigenfaces of Turk and Pentland 1991.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from charthouse.data.xray_files import Unreadable, read_grayscale
from charthouse.models.encoders.base import FittedEncoder, Image, ItemEncoder, NothingToFit, Stay

PIXELS = 64  # width and height that an X-ray is shrunk to
COMPONENTS = 64
FIT_IMAGES = 10_000  # at most; those with the lowest hash of dicom_id
MANY_IMAGES = 2500  # where the pixels' covariance takes less time than the pictures' SVD
DECODERS = 4  # Pillow lets go of the interpreter's lock


class PixelPca(FittedEncoder[tuple[Image, ...]], ItemEncoder[Image]):
    """A vector [up to 64] of each X-ray, its scores on the components, averaged over the stay.

    Scores are plain, not whitened: with few images the last components are noise, which whitening
    would raise to the size of the first, and whoever needs equal scales standardises on the train
    split, as the benchmark does.
    """

    reads = "images"

    def fit(self, stays: Iterable[Stay[tuple[Image, ...]]]) -> dict[str, np.ndarray]:
        """Learns the components, whatever the order of the stays.

        Returns:
            mean [pixels] and components [components, pixels], float64; explained_variance_ratio.
        """
        from sklearn.decomposition import PCA

        images = {image.dicom_id: image for stay in stays for image in stay.content}
        chosen = sorted(images.values(), key=lambda image: _hash(image.dicom_id))[:FIT_IMAGES]
        pictures = [pixels for pixels in _decode(chosen) if not isinstance(pixels, str)]
        if len(pictures) < 2:
            raise NothingToFit(f"the train split has {len(pictures)} readable X-rays; 2 are needed")
        table = np.stack(pictures) / 255.0
        if (table == table[0]).all():
            raise NothingToFit("all X-rays of the train split are the same picture")
        # one thread: sums in another order would give other last digits on another machine
        with threadpool_limits(1):
            solver = "covariance_eigh" if len(table) > MANY_IMAGES else "full"
            pca = PCA(min(COMPONENTS, len(table) - 1), svd_solver=solver).fit(table)
        real = pca.explained_variance_ > 1e-10 * pca.explained_variance_[0]
        return {
            "mean": pca.mean_,
            "components": pca.components_[real],  # of each the largest number is positive
            "explained_variance_ratio": pca.explained_variance_ratio_[real],
        }

    def restore(self, learned: Mapping[str, np.ndarray]) -> None:
        """Takes what fit returned."""
        self._mean, self._components = learned["mean"], learned["components"]

    def encode_items(self, items: Sequence[Image]) -> list[np.ndarray | str]:
        """For each X-ray its scores [components] float32, or the reason why it has none."""
        return [
            pixels if isinstance(pixels, str) else self._scores(pixels) for pixels in _decode(items)
        ]

    def _scores(self, pixels: np.ndarray) -> np.ndarray:
        # einsum adds in its own order; a BLAS product's depends on shapes and threads
        scores = np.einsum("kp,p->k", self._components, pixels / 255.0 - self._mean)
        return scores.astype(np.float32)


def _decode(images: Sequence[Image]) -> list[np.ndarray | str]:
    with ThreadPoolExecutor(DECODERS) as pool:
        return list(pool.map(_pixels, images))


def _pixels(image: Image) -> np.ndarray | str:
    """[pixels] uint8, row by row; or why there are none."""
    try:
        return np.asarray(read_grayscale(image.path, PIXELS, fast=True)).ravel()
    except Unreadable as reason:
        return str(reason)


def _hash(dicom_id: str) -> str:
    return hashlib.md5(dicom_id.encode(), usedforsecurity=False).hexdigest()
