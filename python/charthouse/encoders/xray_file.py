"""Opens the JPG of a chest X-ray."""

import struct
from pathlib import Path

from PIL import Image as Pillow

FORMATS = ("JPEG", "PNG")  # no others: Pillow hands some to outside programs


class Unreadable(Exception):
    """The file holds no X-ray that can be used; the message is the reason, without the path."""


def read_grayscale(path: Path, pixels: int | None = None) -> Pillow.Image:
    """The X-ray in 8-bit gray.

    Args:
        path: of the JPG (or PNG).
        pixels: width and height to shrink it to, whatever its shape; None keeps its own.

    Raises:
        Unreadable: missing, empty, cut short, or not a picture of 8 bits a channel.
    """
    try:
        with Pillow.open(path, formats=FORMATS) as file:
            if file.mode.startswith(("I", "F")):
                raise Unreadable("the picture has more than 8 bits a channel")
            if pixels is not None:
                # a JPG is decoded at the smallest size that still holds as many pixels: 5 times
                # faster for those of MIMIC-CXR
                file.draft("L", (pixels, pixels))
            image = file.convert("L")
        if pixels is not None:
            image = image.resize((pixels, pixels), Pillow.Resampling.BOX)
        return image
    except FileNotFoundError:
        raise Unreadable("the file is missing") from None
    except Pillow.UnidentifiedImageError:
        raise Unreadable("the file is not a JPG or PNG picture") from None
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, struct.error) as error:
        raise Unreadable(f"the file cannot be read ({type(error).__name__})") from None
    except Pillow.DecompressionBombError:
        raise Unreadable("the picture is too large") from None
