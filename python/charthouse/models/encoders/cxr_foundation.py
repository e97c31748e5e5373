"""CXR-Foundation: the vectors that PhysioNet released, or the model run here.

Sellergren et al. 2022 (Radiology) for the released vectors; Xu et al. 2023 (ELIXR) for the model
that can be had today. docs/how-to/cxr-foundation.md shows how to set up either.
"""

import io
import os
import re
import signal
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from PIL import Image as Pillow

from charthouse.core.errors import CharthouseError
from charthouse.core.prefetch import prefetch_map
from charthouse.data.xray_files import (
    LEADS_OUT,
    Unreadable,
    read_grayscale,
    require_about_the_file,
)
from charthouse.models.encoders import cxr_foundation_runner as runner
from charthouse.models.encoders.base import Context, Image, ItemEncoder
from charthouse.models.encoders.spec import EncoderSpec
from charthouse.models.encoders.tfrecord import DamagedRecord, read_examples
from charthouse.models.weights import find_weights, hash_of_files

DIMENSION = 1376
MODEL = "elixr-c-v2-pooled"
RELEASED_ROOT = "CHARTHOUSE_CXR_EMBEDDINGS"
RELEASE = "physionet image-embeddings-mimic-cxr 1.0"
READERS = 16  # released files read at once: on a network disk a small file is all waiting
AHEAD = 4  # pictures decoded ahead of the model
START_SECONDS = 900.0  # TensorFlow's import, and 2 GB of weights from a slow disk
PICTURE_SECONDS = 600.0


class CxrFoundation(ItemEncoder[Image]):
    """A vector [1376] of each X-ray, averaged over the stay."""

    reads = "images"  # or released_images
    weight_files = (
        f"{MODEL}/saved_model.pb",
        f"{MODEL}/variables/*.index",
        f"{MODEL}/variables/*.data-*",
        f"{MODEL}/*",
    )
    chunk_stays = 64  # on a CPU the model takes many seconds a picture

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        if _released() is not None:
            self.reads = "released_images"

    def settings(self) -> dict[str, Any]:
        """Which way: vectors of the one are never mixed with those of the other."""
        if _released() is not None:
            return {"way": "released"}
        _python()
        return {"way": "model", "pooling": "mean of 8 x 8"}

    def fingerprint(self) -> str:
        """The release's name, or a hash of the model's files.

        A release of PhysioNet never changes; a file of it that does is noticed as any X-ray is, by
        its size and time.
        """
        if _released() is not None:
            return RELEASE
        _python()
        return hash_of_files(find_weights(self.context.spec, self.weight_files), self.weight_files)

    def revision(self) -> str | None:
        """The release, or the commit of the model's weights."""
        return RELEASE if _released() is not None else super().revision()

    @classmethod
    def not_ready(cls, spec: EncoderSpec) -> str | None:
        """Neither way is set up, or the model's weights must be fetched first."""
        try:
            if _released() is not None:
                return None
            _python()
        except CharthouseError as error:
            return str(error)
        return super().not_ready(spec)

    def load(self) -> None:
        """Starts the model, unless released vectors are read."""
        if _released() is None:
            folder = find_weights(self.context.spec, self.weight_files) / MODEL
            self._model = ModelProcess(_python(), folder, self.context.device)

    def encode_items(self, items: Sequence[Image]) -> list[np.ndarray | str]:
        """For each X-ray its vector [1376] float32, or the reason why it has none."""
        if self.reads == "released_images":
            with ThreadPoolExecutor(READERS) as readers:
                return list(readers.map(_read_released, items))
        return [_checked(outcome) for outcome in self._run_model(items)]

    def _run_model(self, items: Sequence[Image]) -> Iterator[np.ndarray | str]:
        for png in prefetch_map(lambda image: _to_png(image.path), items, workers=2, depth=AHEAD):
            yield png if isinstance(png, str) else self._model.encode(png)


def _released() -> Path | None:
    """The folder of the release, where that way is set up."""
    folder = os.environ.get(RELEASED_ROOT)
    if not folder:
        return None
    if not Path(folder, "files").is_dir():
        raise CharthouseError(
            f"{RELEASED_ROOT}: {folder} has no folder files/ with "
            "pNN/pSUBJECT/sSTUDY/DICOM.tfrecord below it (docs/how-to/cxr-foundation.md)."
        )
    return Path(folder)


def _python() -> str:
    python = os.environ.get("CHARTHOUSE_CXR_PYTHON")
    if not python:
        raise CharthouseError(
            "CXR-Foundation needs CHARTHOUSE_CXR_EMBEDDINGS (folder of PhysioNet's "
            "image-embeddings-mimic-cxr 1.0, with files/ in it) or, to run google/cxr-foundation "
            "itself, CHARTHOUSE_CXR_PYTHON (a python that has TensorFlow: make cxr-env). "
            "See docs/how-to/cxr-foundation.md."
        )
    return python


def _read_released(image: Image) -> np.ndarray | str:
    if image.path is None:
        return LEADS_OUT
    try:
        examples = list(read_examples(image.path))
    except FileNotFoundError:
        return "the release has no vector of it"
    except DamagedRecord as error:
        return f"its released file is damaged: {error}"
    except OSError as error:
        require_about_the_file(error)
        return f"its released file cannot be read ({type(error).__name__})"
    if len(examples) != 1:
        return f"its released file holds {len(examples)} records, not 1"
    names, vector = examples[0].get("image/id"), examples[0].get("embedding")
    if not isinstance(vector, np.ndarray) or vector.dtype != np.float32:
        return "its released file has no embedding"
    image_id = b" ".join(names).decode(errors="replace") if isinstance(names, list) else ""
    words = re.split(r"[^0-9A-Za-z-]+", image_id)  # it may be the name of a file
    if image.dicom_id not in words:
        return "its released file is of another image"
    return _checked(vector)


def _checked(outcome: np.ndarray | str) -> np.ndarray | str:
    if isinstance(outcome, str):
        return outcome
    if outcome.shape != (DIMENSION,):
        return f"its vector has {outcome.size} numbers, not {DIMENSION}"
    return outcome if np.isfinite(outcome).all() else "its vector is not finite"


def _to_png(path: Path | None) -> bytes | str:
    """The X-ray as the model's authors give it: 8-bit gray, darkest pixel 0, own size; or why not.

    The model itself scales it to 1,280 x 1,280.
    """
    try:
        pixels = np.asarray(read_grayscale(path))
    except Unreadable as reason:
        return str(reason)
    png = io.BytesIO()
    Pillow.fromarray(pixels - pixels.min()).save(png, "png", compress_level=1)
    return png.getvalue()


class ModelProcess:
    """The model in a process of its own, with another python: TensorFlow does not share ours.

    Ends with this object, or with this process however that ends. `folder` holds the SavedModel;
    the device cpu hides the GPUs from it.

    Raises:
        CharthouseError: it cannot be started.
    """

    def __init__(self, python: str, folder: Path, device: str) -> None:
        log, self._log = tempfile.mkstemp(prefix="charthouse-cxr-foundation-", suffix=".log")
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "1"}
        if device == "cpu":
            environment["CUDA_VISIBLE_DEVICES"] = "-1"
        try:
            self._process = subprocess.Popen(
                [python, runner.__file__, str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,  # an interrupt is ours to handle
            )
        except OSError as error:
            os.unlink(self._log)
            raise CharthouseError(
                f"CHARTHOUSE_CXR_PYTHON: {python} cannot be started ({error.strerror})."
            ) from None
        finally:
            os.close(log)
        self._late = threading.Event()
        self._stop = weakref.finalize(self, _stop, self._process, self._log)
        with self._within(START_SECONDS):
            self._answer(runner.READY)

    def encode(self, png: bytes) -> np.ndarray | str:
        """The vector float32 of a picture, or why the model refuses it.

        Raises:
            CharthouseError: the process ended, hangs or answers nonsense.
        """
        with self._within(PICTURE_SECONDS):
            assert self._process.stdin is not None
            with suppress(BrokenPipeError):  # the answer will tell
                runner.write_frame(self._process.stdin, runner.PICTURE, png)
            kind, payload = self._answer(runner.VECTOR, runner.REFUSED)
        if kind == runner.REFUSED:
            return payload.decode()
        return np.frombuffer(payload, "<f4").astype(np.float32)

    def _answer(self, *expected: bytes) -> tuple[bytes, bytes]:
        assert self._process.stdout is not None
        try:
            frame = runner.read_frame(self._process.stdout)
        except ValueError:
            self._fail("answers nonsense")
        if frame is None:
            self._fail("took too long" if self._late.is_set() else f"ended ({self._exit_code()})")
        if frame[0] == runner.FATAL:
            self._fail(f"did not start: {frame[1].decode()}")
        if frame[0] not in expected:
            self._fail("answers nonsense")
        return frame

    def _exit_code(self) -> int:
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(5)  # it has closed its output, and is about to end
        _kill(self._process)
        return self._process.wait()

    def _fail(self, how: str) -> NoReturn:
        _kill(self._process)
        self._stop.detach()  # keeps the log
        raise CharthouseError(
            f"CXR-Foundation's process (CHARTHOUSE_CXR_PYTHON) {how}. Its log: {self._log}"
        )

    @contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """Kills the process when the time is over, or when this one is interrupted.

        Killing it ends any reading and writing: no later picture may get the answer of an earlier
        one.
        """
        late, process = self._late, self._process  # the timer must not keep this object alive

        def expire() -> None:
            late.set()
            _kill(process)

        timer = threading.Timer(seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        except BaseException:
            _kill(self._process)
            raise
        finally:
            timer.cancel()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends the process, and what it may have started, at once."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _stop(process: subprocess.Popen[bytes], log: str) -> None:
    _kill(process)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):  # what was not sent
                stream.close()
    with suppress(FileNotFoundError):
        os.unlink(log)
