"""Swin Transformer: the general image model of the paper's Table I.

Liu et al. 2021, "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows".
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from charthouse.core.prefetch import prefetch_map
from charthouse.data.xray_files import Unreadable, read_grayscale
from charthouse.models.checkpoints import (
    checkpoint_of,
    import_timm,
    import_transformers,
    load_strictly,
    quiet,
    read_config,
    read_tensors,
    require_fit,
)
from charthouse.models.encoders.base import Context, Image, ItemEncoder
from charthouse.models.encoders.precision import inference, on_gpu
from charthouse.models.weights import damage_told, find_weights, hash_of_files

FILES = ("*.safetensors|*.bin|*.pth", "config.json?")

ARCHITECTURE = "swin_base_patch4_window7_224.ms_in22k"  # where no config.json says otherwise
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, by channel

# Of timm's and Microsoft's layout: the classifier, and constants that timm computes for itself.
UNUSED = re.compile(r"^head\.|relative_position_index$|attn_mask$")


class Swin(ItemEncoder[Image]):
    """Pooled features of the last stage, [1024] for Swin-B, averaged over the images of a stay.

    Weights: of microsoft's repository on the hub, of timm's, or a file that microsoft released.
    """

    reads = "images"
    weight_files = FILES

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        gpu = on_gpu(context)
        self.chunk_stays = 2048 if gpu else 128  # minutes at most, on two cores
        self.batch = 64 if gpu else 8
        # On CPU the forward needs every core and decoding has to wait for it; a GPU is kept fed.
        self.workers = torch.get_num_threads()
        self.depth = 3 * self.batch if gpu else self.workers

    def settings(self) -> dict[str, Any]:
        """Whatever changes the vectors besides the images and the weights."""
        return {"precision": self.context.precision}

    def fingerprint(self) -> str:
        """A hash of the configuration and the weights."""
        folder = find_weights(self.context.spec, FILES)
        return hash_of_files(folder, ["config.json", checkpoint_of(folder).name])

    def load(self) -> None:
        """Loads the weights.

        Raises:
            CharthouseError: they are absent, damaged or not those of a Swin.
        """
        folder = find_weights(self.context.spec, FILES)
        config = read_config(folder)
        load = load_of_transformers if config.get("model_type") == "swin" else load_of_timm
        mend = ". Fetch it again, or leave it out for a Swin-B."
        with damage_told(f"{folder / 'config.json'} is not that of a Swin", mend):
            forward, self._size = load(folder, config)
        self._model = forward.to(self.context.device)
        self._normalised = normalised().to(self.context.device)

    def encode_items(self, items: Sequence[Image]) -> Sequence[np.ndarray | str]:
        """For each image its pooled features [dimension] float32, or the reason why it has none.

        Raises:
            CharthouseError: the machine would not read an image just now.
        """
        outcomes: list[np.ndarray | str] = [""] * len(items)
        places: list[int] = []
        pictures: list[np.ndarray] = []

        def forward() -> None:
            vectors = self._forward(np.stack(pictures)) if pictures else ()
            for place, vector in zip(places, vectors, strict=True):
                outcomes[place] = vector
            places.clear()
            pictures.clear()

        decoded = prefetch_map(
            lambda image: read_picture(image.path, self._size), items, self.workers, self.depth
        )
        for place, picture in enumerate(decoded):
            if isinstance(picture, str):
                outcomes[place] = picture
                continue
            places.append(place)
            pictures.append(picture)
            if len(pictures) == self.batch:
                forward()
        forward()
        return outcomes

    def _forward(self, pictures: np.ndarray) -> np.ndarray:
        """Pooled features [n, dimension] float32 of gray pictures [n, size, size] uint8."""
        with inference(self.context):
            gray = torch.from_numpy(pictures).to(self.context.device)
            output = self._model(self._normalised[:, gray.long()].transpose(0, 1))
            # what transformers pools is the mean over the places of the last norm, as timm's is
            features = getattr(output, "pooler_output", output)
            result: np.ndarray = features.float().cpu().numpy()
        return result


def read_picture(path: Path | None, size: int) -> np.ndarray | str:
    """Gray levels [size, size] uint8 as the paper's processor resizes a picture; or why not.

    Raises:
        CharthouseError: the machine would not read it just now.
    """
    try:
        return np.array(read_grayscale(path, size))  # of its own, and writable, as torch wants it
    except Unreadable as reason:
        return str(reason)


def normalised() -> torch.Tensor:
    """What transformers' image processor (Pillow backend) makes of each gray level.

    [3, 256] float32, by channel and level, standardised by ImageNet's mean and deviation.
    """
    levels = np.arange(256, dtype=np.uint8)[:, None, None].repeat(3, axis=2)
    processor = import_transformers().ViTImageProcessorPil(
        image_mean=MEAN, image_std=STD, do_resize=False
    )
    pixels: torch.Tensor = processor(images=levels, return_tensors="pt")["pixel_values"]
    return pixels[0, :, :, 0]


def load_of_transformers(folder: Path, config: Mapping[str, Any]) -> tuple[torch.nn.Module, int]:
    """The model in transformers' layout, as on the hub, and its side in pixels.

    Raises:
        CharthouseError: the weights are damaged or do not fit.
    """
    transformers = import_transformers()
    path = checkpoint_of(folder)
    tensors = {
        name: tensor
        for name, tensor in read_tensors(path).items()
        if not name.startswith("classifier.") and not name.endswith("mask_token")
    }
    with quiet(transformers):
        model, loaded = transformers.SwinModel.from_pretrained(
            None,
            config=transformers.SwinConfig(**config),
            state_dict=tensors,
            ignore_mismatched_sizes=True,  # refused below, in words of ours
            attn_implementation="sdpa",
            dtype=torch.float32,
            output_loading_info=True,
        )
    require_fit(
        "SwinModel",
        path,
        missing=loaded["missing_keys"],
        unexpected=loaded["unexpected_keys"],
        misshapen=[name for name, *_ in loaded["mismatched_keys"]],
    )
    return model.eval().requires_grad_(False), int(np.ravel(model.config.image_size)[0])


def load_of_timm(folder: Path, config: Mapping[str, Any]) -> tuple[torch.nn.Module, int]:
    """The model in timm's layout, or that of Microsoft's own files, and its side in pixels.

    Raises:
        CharthouseError: the weights are damaged or do not fit.
        KeyError: the configuration is neither timm's nor empty.
    """
    timm = import_timm()
    architecture = config["architecture"] if config else ARCHITECTURE
    arguments = config.get("model_args", {})
    model = timm.create_model(architecture, **arguments, pretrained=False, num_classes=0)
    for module in model.modules():  # timm leaves it off for Swin; a tenth faster, same result
        if hasattr(module, "fused_attn"):
            module.fused_attn = True
    path = checkpoint_of(folder)
    load_strictly(model, timm_names(read_tensors(path)), path)
    return model, int(model.patch_embed.img_size[0])


def timm_names(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors under timm's names: it merges patches at the start of a stage, Microsoft at the end.

    Not by timm's own filter, which resizes what does not fit and says nothing.
    """
    released = "layers.0.downsample.reduction.weight" in tensors
    return {
        re.sub(
            r"(?<=^layers\.)\d+(?=\.downsample)",
            lambda stage: str(int(stage[0]) + released),
            name,
        ): tensor
        for name, tensor in tensors.items()
        if not UNUSED.search(name)
    }
