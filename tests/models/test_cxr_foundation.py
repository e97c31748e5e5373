"""CXR-Foundation: released files and their damage; the model's process and its deaths."""

import base64
import fcntl
import gc
import io
import os
import signal
import struct
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import duckdb
import numpy as np
import pytest
from PIL import Image as Pillow

from bench import PROJECT
from charthouse.core.errors import CharthouseError
from charthouse.jobs.embed.inputs import READERS
from charthouse.models.encoders import cxr_foundation, cxr_foundation_runner
from charthouse.models.encoders.base import Context, Image, Stay
from charthouse.models.encoders.cxr_foundation import CxrFoundation, ModelProcess
from charthouse.models.encoders.registry import encoder_spec
from charthouse.models.encoders.tfrecord import (
    DamagedRecord,
    parse_example,
    read_examples,
    split_records,
)

TENSORFLOW = os.environ.get("CHARTHOUSE_CXR_PYTHON")

# Two records written by TensorFlow 2.21.0: {embedding: [0.5, -1.25, 3], image/id: [a1b2-c3d4],
# numbers: [0, -1, 300, 2**62]} and {embedding: [], none: a Feature without a list}.
BY_TENSORFLOW = base64.b64decode(
    "YwAAAAAAAACxaxPZCmEKHQoJZW1iZWRkaW5nEhASDgoMAAAAPwAAoL8AAEBAChkKCGltYWdlL2lkEg0KCwoJYTFiMi1j"
    "M2Q0CiUKB251bWJlcnMSGhoYChYA////////////AawCgICAgICAgIBABgj2Sh0AAAAAAAAAYC/fIwobCg8KCWVtYmVk"
    "ZGluZxICEgAKCAoEbm9uZRIANfPIBQ=="
)

STUB = textwrap.dedent(
    '''
    """Stands in for TensorFlow: the width of a picture says what happens to it."""
    import fcntl, io, os, sys, time
    from types import SimpleNamespace as Names
    import numpy as np
    from PIL import Image

    # the modules beside the runner are ours, not TensorFlow's
    assert not any(os.path.exists(os.path.join(p, "cxr_foundation_runner.py")) for p in sys.path)
    if os.environ.get("STUB") == "not importable":
        raise ImportError("No module named 'tensorflow'", name="tensorflow")
    if lock := os.environ.get("STUB_LOCK"):
        held = open(lock, "w")
        fcntl.flock(held, fcntl.LOCK_EX)

    class InvalidArgumentError(Exception):
        pass

    errors = Names(InvalidArgumentError=InvalidArgumentError)

    def example(features):
        assert features["image/format"] == b"png"
        return Names(SerializeToString=lambda: features["image/encoded"])

    train = Names(
        BytesList=lambda value: value[0],
        Feature=lambda bytes_list: bytes_list,
        Features=lambda feature: feature,
        Example=example,
    )
    constant = list

    def infer(input_example):
        (png,) = input_example
        picture = Image.open(io.BytesIO(png))
        assert picture.mode == "L"
        if picture.width == 11:
            raise InvalidArgumentError("cannot decode")
        if picture.width == 12:
            os.write(2, b"segmentation fault\\n")
            os._exit(7)
        if picture.width == 13:
            print("noise " * 1000, flush=True)
            os.system("echo noise of another process")
        if picture.width == 14:
            time.sleep(600)
        places = np.arange(8.0)[None, :, None, None] - 3.5
        channels = np.arange(1375.0 if picture.width == 15 else 1376.0)
        maps = np.asarray(picture).mean() + places + channels + np.zeros((1, 8, 8, 1))
        if picture.width == 16:
            maps[0, 0, 0, 5] = np.nan
        return {"feature_maps_0": Names(numpy=lambda: maps.astype(np.float32))}

    def load(folder):
        if os.environ.get("STUB") == "not loadable":
            raise OSError("no such SavedModel")
        return Names(signatures={"serving_default": infer})

    saved_model = Names(load=load)
    '''
)


def slow_crc32c(data: bytes) -> int:
    """Bit by bit, as the standard defines it."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


def varint(number: int) -> bytes:
    written = b""
    while number > 0x7F:
        written += bytes([number & 0x7F | 0x80])
        number >>= 7
    return written + bytes([number])


def message(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def example(vector: np.ndarray, image_id: str, *, packed: bool = True) -> bytes:
    """A serialized tf.train.Example, written by hand."""
    if packed:
        floats = message(1, vector.astype("<f4").tobytes())
    else:
        floats = b"".join(varint(1 << 3 | 5) + struct.pack("<f", number) for number in vector)
    features = b""
    for name, feature in (
        ("embedding", message(2, floats)),
        ("image/id", message(1, message(1, image_id.encode()))),
    ):
        features += message(1, message(1, name.encode()) + message(2, feature))
    return message(1, features)


def masked(data: bytes) -> int:
    checksum = slow_crc32c(data)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) % 2**32


def record(payload: bytes) -> bytes:
    """A TFRecord."""
    length = struct.pack("<Q", len(payload))
    checksums = [struct.pack("<I", masked(part)) for part in (length, payload)]
    return length + checksums[0] + payload + checksums[1]


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHARTHOUSE_CXR_EMBEDDINGS", "CHARTHOUSE_CXR_PYTHON", "CHARTHOUSE_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHARTHOUSE_CXR_EMBEDDINGS", str(tmp_path / "release"))
    (tmp_path / "release/files").mkdir(parents=True)
    return tmp_path / "release"


@pytest.fixture
def encoder() -> CxrFoundation:
    """Made after `release`, where a test asks for both: it looks at the environment."""
    return CxrFoundation(Context(encoder_spec(PROJECT, "cxr_foundation"), {}))


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights of nothing, and a python whose TensorFlow is the stub."""
    folder = tmp_path / "weights/cxr_foundation/elixr-c-v2-pooled"
    (folder / "variables").mkdir(parents=True)
    for name in ("saved_model.pb", "variables/variables.index", "variables/variables.data-0-of-1"):
        (folder / name).write_bytes(name.encode())
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub/tensorflow.py").write_text(STUB)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "stub"), prepend=os.pathsep)
    monkeypatch.setenv("CHARTHOUSE_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("CHARTHOUSE_CXR_PYTHON", sys.executable)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # logs
    return folder


def image_of(root: Path, dicom_id: str) -> Image:
    return Image(dicom_id, root / f"release/files/p10/p10000001/s50000001/{dicom_id}.tfrecord")


def release_file(release: Path, dicom_id: str) -> Path:
    path = release / f"files/p10/p10000001/s50000001/{dicom_id}.tfrecord"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def draw(folder: Path, width: int, level: int, name: str = "") -> Image:
    """A lossless picture of one gray level, but for a darkest pixel of 10."""
    pixels = np.full((9, width), level, np.uint8)
    pixels[0, 0] = 10
    path = folder / f"{name or f'{width}-{level}'}.png"
    Pillow.fromarray(pixels).save(path)
    return Image(path.stem, path)


def expected(width: int, level: int) -> np.ndarray:
    """What the stub and the mean over the places make of it, the darkest pixel being 0."""
    mean = (level - 10) * (9 * width - 1) / (9 * width)
    return np.arange(1376) + mean


# the reader of TFRecords


def test_file_of_tensorflow_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(BY_TENSORFLOW)
    first, second = read_examples(tmp_path / "file")
    assert first["image/id"] == [b"a1b2-c3d4"]
    np.testing.assert_array_equal(first["embedding"], np.array([0.5, -1.25, 3], np.float32))
    np.testing.assert_array_equal(first["numbers"], np.array([0, -1, 300, 2**62]))
    assert len(second["embedding"]) == 0
    assert second["none"] == []


def test_every_flipped_bit_is_noticed() -> None:
    for bit in range(len(BY_TENSORFLOW) * 8):
        damaged = bytearray(BY_TENSORFLOW)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedRecord):
            list(split_records(bytes(damaged)))


def test_file_cut_anywhere_but_between_records_is_noticed() -> None:
    first = len(record(next(split_records(BY_TENSORFLOW))))
    for size in set(range(1, len(BY_TENSORFLOW))) - {first}:
        with pytest.raises(DamagedRecord, match="the file ends within"):
            list(split_records(BY_TENSORFLOW[:size]))


def test_numbers_may_be_packed_or_one_by_one() -> None:
    """A list of int64, negative ones too, in each of the forms that protocol buffers allow."""
    numbers = [7, 300, -1]
    several = b"".join(varint(number & (1 << 64) - 1) for number in numbers)
    packed = message(1, several)
    single = b"".join(varint(1 << 3) + varint(number & (1 << 64) - 1) for number in numbers)
    for content in (packed, single):
        feature = message(1, message(1, b"n") + message(2, message(3, content)))
        assert parse_example(message(1, feature))["n"].tolist() == numbers
    strange = varint(1 << 3 | 5) + b"1234"  # four bytes, as a float is
    feature = message(1, message(1, b"n") + message(2, message(3, strange)))
    assert parse_example(message(1, feature))["n"].tolist() == []  # an unknown field is skipped


@pytest.mark.parametrize(
    "content",
    [b"\xff" * 11, b"\x0a\x05abc", b"%PDF-1.7", message(1, message(1, message(1, b"\xff")))],
    ids=["number too long", "field too long", "other file", "name that is no text"],
)
def test_a_record_of_something_else_is_damage(content: bytes) -> None:
    with pytest.raises(DamagedRecord, match=r"it is not a tf\.train\.Example"):
        parse_example(content)


def test_a_length_that_no_file_can_have_reserves_nothing() -> None:
    length = struct.pack("<Q", 2**63 - 1)
    head = length + struct.pack("<I", 0)
    with pytest.raises(DamagedRecord, match="the checksum of a record's length"):
        list(split_records(head))
    with pytest.raises(DamagedRecord, match="the file ends within a record"):
        list(split_records(length + struct.pack("<I", masked(length)) + b"short"))


def test_nonsense_is_damage_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    whole = example(np.arange(4), "a1b2")
    for _ in range(3000):
        damaged = bytearray(whole)
        for place in rng.integers(len(whole), size=3):
            damaged[place] = rng.integers(256)
        try:
            parse_example(bytes(damaged))
        except DamagedRecord:
            continue


# released vectors


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("image_id", ["{}", "files/p10/p10000001/s50000001/{}.dcm", "s50000001_{}"])
def test_released_vector_is_read_as_it_is(
    release: Path, encoder: CxrFoundation, tmp_path: Path, packed: bool, image_id: str
) -> None:
    vector = np.random.default_rng(1).normal(size=1376).astype(np.float32)
    dicom_id = "02aa804e-bde0afdd-112c0b34-7bc16630-4e384014"
    written = record(example(vector, image_id.format(dicom_id), packed=packed))
    release_file(release, dicom_id).write_bytes(written)
    encoder.load()
    (found,) = encoder.encode_items([image_of(tmp_path, dicom_id)])
    assert isinstance(found, np.ndarray)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, vector)
    assert encoder.settings() == {"way": "released"}
    assert encoder.not_ready(encoder.context.spec) is None


def test_bad_released_files_are_left_out_with_their_reasons(
    release: Path, encoder: CxrFoundation, tmp_path: Path
) -> None:
    good = np.arange(1376) / 7
    whole = record(example(good, "a-whole"))
    files = {
        "a-whole": (whole, None),
        "a-missing": (None, "the release has no vector of it"),
        "a-cut": (whole[:-100], "its released file is damaged: the file ends within a record"),
        "a-flipped": (
            whole[:500] + bytes([whole[500] ^ 1]) + whole[501:],
            "its released file is damaged: the checksum of a record does not agree",
        ),
        "a-empty": (b"", "its released file holds 0 records, not 1"),
        "a-double": (whole + whole, "its released file holds 2 records, not 1"),
        "a-other": (whole, "its released file is of another image"),
        "a-short": (
            record(example(good[1:], "a-short")),
            "its vector has 1375 numbers, not 1376",
        ),
        "a-nan": (record(example(good * np.nan, "a-nan")), "its vector is not finite"),
        "a-bare": (record(b""), "its released file has no embedding"),
    }
    for name, (content, _) in files.items():
        if content is not None:
            release_file(release, name).write_bytes(content)
    images = tuple(image_of(tmp_path, name) for name in files)
    found = encoder.encode([Stay(1, 1, "train", images), Stay(2, 2, "test", images[1:])])
    np.testing.assert_array_equal(found.stay_ids, [1])
    np.testing.assert_array_equal(found.vectors, [good.astype(np.float32)])
    reasons = {skip.item: skip.reason for skip in found.skipped if skip.stay_id == 1}
    assert reasons == {name: reason for name, (_, reason) in files.items() if reason}
    assert [skip.stay_id for skip in found.skipped if skip.item is None] == [2]


def test_wrong_folder_of_the_release_is_said_at_once(release: Path, encoder: CxrFoundation) -> None:
    (release / "files").rmdir()
    with pytest.raises(CharthouseError, match="has no folder files/"):
        encoder.fingerprint()


def test_neither_way_set_up_names_both(encoder: CxrFoundation) -> None:
    with pytest.raises(CharthouseError) as caught:
        encoder.fingerprint()
    assert "CHARTHOUSE_CXR_EMBEDDINGS" in str(caught.value)
    assert "CHARTHOUSE_CXR_PYTHON" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert encoder.not_ready(encoder.context.spec) == str(caught.value)


def test_files_that_are_all_away_are_said_without_the_path_of_a_patient(release: Path) -> None:
    with duckdb.connect() as db:
        db.execute("create schema marts; create table marts.chest_xrays as select 1 as"
                   " stay_id, 'a-b' as dicom_id,"
                   " 'files/p10/p10000001/s50000001/a-b.jpg' as path")  # fmt: skip
        with pytest.raises(CharthouseError) as caught:
            READERS["released_images"].hashes(db, Context(encoder_spec(PROJECT, "swin"), {}))
    assert str(caught.value) == (
        f"None of the 1 files of marts.chest_xrays is below {release}. Mount the disk, or correct"
        " CHARTHOUSE_CXR_EMBEDDINGS."
    )


# the model's process, TensorFlow being a stub


def test_pictures_are_answered_in_order_whatever_happens_to_one(
    encoder: CxrFoundation, model: Path, tmp_path: Path
) -> None:
    corrupt = Image("corrupt", tmp_path / "corrupt.jpg")
    corrupt.path.write_bytes(b"\xff\xd8\xff no picture")
    images = [draw(tmp_path, 8, level) for level in range(20, 40)]
    images[3:3] = [corrupt, draw(tmp_path, 11, 90), draw(tmp_path, 13, 90), draw(tmp_path, 15, 90)]
    images += [draw(tmp_path, 16, 90), Image("missing", tmp_path / "missing.jpg")]
    encoder.load()
    outcomes = dict(zip([i.dicom_id for i in images], encoder.encode_items(images), strict=True))
    assert {name: reason for name, reason in outcomes.items() if isinstance(reason, str)} == {
        "corrupt": "the file is neither a JPEG nor a PNG",
        "11-90": "the model refused the picture",
        "15-90": "its vector has 1375 numbers, not 1376",
        "16-90": "its vector is not finite",
        "missing": "the file is missing",
    }
    for name, outcome in outcomes.items():
        if isinstance(outcome, np.ndarray):
            width, level = map(int, name.split("-"))
            np.testing.assert_allclose(outcome, expected(width, level), rtol=1e-6)
    assert list(encoder.encode_items([])) == []


def test_the_two_ways_are_never_taken_for_one_another(
    encoder: CxrFoundation, model: Path, release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert encoder.settings()["way"] == "released"
    released = encoder.fingerprint()
    assert encoder.revision() == released == "physionet image-embeddings-mimic-cxr 1.0"
    monkeypatch.delenv("CHARTHOUSE_CXR_EMBEDDINGS")
    assert encoder.settings()["way"] == "model"
    weights = encoder.fingerprint()
    assert weights != released
    assert encoder.revision() is None  # of a folder of one's own nobody knows
    (model / "variables/variables.data-0-of-1").write_bytes(b"other weights")
    assert encoder.fingerprint() not in (weights, released)


def test_missing_weights_are_named(encoder: CxrFoundation, model: Path) -> None:
    (model / "saved_model.pb").unlink()
    with pytest.raises(CharthouseError, match=r"lacks elixr-c-v2-pooled/saved_model\.pb"):
        encoder.fingerprint()
    assert "hf download google/cxr-foundation" in str(encoder.not_ready(encoder.context.spec))


@pytest.mark.parametrize(
    ("width", "seconds", "says"),
    [(12, 60.0, r"ended \(7\)"), (14, 0.3, "took too long")],
    ids=["crash", "hang"],
)
def test_process_that_dies_is_one_line_naming_its_log(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    width: int, seconds: float, says: str,
) -> None:  # fmt: skip
    process = ModelProcess(sys.executable, model, "cpu")
    assert isinstance(process.encode(draw(tmp_path, 8, 50).path.read_bytes()), np.ndarray)
    monkeypatch.setattr(cxr_foundation, "PICTURE_SECONDS", seconds)
    with pytest.raises(CharthouseError, match=says) as caught:
        process.encode(draw(tmp_path, width, 50).path.read_bytes())
    assert "\n" not in str(caught.value)
    log = Path(str(caught.value).split("Its log: ")[1])
    assert log.exists()
    if width == 12:
        assert "segmentation fault" in log.read_text()
    with pytest.raises(CharthouseError):  # and it stays dead
        process.encode(draw(tmp_path, 8, 50).path.read_bytes())
    del process
    gc.collect()
    assert log.exists()


def test_large_picture_to_a_process_that_hangs_is_given_up(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = ModelProcess(sys.executable, model, "cpu")
    os.kill(process._process.pid, signal.SIGSTOP)
    monkeypatch.setattr(cxr_foundation, "PICTURE_SECONDS", 0.3)
    with pytest.raises(CharthouseError, match="took too long"):
        process.encode(bytes(1_000_000))  # more than a pipe holds


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        ("not importable", "did not start: it cannot import tensorflow"),
        ("not loadable", "did not start: .* cannot be loaded as its SavedModel"),
    ],
)
def test_what_stops_the_start_is_said(
    model: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str, says: str
) -> None:
    monkeypatch.setenv("STUB", behaviour)
    with pytest.raises(CharthouseError, match=says):
        ModelProcess(sys.executable, model, "cpu")


def test_python_that_is_none_is_said(model: Path, tmp_path: Path) -> None:
    with pytest.raises(CharthouseError, match=r"CHARTHOUSE_CXR_PYTHON: .* cannot be started"):
        ModelProcess(str(tmp_path / "nowhere"), model, "cpu")
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho Welcome to this computer\nsleep 600\n")
    script.chmod(0o755)
    with pytest.raises(CharthouseError, match="answers nonsense"):
        ModelProcess(str(script), model, "cpu")
    assert cxr_foundation_runner.read_frame(io.BytesIO(b"")) is None
    assert cxr_foundation_runner.read_frame(io.BytesIO(b"CXR")) is None


def test_interrupted_picture_gives_no_later_one_its_answer(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = ModelProcess(sys.executable, model, "cpu")

    def interrupt(*_: bytes) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(process, "_answer", interrupt)
        process.encode(draw(tmp_path, 8, 50).path.read_bytes())
    with pytest.raises(CharthouseError):
        process.encode(draw(tmp_path, 8, 60).path.read_bytes())


def test_process_ends_with_its_encoder_and_leaves_no_log(
    encoder: CxrFoundation, model: Path, tmp_path: Path
) -> None:
    encoder.load()
    child = encoder._model._process
    del encoder._model
    gc.collect()
    assert child.poll() is not None
    assert not list(tmp_path.glob("*.log"))


def test_killed_parent_leaves_no_orphan(model: Path, tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path\n"
            "from charthouse.models.encoders.cxr_foundation import ModelProcess\n"
            "model = ModelProcess(sys.executable, Path(sys.argv[1]), 'cpu')\n"
            "print('ready', flush=True)\n"
            "model.encode(Path(sys.argv[2]).read_bytes())\n",  # hangs
            str(model),
            str(draw(tmp_path, 14, 50).path),
        ],
        env=os.environ | {"STUB_LOCK": str(lock), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent, lock.open("a") as file:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        with pytest.raises(BlockingIOError):  # the child lives
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(0.3)  # let the picture arrive
        parent.kill()
        parent.wait()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(0.05)
    pytest.fail("the child outlived its parent")


def test_runner_needs_nothing_of_charthouse() -> None:
    """Its python has TensorFlow, not our packages; and our modules do not hide that python's."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", cxr_foundation_runner.__file__, "nowhere"],
        capture_output=True,
        timeout=60,
    )
    header = cxr_foundation_runner.HEADER
    _, kind, length = header.unpack(done.stdout[: header.size])
    assert kind == cxr_foundation_runner.FATAL
    assert done.stdout[header.size :][:length].startswith(b"it cannot import")


# the runner with TensorFlow itself

BUILD_MODEL = textwrap.dedent(
    """
    import sys
    import tensorflow as tf

    class Tiny(tf.Module):
        def __init__(self):
            self.weight = tf.Variable(tf.range(1376, dtype=tf.float32) / 1376)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="input_example")])
        def embed(self, input_example):
            features = {
                "image/encoded": tf.io.FixedLenFeature([], tf.string),
                "image/format": tf.io.FixedLenFeature([], tf.string),
            }
            parsed = tf.io.parse_single_example(input_example[0], features)
            tf.debugging.assert_equal(parsed["image/format"], "png")
            gray = tf.cast(tf.io.decode_png(parsed["image/encoded"], channels=1), tf.float32)
            places = tf.reshape(tf.image.resize(gray, [8, 8], "area"), [1, 8, 8, 1])
            return {"feature_maps_0": places * self.weight}

    tiny = Tiny()
    tf.saved_model.save(tiny, sys.argv[1], signatures={"serving_default": tiny.embed})
    """
)


@pytest.mark.skipif(not TENSORFLOW, reason="CHARTHOUSE_CXR_PYTHON is not set: make cxr-env")
def test_runner_with_tensorflow_itself(
    encoder: CxrFoundation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert TENSORFLOW
    folder = tmp_path / "weights/cxr_foundation/elixr-c-v2-pooled"
    subprocess.run([TENSORFLOW, "-c", BUILD_MODEL, str(folder)], check=True, timeout=300)
    monkeypatch.setenv("CHARTHOUSE_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("CHARTHOUSE_CXR_PYTHON", TENSORFLOW)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rng = np.random.default_rng(0)
    images = []
    for number in range(5):
        path = tmp_path / f"{number}.png"
        Pillow.fromarray(rng.integers(5, 250, (64, 48), dtype=np.uint8)).save(path)
        images.append(Image(path.stem, path))
    (tmp_path / "2.png").write_bytes(b"no picture")
    assert len(encoder.fingerprint()) == 32
    encoder.load()
    outcomes = list(encoder.encode_items(images))
    assert outcomes.pop(2) == "the file is neither a JPEG nor a PNG"
    for image, outcome in zip(images[:2] + images[3:], outcomes, strict=True):
        pixels = np.asarray(Pillow.open(image.path)).astype(float)
        mean = (pixels - pixels.min()).mean()
        np.testing.assert_allclose(outcome, mean * np.arange(1376) / 1376, rtol=1e-5, atol=1e-5)
    # a picture that only TensorFlow finds fault with: the next one is answered all the same
    assert encoder._model.encode(b"no png") == "the model refused the picture"
    assert isinstance(encoder._model.encode((tmp_path / "0.png").read_bytes()), np.ndarray)
