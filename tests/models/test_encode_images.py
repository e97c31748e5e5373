"""Swin: what it reads, what it gives, and what it does with images that are not in order."""

import errno
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from bench import PROJECT
from charthouse.core.errors import CharthouseError
from charthouse.core.prefetch import prefetch_map
from charthouse.data.xray_files import (
    MOST_PIXELS,
    Unreadable,
    files_below,
    read_grayscale,
    stat_of,
)
from charthouse.models.checkpoints import import_timm, import_transformers, read_tensors
from charthouse.models.encoders.base import Context, Image, Stay
from charthouse.models.encoders.registry import encoder_class, encoder_spec
from charthouse.models.encoders.swin import Swin, normalised, read_picture
from tiny_checkpoints import SWIN_PIXELS as SIZE
from tiny_checkpoints import TINY_SWIN as TINY
from tiny_checkpoints import write_swin

X_RAYS = PROJECT.parent / "shared/data/nih-chest-xrays"
needs_x_rays = pytest.mark.skipif(
    not X_RAYS.is_dir(), reason="the NIH chest X-rays are not beside the clone"
)


@pytest.fixture(scope="module")
def hugging_face(tmp_path_factory: pytest.TempPathFactory):
    """A tiny Swin of transformers and its folder; never changed by a test."""
    folder = tmp_path_factory.mktemp("hugging_face")
    return write_swin(folder), folder


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder where Swin looks for its weights."""
    monkeypatch.setenv("CHARTHOUSE_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "no cache"))
    folder = tmp_path / "weights/swin"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def swin(weights: Path, hugging_face) -> Swin:
    link(hugging_face[1], weights)
    return loaded()


def link(source: Path, target: Path) -> None:
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())


def context() -> Context:
    return Context(spec=encoder_spec(PROJECT, "swin"), variables={})


def loaded() -> Swin:
    encoder = encoder_class("swin")(context())
    encoder.load()
    assert isinstance(encoder, Swin)
    return encoder


def pictures(folder: Path, n: int, size: tuple[int, int] = (90, 70)) -> list[Image]:
    """n noisy gray JPGs, no two alike."""
    rng = np.random.default_rng(7)
    images = []
    for number in range(n):
        coarse = PIL.Image.fromarray(rng.integers(0, 256, (9, 7), np.uint8))
        path = folder / f"{number}.jpg"
        coarse.resize(size, PIL.Image.Resampling.BICUBIC).save(path, quality=95)
        images.append(Image(f"dicom-{number}", path))
    return images


def stay_of(images: Sequence[Image], stay_id: int = 1) -> Stay[tuple[Image, ...]]:
    return Stay(stay_id, 10 + stay_id, "train", tuple(images))


def vectors_of(outcomes: Sequence[np.ndarray | str]) -> np.ndarray:
    assert all(isinstance(outcome, np.ndarray) for outcome in outcomes), outcomes
    return np.stack([outcome for outcome in outcomes if isinstance(outcome, np.ndarray)])


def processor(size: int):
    """The microsoft repository's processor, with the backend that its authors had."""
    import_transformers()
    from transformers import ViTImageProcessorPil

    return ViTImageProcessorPil(
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
        resample=3,
        size={"height": size, "width": size},
    )


def the_papers_way(model: torch.nn.Module, images: Sequence[Image], size: int) -> np.ndarray:
    """One image at a time, as the paper's code does it."""
    prepare = processor(size)
    vectors = []
    for image in images:
        gray = PIL.Image.open(image.path).convert("L")
        colour = PIL.Image.merge("RGB", (gray, gray, gray))
        with torch.no_grad():
            output = model.swin(**prepare(images=colour, return_tensors="pt"))
        vectors.append(output.pooler_output[0].numpy())
    return np.stack(vectors)


# Weights


def test_the_hubs_layout_gives_what_transformers_gives(swin, hugging_face, tmp_path):
    images = pictures(tmp_path, 5)
    ours = vectors_of(swin.encode_items(images))
    theirs = the_papers_way(hugging_face[0], images, SIZE)
    assert ours.shape == (5, 32) and ours.dtype == np.float32
    assert theirs.std(axis=0).max() > 1e-2  # the images do differ
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_a_pytorch_bin_loads_as_the_safetensors_does(weights, swin, hugging_face, tmp_path):
    images = pictures(tmp_path, 3)
    expected = vectors_of(swin.encode_items(images))
    (weights / "model.safetensors").unlink()
    torch.save(
        hugging_face[0].state_dict(), weights / "pytorch_model.bin"
    )  # transformers 5's names
    np.testing.assert_array_equal(vectors_of(loaded().encode_items(images)), expected)


def test_constants_in_an_older_file_of_the_hub_are_passed_over(
    weights, swin, hugging_face, tmp_path
):
    """Those of before transformers 5 hold the index of each relative position."""
    from safetensors.torch import load_file, save_file

    images = pictures(tmp_path, 2)
    expected = vectors_of(swin.encode_items(images))
    tensors = load_file(weights / "model.safetensors")
    index = "swin.encoder.layers.0.blocks.0.attention.self.relative_position_index"
    save_file(tensors | {index: torch.zeros(16, 16).long()}, weights / "model.safetensors")
    np.testing.assert_array_equal(vectors_of(loaded().encode_items(images)), expected)


def timm_model() -> torch.nn.Module:
    torch.manual_seed(1)
    model = import_timm().create_model(
        "swin_base_patch4_window7_224", img_size=SIZE, num_classes=5, **TINY
    )
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def timm_config(folder: Path) -> None:
    config = {
        "architecture": "swin_base_patch4_window7_224",
        "num_classes": 5,
        "model_args": {"img_size": SIZE, **TINY},
    }
    (folder / "config.json").write_text(json.dumps(config))


def as_microsoft_released(model: torch.nn.Module) -> dict[str, object]:
    """The names of the .pth files: patches merged at the end of a stage, constants included."""
    tensors = {
        name.replace("layers.1.downsample", "layers.0.downsample").replace(
            "head.fc", "head"
        ): tensor
        for name, tensor in model.state_dict().items()
    }
    tensors["layers.0.blocks.0.attn.relative_position_index"] = torch.zeros(16, 16).long()
    tensors["layers.0.blocks.1.attn_mask"] = torch.zeros(4, 16, 16)
    return {"model": tensors}


def safetensors(model: torch.nn.Module, folder: Path) -> None:
    from safetensors.torch import save_file

    save_file(model.state_dict(), folder / "model.safetensors")


@pytest.mark.parametrize(
    "save",
    [
        safetensors,
        lambda model, folder: torch.save(model.state_dict(), folder / "pytorch_model.bin"),
        lambda model, folder: torch.save(as_microsoft_released(model), folder / "swin_22k.pth"),
    ],
    ids=["timm safetensors", "timm bin", "microsoft pth"],
)
def test_the_layouts_of_timm_and_microsoft_give_what_timm_gives(
    weights: Path, tmp_path: Path, save: Callable[[torch.nn.Module, Path], None]
):
    model = timm_model()
    timm_config(weights)
    save(model, weights)
    images = pictures(tmp_path, 3)
    pixels = [
        processor(SIZE)(images=PIL.Image.open(i.path).convert("RGB"), return_tensors="pt")
        for i in images
    ]
    with torch.no_grad():
        whole = torch.cat([each["pixel_values"] for each in pixels])
        theirs = model.forward_head(model.forward_features(whole), pre_logits=True).numpy()
    ours = vectors_of(loaded().encode_items(images))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("swin.encoder.layers.1.blocks.0.layernorm_before.weight"), "lacks"),
        (lambda t: t.pop("swin.encoder.layers.0.blocks.1.attention.self.key.bias"), "lacks"),
        (lambda t: t.update({"swin.encoder.more.weight": torch.zeros(1)}), "has no use for"),
        (lambda t: t.update({"swin.layernorm.weight": torch.zeros(7)}), "wrong shape"),
    ],
    ids=["missing", "key missing", "extra", "shape"],
)
def test_a_checkpoint_that_does_not_fit_is_one_line(weights, hugging_face, change, said):
    from safetensors.torch import load_file, save_file

    link(hugging_face[1], weights)
    tensors = load_file(weights / "model.safetensors")
    change(tensors)
    save_file(tensors, weights / "model.safetensors")
    with pytest.raises(CharthouseError, match=said) as raised:
        loaded()
    assert "\n" not in str(raised.value)


def test_a_bin_of_something_else_than_tensors_is_one_line(tmp_path):
    for content in ([torch.zeros(2)], {"model": {"step": 3}}):
        torch.save(content, tmp_path / "pytorch_model.bin")
        with pytest.raises(CharthouseError, match="holds something else than named tensors"):
            read_tensors(tmp_path / "pytorch_model.bin")


def test_a_checkpoint_that_carries_code_is_refused(weights, hugging_face, tmp_path):
    link(hugging_face[1], weights)
    (weights / "model.safetensors").unlink()

    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    torch.save({"swin.layernorm.weight": Evil()}, weights / "pytorch_model.bin")
    with pytest.raises(CharthouseError, match="cannot be read as weights"):
        loaded()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "config",
    [
        '{"a": 1}',
        '{"architecture": "swan_base"}',
        '{"model_type": "swinv2"}',
        '{"model_type": "swin", "embed_dim": "x"}',
    ],
)
def test_a_config_of_something_else_is_one_line(weights, hugging_face, config: str):
    link(hugging_face[1], weights)
    (weights / "config.json").write_text(config)
    with pytest.raises(CharthouseError, match="is not that of a Swin"):
        loaded()


def test_a_disk_that_refuses_ends_the_run_and_spoils_no_image(swin, tmp_path, monkeypatch):
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    images = pictures(tmp_path, 1)
    monkeypatch.setattr(PIL.Image, "open", refuse)
    with pytest.raises(CharthouseError, match="cannot be read: Input/output error"):
        swin.encode_items(images)


def test_a_damaged_checkpoint_is_one_line(weights, hugging_face):
    link(hugging_face[1], weights)
    whole = (weights / "model.safetensors").read_bytes()
    (weights / "model.safetensors").write_bytes(whole[:-100])
    with pytest.raises(CharthouseError, match="fetch it again") as raised:
        loaded()
    assert "\n" not in str(raised.value)


def test_without_weights_one_line_says_how_to_fetch_them(weights):
    encoder = Swin(context())
    for call in (encoder.fingerprint, encoder.load):
        with pytest.raises(CharthouseError, match="hf download microsoft/swin-base") as raised:
            call()
        assert "\n" not in str(raised.value)


def test_the_fingerprint_follows_the_bytes_of_weights_and_config(weights, hugging_face):
    link(hugging_face[1], weights)
    seen = {Swin(context()).fingerprint()}
    (weights / "README.md").write_text("changes nothing")
    seen.add(Swin(context()).fingerprint())
    assert len(seen) == 1
    for name in ("model.safetensors", "config.json"):
        content = bytearray((weights / name).read_bytes())
        content[-3] ^= 1
        (weights / name).write_bytes(content)
        seen.add(Swin(context()).fingerprint())
    assert len(seen) == 3


# Images


@needs_x_rays
def test_real_x_rays_are_prepared_bit_for_bit_as_the_papers_processor_does():
    paths = sorted((X_RAYS / "1024").glob("*.png")) + sorted((X_RAYS / "64").glob("*.png"))[:6]
    for path in paths:
        gray = PIL.Image.open(path).convert("L")
        colour = PIL.Image.merge("RGB", (gray, gray, gray))
        theirs = processor(224)(images=colour, return_tensors="pt")["pixel_values"][0]
        picture = read_picture(path, 224)
        assert isinstance(picture, np.ndarray)
        assert torch.equal(normalised()[:, torch.from_numpy(picture).long()], theirs)


@needs_x_rays
def test_real_x_rays_have_the_vectors_of_the_papers_way(swin, hugging_face):
    images = [Image(path.stem, path) for path in sorted((X_RAYS / "1024").glob("*.png"))]
    theirs = the_papers_way(hugging_face[0], images, SIZE)
    ours = swin.encode([stay_of(images)])
    np.testing.assert_allclose(ours.vectors[0], theirs.mean(axis=0), rtol=0, atol=1e-5)


def test_an_image_has_the_same_vector_whatever_comes_with_it(swin, tmp_path):
    """The bound is 1e-5: batches of another size add up in another order."""
    images = pictures(tmp_path, 21)
    together = vectors_of(swin.encode_items(images))  # a full batch and a part of one
    backwards = vectors_of(swin.encode_items(images[::-1]))[::-1]
    swin.batch = 1
    alone = vectors_of(swin.encode_items(images))
    np.testing.assert_allclose(backwards, together, rtol=0, atol=1e-5)
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-5)


def test_bfloat16_is_near_and_named_in_the_settings(swin, tmp_path):
    images = pictures(tmp_path, 4)
    halved = encoder_class("swin")(replace(context(), precision="bfloat16"))
    halved.load()
    assert halved.settings() == {"precision": "bfloat16"} != swin.settings()
    exact, near = (vectors_of(one.encode_items(images)) for one in (swin, halved))
    error = np.linalg.norm(near - exact, axis=1) / np.linalg.norm(exact, axis=1)
    assert near.dtype == np.float32
    assert 0 < error.max() < 0.05


def test_images_of_any_shape_and_colour_are_read(swin, tmp_path):
    rng = np.random.default_rng(0)
    made = {
        "colour.png": PIL.Image.fromarray(rng.integers(0, 256, (40, 50, 3), np.uint8)),
        "alpha.png": PIL.Image.fromarray(rng.integers(0, 256, (40, 50, 4), np.uint8)),
        "palette.png": PIL.Image.fromarray(rng.integers(0, 256, (40, 50), np.uint8)).convert("P"),
        "one pixel.png": PIL.Image.fromarray(np.full((1, 1), 9, np.uint8)),
        "thin.jpg": PIL.Image.fromarray(rng.integers(0, 256, (1, 900), np.uint8)),
    }
    images = []
    for name, picture in made.items():
        picture.save(tmp_path / name)
        images.append(Image(name, tmp_path / name))
    assert np.isfinite(vectors_of(swin.encode_items(images))).all()


def spoiled(folder: Path) -> dict[Image, str]:
    """Files that hold no usable X-ray, and what is said of each."""
    good = pictures(folder, 1)[0].path.read_bytes()
    deep = PIL.Image.fromarray(np.full((20, 20), 40_000, np.uint16))
    deep.save(folder / "deep.png")
    huge = PIL.Image.new("1", (MOST_PIXELS // 5_000 + 1, 5_000))
    huge.save(folder / "huge.png")
    PIL.Image.new("L", (9, 9)).save(folder / "other.bmp")
    content = {
        "cut.jpg": good[: len(good) // 2],
        "empty.jpg": b"",
        "text.jpg": b"<html>404</html>",
        "header only.jpg": good[:30],
    }
    for name, data in content.items():
        (folder / name).write_bytes(data)
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    (folder / "device.jpg").symlink_to("/dev/null")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    reasons = {
        "cut.jpg": "damaged or cut short",
        "empty.jpg": "empty",
        "text.jpg": "neither a JPEG nor a PNG",
        "header only.jpg": "damaged or cut short",
        "missing.jpg": "missing",
        "folder.jpg": "no regular file",
        "pipe.jpg": "no regular file",
        "device.jpg": "no regular file",
        "deep.png": "8 bits",
        "huge.png": "more than 50,000,000 pixels",
        "other.bmp": "neither a JPEG nor a PNG",
        "loop.jpg": "its path is a loop of links",
        f"{'long' * 100}.jpg": "its path is longer than the disk allows",
        "no\0name.jpg": "damaged or cut short",
    }
    return {Image(name, folder / name): reason for name, reason in reasons.items()}


def test_spoiled_images_are_reasons_and_the_run_goes_on(swin, tmp_path):
    good = pictures(tmp_path, 2)
    bad = spoiled(tmp_path)
    alone = swin.encode_items(good)
    outcomes = swin.encode_items([good[0], *bad, good[1]])
    np.testing.assert_allclose(vectors_of([outcomes[0], outcomes[-1]]), alone, rtol=0, atol=1e-5)
    for outcome, (image, reason) in zip(outcomes[1:-1], bad.items(), strict=True):
        assert isinstance(outcome, str) and reason in outcome, image.dicom_id
        assert str(tmp_path) not in outcome  # paths name patients


def test_a_damaged_picture_is_read_or_a_reason_and_never_another_error(tmp_path):
    """Decoders raise all sorts of things; a thousand files with some bytes changed or missing."""
    chance = random.Random(0)
    picture = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8))
    outcomes = set()
    for ending in ("jpg", "png"):
        path = tmp_path / f"one.{ending}"
        picture.save(path)
        whole = path.read_bytes()
        for _ in range(500):
            kept = chance.randrange(20, len(whole)) if chance.random() < 0.3 else len(whole)
            data = bytearray(whole[:kept])
            for _ in range(chance.randrange(1, 6)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            path.write_bytes(data)
            try:
                read_grayscale(path, 32)
                outcomes.add("read")
            except Unreadable as reason:
                assert str(tmp_path) not in str(reason)
                outcomes.add("reason")
    assert outcomes == {"read", "reason"}


def test_too_little_memory_is_no_fault_of_the_picture(tmp_path, monkeypatch):
    image = pictures(tmp_path, 1)[0]

    def refuse(*given: object, **more: object) -> None:
        raise MemoryError

    monkeypatch.setattr(PIL.Image.Image, "convert", refuse)
    with pytest.raises(MemoryError):
        read_grayscale(image.path, 32)


def test_a_stay_is_the_mean_of_its_readable_images(swin, tmp_path):
    good = pictures(tmp_path, 3)
    bad = replace(good[0], dicom_id="gone", path=tmp_path / "gone.jpg")
    encoded = swin.encode([stay_of([good[0], bad, good[1]], 1), stay_of([bad], 2)])
    assert encoded.stay_ids.tolist() == [1]
    expected = vectors_of(swin.encode_items(good[:2])).mean(axis=0)
    np.testing.assert_allclose(encoded.vectors[0], expected, rtol=0, atol=1e-5)
    assert [(s.stay_id, s.item) for s in encoded.skipped] == [(1, "gone"), (2, "gone"), (2, None)]


def test_stays_without_readable_images_are_all_skipped(swin, tmp_path):
    encoded = swin.encode([stay_of([Image("gone", tmp_path / "gone.jpg")])])
    assert len(encoded.stay_ids) == 0 and encoded.vectors.shape[0] == 0
    assert len(swin.encode([]).stay_ids) == 0


def test_pillow_is_left_as_it_was(swin, tmp_path):
    from PIL import ImageFile

    before = (ImageFile.LOAD_TRUNCATED_IMAGES, PIL.Image.MAX_IMAGE_PIXELS)
    swin.encode_items(list(spoiled(tmp_path)))
    assert before == (ImageFile.LOAD_TRUNCATED_IMAGES, PIL.Image.MAX_IMAGE_PIXELS)
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


# Imports and threads


def test_timm_and_transformers_can_be_imported_first_thing_in_a_process():
    """Beside the CPU build of torch a plain import of torchvision fails."""
    code = (
        "from charthouse.models.checkpoints import import_timm, import_transformers\n"
        "import_timm(); import_transformers().SwinModel; import torchvision\n"
        "import_timm()\n"
        "print(torchvision.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "torchvision\n", done.stderr


def test_operators_that_exist_are_not_declared_again():
    """A matching pair of builds brings them; declaring them twice would be an error."""
    code = (
        "import torch; theirs = torch.library.Library('torchvision', 'DEF')\n"
        "theirs.define('nms(Tensor a, Tensor b, float c) -> Tensor')\n"
        "theirs.define('qnms(Tensor a, Tensor b, float c) -> Tensor')\n"
        "from charthouse.models import checkpoints; checkpoints.mend_torchvision()\n"
        "print(checkpoints._declared)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "[]\n", done.stderr


def test_the_registry_knows_swin_without_importing_torch():
    code = (
        "import sys; from pathlib import Path; from charthouse.models.encoders.registry import *\n"
        f"print(encoder_spec(Path({str(PROJECT)!r}), 'swin').dimension, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "1024 False\n", done.stderr


def test_ahead_keeps_the_order_and_takes_no_more_than_depth():
    taken: list[int] = []

    def numbers():
        for number in range(50):
            taken.append(number)
            yield number

    def slow_when_even(number: int) -> int:
        time.sleep(0.003 if number % 2 == 0 else 0)
        return number

    for result in prefetch_map(slow_when_even, numbers(), workers=4, depth=6):
        assert len(taken) <= result + 7
    assert result == 49
    assert list(prefetch_map(slow_when_even, [], workers=1, depth=1)) == []


def test_ahead_raises_where_the_result_was_due():
    def fail_at_3(number: int) -> int:
        if number == 3:
            raise ArithmeticError("three")
        return number

    results = prefetch_map(fail_at_3, range(9), workers=2, depth=4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ArithmeticError, match="three"):
        next(results)


@pytest.mark.parametrize("end", ["used up", "closed", "failed"])
def test_ahead_leaves_no_thread_behind(end: str):
    started: list[int] = []

    def work(number: int) -> int:
        started.append(number)
        time.sleep(0.01)
        return number if end != "failed" or number < 2 else 1 // 0

    results = prefetch_map(work, range(40), workers=2, depth=20)
    next(results)
    if end == "closed":
        results.close()
        assert len(started) < 10  # what was not started never is
    elif end == "failed":
        with pytest.raises(ZeroDivisionError):
            list(results)
    else:
        assert list(results) == list(range(1, 40))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


def test_no_file_outside_the_folder_of_the_pictures_is_opened(tmp_path, monkeypatch):
    """By a path that leads out of it, or a link; files/ and its pNN may lie on other disks."""
    root, disk, other = tmp_path / "cxr", tmp_path / "disk", tmp_path / "other"
    for folder in (root / "p10/of", disk, other / "p1"):
        folder.mkdir(parents=True)
    files = (tmp_path / "mine.jpg", root / "p10/of/a.jpg", disk / "b.jpg", other / "p1/c.jpg")
    for file in files:
        PIL.Image.new("L", (8, 8), 90).save(file)
    (root / "files").symlink_to(disk)
    (disk / "p11").symlink_to(other)
    (root / "p10/link.jpg").symlink_to(tmp_path / "mine.jpg")
    (disk / "p12.jpg").symlink_to(tmp_path / "mine.jpg")
    (other / "p1/link.jpg").symlink_to(tmp_path / "mine.jpg")
    (root / "p10/loop.jpg").symlink_to(root / "p10/loop.jpg")
    (root / "out").symlink_to(tmp_path)
    monkeypatch.setenv("CHARTHOUSE_CXR", str(root))
    place = files_below("CHARTHOUSE_CXR")
    for path in ("p10/of/a.jpg", "files/b.jpg", "files/p11/p1/c.jpg"):
        assert place(path) == root / path
        assert read_grayscale(place(path)).size == (8, 8)
    for path in (
        "../mine.jpg", "p10/../../mine.jpg", "p10/../p10/of/a.jpg", str(tmp_path / "mine.jpg"),
        "p10/link.jpg", "out/mine.jpg", "files/p12.jpg", "files/p11/p1/link.jpg", "a\0b",
    ):  # fmt: skip
        assert place(path) is None, path
        assert stat_of(place(path)) is None
        with pytest.raises(Unreadable, match="leads out"):
            read_grayscale(place(path))
    for path in ("p10/loop.jpg", "p10", "p10/none.jpg", "x" * 5000, ""):  # there is no picture
        with pytest.raises(Unreadable):
            read_grayscale(place(path))
