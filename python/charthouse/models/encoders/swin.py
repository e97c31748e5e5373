"""Swin Transformer: the general image model of the paper's Table I.

Liu et al. 2021, "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows".
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from charthouse.core.ahead import ahead
from charthouse.core.errors import CharthouseError
from charthouse.data.xray_files import Unreadable, read_grayscale
from charthouse.models.checkpoints import (
    checkpoint_of,
    import_timm,
    load_strictly,
    read_config,
    read_tensors,
)
from charthouse.models.encoders.base import Context, Image, ItemEncoder
from charthouse.models.encoders.precision import inference, on_gpu
from charthouse.models.weights import find_weights, hash_of_files

FILES = ("*.safetensors|*.bin|*.pth", "config.json?")

ARCHITECTURE = "swin_base_patch4_window7_224.ms_in22k"  # where no config.json says otherwise
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, by channel

# From transformers' names of tensors to timm's, in this order; both the names in files on the hub
# and those that transformers 5 uses inside.
RENAMES = (
    (r"^swin\.", ""),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^embeddings\.norm\.", "patch_embed.norm."),
    (r"^encoder\.", ""),
    (r"^layernorm\.", "norm."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.attention\.(self\.|relative_position_bias\.)(?=relative_position)", ".attn."),
    (r"\.attention\.self\.(query|key|value)\.", r".attn.\1."),
    (r"\.attention\.q_proj\.", ".attn.query."),
    (r"\.attention\.k_proj\.", ".attn.key."),
    (r"\.attention\.v_proj\.", ".attn.value."),
    (r"\.attention\.(output\.dense|o_proj)\.", ".attn.proj."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
)
# The classifier is not ours; the others are constants that timm computes for itself.
UNUSED = re.compile(r"^(classifier|head)\.|mask_token$|relative_position_index$|attn_mask$")


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
        return {"precision": self.context.precision}

    def fingerprint(self) -> str:
        folder = find_weights(self.context.spec, FILES)
        return hash_of_files(folder, ["config.json", checkpoint_of(folder).name])

    def load(self) -> None:
        folder = find_weights(self.context.spec, FILES)
        path = checkpoint_of(folder)
        timm = import_timm()
        try:
            asked = architecture(read_config(folder))
            model = timm.create_model(**asked, pretrained=False, num_classes=0)
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise CharthouseError(
                f"{folder / 'config.json'} is not that of a Swin ({type(error).__name__}). Fetch it"
                " again, or leave it out for a Swin-B."
            ) from error
        for module in model.modules():  # timm leaves it off for Swin; a tenth faster, same result
            if hasattr(module, "fused_attn"):
                module.fused_attn = True
        load_strictly(model, timm_names(read_tensors(path)), path)
        self._model = model.to(self.context.device)
        self._size = int(model.patch_embed.img_size[0])
        self._normalised = normalised().to(self.context.device)

    def encode_items(self, items: Sequence[Image]) -> Sequence[np.ndarray | str]:
        outcomes: list[np.ndarray | str] = [""] * len(items)
        places: list[int] = []
        pictures: list[np.ndarray] = []

        def forward() -> None:
            vectors = self._forward(np.stack(pictures)) if pictures else ()
            for place, vector in zip(places, vectors, strict=True):
                outcomes[place] = vector
            places.clear()
            pictures.clear()

        decoded = ahead(
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
            features = self._model(self._normalised[:, gray.long()].transpose(0, 1))
            result: np.ndarray = features.float().cpu().numpy()
        return result


def read_picture(path: Path | None, size: int) -> np.ndarray | str:
    """A picture as the paper's processor resizes it, [size, size] uint8, or why there is none."""
    try:
        return np.array(read_grayscale(path, size))  # of its own, and writable, as torch wants it
    except Unreadable as reason:
        return str(reason)


def normalised() -> torch.Tensor:
    """What each channel makes of each gray level, [3, 256] float32.

    Bit for bit what transformers' ViTImageProcessor (Pillow backend) computes for the pixels.
    """
    scaled = (np.arange(256) / 255).astype(np.float32)[None, :]
    mean, std = np.array(MEAN, np.float32)[:, None], np.array(STD, np.float32)[:, None]
    return torch.from_numpy((scaled - mean) / std)


def architecture(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of timm.create_model for a config.json of timm or of transformers, or none."""
    if "architecture" in config:
        return {"model_name": config["architecture"], **config.get("model_args", {})}
    if not config:
        return {"model_name": ARCHITECTURE}
    return {
        "model_name": ARCHITECTURE,
        "img_size": config["image_size"],
        "patch_size": config["patch_size"],
        "in_chans": config["num_channels"],
        "embed_dim": config["embed_dim"],
        "depths": tuple(config["depths"]),
        "num_heads": tuple(config["num_heads"]),
        "window_size": config["window_size"],
        "mlp_ratio": config["mlp_ratio"],
        "qkv_bias": config["qkv_bias"],
    }


def timm_names(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors of any of the three layouts under the names that timm has for them."""
    named: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        for pattern, replacement in RENAMES:
            name = re.sub(pattern, replacement, name)
        if not UNUSED.search(name):
            named[name] = tensor
    # timm merges patches at the start of a stage, the others at the end of the one before
    if "layers.0.downsample.reduction.weight" in named:
        named = {
            re.sub(
                r"^layers\.(\d+)\.downsample",
                lambda stage: f"layers.{int(stage[1]) + 1}.downsample",
                name,
            ): tensor
            for name, tensor in named.items()
        }
    for query in [name for name in named if ".attn.query." in name]:
        parts = [query.replace(".query.", f".{part}.") for part in ("query", "key", "value")]
        if all(part in named for part in parts):
            joined = torch.cat([named.pop(part) for part in parts])
            named[query.replace(".query.", ".qkv.")] = joined
    return named
