"""Opens the picture of a chest X-ray; what is wrong with it is a reason, never a traceback."""

import errno
import functools
import os
from collections.abc import Callable
from pathlib import Path

import PIL.Image

from charthouse.core.data_kind import DataKind
from charthouse.core.errors import CharthouseError
from charthouse.core.local_paths import require_local
from charthouse.core.synthetic_marker import SyntheticPictures, is_regular

ROOT = "CHARTHOUSE_CXR"
"""The variable that names the folder of the pictures."""

MOST_PIXELS = 50_000_000  # the largest X-rays of MIMIC-CXR-JPG have about 16 million
FORMATS = ("JPEG", "PNG")  # no others: Pillow hands some to outside programs
_OF_THE_PATH = {
    errno.ELOOP: "its path is a loop of links",
    errno.ENAMETOOLONG: "its path is longer than the disk allows",
}
LEADS_OUT = "its path leads out of the folder"
EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")


def files_below(root: str, mart: str = "chest_xrays") -> Callable[[str], Path | None]:
    """Where each file of a mart is; None if its path, or a link in it, leads out.

    The folder may hold files/, and that its pNN, as links: on which disks the pictures lie is for
    the owner to say. `root` is the variable that names it.

    Raises:
        CharthouseError: it is not set, or no folder of this machine.
    """
    folder = os.environ.get(root)
    if not folder:
        raise CharthouseError(
            f"{root} is not set: it names the folder where the files of marts.{mart} are. Set it as"
            " for charthouse build."
        )
    require_local(root, folder)
    home = Path(folder).absolute()
    real = functools.cache(os.path.realpath)  # of the few folders

    def place(name: str) -> Path | None:
        path = Path(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name:
            return None
        homes = [home, home / "files"]
        if len(path.parts) > 2 and path.parts[0] == "files":
            homes.append(home.joinpath(*path.parts[:2]))
        file = Path(os.path.realpath(home / path))
        return home / path if any(file.is_relative_to(real(each)) for each in homes) else None

    return place


def picture_check(kind: DataKind) -> Callable[[Path | None], None]:
    """What each picture below ROOT has to pass before it is opened, for whatever purpose.

    Where the data count as synthetic, each must be one that `charthouse synth` made: other bytes
    under its name would be shown, encoded and sent as nobody's. The check raises a CharthouseError,
    in one line, where the picture is another. What is not there, or no regular file, passes:
    `read_grayscale` says so. May be used by several threads.
    """
    synthetic = SyntheticPictures(Path(os.environ.get(ROOT, "")))

    def check(path: Path | None) -> None:
        if kind == "synthetic" and path is not None and os.path.isfile(path):
            synthetic.require(path)

    return check


def stat_of(path: Path | None) -> tuple[int, int] | None:
    """Size and time of last change, by which a file is known; None if it is not there."""
    if path is None:
        return None
    try:
        status = path.stat()
    except (OSError, ValueError):  # ValueError: of a path with a NUL byte
        return None
    return status.st_size, status.st_mtime_ns


class Unreadable(Exception):
    """The file holds no X-ray that can be used; the message is the reason, without the path."""


def read_grayscale(
    path: Path | None, pixels: int | None = None, *, fast: bool = False
) -> PIL.Image.Image:
    """The X-ray in 8-bit gray.

    Args:
        path: of the JPG (or PNG), as `files_below` gives it.
        pixels: width and height to resize it to, whatever its shape; None keeps its own.
        fast: for thumbnails. A JPG is then decoded at the smallest size that still holds as many
            pixels, and box-filtered: 5 times faster for those of MIMIC-CXR, but single gray levels
            are off by up to 24. Otherwise bicubic, from every pixel, as the paper's processors do.

    Raises:
        Unreadable: missing, empty, cut short, or not a picture of 8 bits a channel.
        CharthouseError: the machine would not read it just now; tomorrow it may.
    """
    if path is None:
        raise Unreadable(LEADS_OUT)
    try:
        if not is_regular(path):
            raise Unreadable("it is no regular file")
        if path.stat().st_size == 0:
            raise Unreadable("the file is empty")
        with PIL.Image.open(path, formats=FORMATS) as file:
            if file.width * file.height > MOST_PIXELS:
                raise Unreadable(f"it has more than {MOST_PIXELS:,} pixels")
            if file.mode not in EIGHT_BITS:  # Pillow would clip them, not scale them
                raise Unreadable(f"its pixels ({file.mode}) do not have 8 bits")
            if fast and pixels is not None:
                file.draft("L", (pixels, pixels))
            # Gray before it is resized: Pillow resamples each channel by itself, so three equal
            # channels would be three times the work for the same numbers.
            image = file.convert("L")
        if pixels is None:
            return image
        resampling = PIL.Image.Resampling.BOX if fast else PIL.Image.Resampling.BICUBIC
        return image.resize((pixels, pixels), resampling)
    except FileNotFoundError:
        raise Unreadable("the file is missing") from None
    except PIL.UnidentifiedImageError:
        raise Unreadable("the file is neither a JPEG nor a PNG") from None
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning):
        raise Unreadable(f"it has more than {MOST_PIXELS:,} pixels") from None
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # decoders raise all sorts of things on damaged files
        what = f"the picture is damaged or cut short ({type(error).__name__})"
        if isinstance(error, OSError):
            require_about_the_file(error)
            what = _OF_THE_PATH.get(error.errno or 0, what)
        raise Unreadable(what) from None


def require_about_the_file(error: OSError) -> None:
    """Lets pass what is wrong with the file itself; what is wrong with the machine ends the run.

    A file that was skipped is not tried again until it changes: a share that was away for a minute
    must not cost an X-ray or an ECG its vector.

    Raises:
        CharthouseError: rights, a disk or a network share are at fault.
    """
    if error.errno not in (None, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, *_OF_THE_PATH):
        raise CharthouseError(
            f"A file cannot be read: {error.strerror}. Mend its rights or the disk, then run"
            " again: finished batches are kept."
        ) from None
