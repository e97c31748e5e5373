"""Runs CXR-Foundation's ELIXR-C in an environment of its own; started by cxr_foundation.

Needs TensorFlow, numpy and the standard library, nothing of Charthouse. Reads frames (see below) of
PNG pictures from standard input and answers each with one frame on standard output, in order; ends
with its input. What TensorFlow prints goes to standard error.
"""

import os
import struct
import sys
import threading
import time
from contextlib import suppress
from typing import IO, Any

HEADER = struct.Struct("<4scI")  # magic, kind, length of the payload that follows
MAGIC = b"CXR1"
READY = b"R"  # once, before anything else: the model is loaded
PICTURE = b"P"  # in: a PNG
VECTOR = b"V"  # out: little-endian float32
REFUSED = b"E"  # out: why this picture has no vector
FATAL = b"F"  # out: why nothing can be encoded; the last frame
SIGNATURE = "serving_default"
OUTPUT = "feature_maps_0"  # [1, 8, 8, 1376]


def write_frame(stream: IO[bytes], kind: bytes, payload: bytes = b"") -> None:
    """Sends one frame."""
    stream.write(HEADER.pack(MAGIC, kind, len(payload)) + payload)
    stream.flush()


def read_frame(stream: IO[bytes]) -> tuple[bytes, bytes] | None:
    """(kind, payload) of the next frame; None at the end of the stream, or where it is cut short.

    Raises:
        ValueError: something else than a frame.
    """
    header = stream.read(HEADER.size)
    if header[:4] != MAGIC[: len(header)]:
        raise ValueError("not a frame")
    if len(header) < HEADER.size:
        return None
    _, kind, length = HEADER.unpack(header)
    payload = stream.read(length)
    return (kind, payload) if len(payload) == length else None


def main(folder: str) -> int:
    """Loads the SavedModel of a folder and answers pictures until the input ends."""
    # Whoever prints to standard output, in Python or in C, must not get between the frames.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    # This folder comes first on the path; its modules must not stand before TensorFlow's.
    here = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.realpath(path or ".") != here]
    try:
        import numpy as np
        import tensorflow as tf
    except ImportError as error:
        write_frame(answers, FATAL, f"it cannot import {error.name}".encode())
        return 1
    with suppress(ImportError):
        import tensorflow_text  # noqa: F401  # where installed: it brings further operators
    try:
        model = tf.saved_model.load(folder)  # kept: it owns the variables
        infer = model.signatures[SIGNATURE]
    except Exception as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        write_frame(answers, FATAL, f"{folder} cannot be loaded as its SavedModel".encode())
        return 1
    write_frame(answers, READY)
    while (frame := read_frame(sys.stdin.buffer)) is not None:
        try:
            maps = infer(input_example=tf.constant([_example(tf, frame[1])]))[OUTPUT].numpy()
        except tf.errors.InvalidArgumentError as error:
            sys.stderr.write(f"{error}\n")
            write_frame(answers, REFUSED, b"the model refused the picture")
            continue
        # in float64, where no order of summing is seen after rounding back
        vector = np.asarray(maps).mean(axis=(0, 1, 2), dtype=np.float64)
        write_frame(answers, VECTOR, vector.astype("<f4").tobytes())
    return 0


def _example(tf: Any, png: bytes) -> bytes:
    """The picture as the model takes it: a serialized tf.train.Example."""

    def feature(value: bytes) -> Any:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    features = {"image/encoded": feature(png), "image/format": feature(b"png")}
    serialized: bytes = tf.train.Example(
        features=tf.train.Features(feature=features)
    ).SerializeToString()
    return serialized


def _end_with_parent(parent: int) -> None:
    """Ends this process soon after its parent, even in the middle of a picture."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
