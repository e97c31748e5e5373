r"""LLaVA-Med from the layout of LLaVA's own code to that of transformers.

microsoft/llava-med-v1.5-mistral-7b is published for LLaVA's own code (LlavaMistralForCausalLM),
which transformers does not know. The published checkpoint could not be had here: names, settings
and the form of a question are those of the public code (github.com/microsoft/LLaVA-Med,
llava/conversation.py, mm_utils.py, model/), tried on small random checkpoints in that layout.

A question then reads "[INST] <image>\nTEXT [/INST]"; a system text stands before it as that code
puts one, between <<SYS>> and <</SYS>>.
"""

import importlib
import json
import math
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from charthouse.core.errors import CharthouseError
from charthouse.models.checkpoints import (
    checkpoint_of,
    import_transformers,
    quiet,
    read_config,
    read_tensors,
)
from charthouse.models.learners.checkpoint import LLAVA_MED
from charthouse.models.weights import damage_told

IMAGE = "<image>"
HEAD = 64  # numbers of an attention head, in every CLIP that OpenAI published
RENAMES = (
    (r"^model\.vision_tower\.vision_tower\.", "vision_tower."),
    (r"^model\.mm_projector\.0\.", "multi_modal_projector.linear_1."),
    (r"^model\.mm_projector\.2\.", "multi_modal_projector.linear_2."),
    (r"^(model|lm_head)\.", r"language_model.\1."),
)
SUPPORTED = {
    "mm_projector_type": ("mlp2x_gelu",),
    "mm_vision_select_feature": ("patch", "cls_patch", None),
    "mm_use_im_start_end": (False, None),
    "mm_use_im_patch_token": (False, None),
    "mm_patch_merge_type": ("flat", None),
}
TEMPLATE = (
    "{{ bos_token }}{%- set told = namespace(system='') -%}"
    "{%- for turn in messages -%}"
    "{%- set text = turn.content | selectattr('type', 'equalto', 'text')"
    " | map(attribute='text') | join('') -%}"
    "{%- if turn.role == 'system' -%}"
    "{%- set told.system = '<<SYS>>\n' + text + '\n<</SYS>>\n\n' -%}"
    "{%- elif turn.role == 'user' -%}{{ '[INST] ' + told.system }}{%- set told.system = '' -%}"
    "{%- for part in turn.content if part.type == 'image' -%}{{ '<image>\n' }}{%- endfor -%}"
    "{{ text + ' [/INST]' }}"
    "{%- else -%}{{ ' ' + text + ' ' + eos_token }}{%- endif -%}"
    "{%- endfor -%}"
)


def convert(source: Path, target: Path, clip: Path | None = None) -> None:
    """Writes the checkpoint anew, as published, to a new folder, a file of weights at a time.

    `clip` is a folder with openai/clip-vit-large-patch14-336. Its vision tower is taken instead of
    the checkpoint's own, as LLaVA-Med's code does when it answers; needed where that has none.

    Raises:
        CharthouseError: the source is in another layout, incomplete or damaged.
    """
    config = read_config(source)
    if config.get("model_type") != LLAVA_MED:
        raise CharthouseError(
            f"{source / 'config.json'} names a model '{config.get('model_type')}', not"
            f" {LLAVA_MED}: only that layout can be converted."
        )
    for name, known in SUPPORTED.items():
        if config.get(name) not in known:
            raise CharthouseError(
                f"{source / 'config.json'}: {name} is {config.get(name)}, and only {known[0]} can"
                " be converted."
            )
    if target.exists():
        raise CharthouseError(f"{target} exists: name a new folder.")
    target.parent.mkdir(parents=True, exist_ok=True)
    # on the same disk, so that the last step is a rename; gone with all in it if a step fails
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{target.name}.") as scratch:
        folder = Path(scratch, target.name)
        folder.mkdir()
        _write(source, config, clip, folder)
        folder.rename(target)


def _write(source: Path, config: Mapping[str, Any], clip: Path | None, folder: Path) -> None:
    """Writes weights, configuration and processor into an empty folder."""
    tokenizer = _tokenizer(source)
    shapes: dict[str, torch.Size] = {}
    files: dict[str, str] = {}
    size = 0
    for number, tensors in enumerate(_renamed(source, clip), 1):
        for name, tensor in tensors.items():
            if name in (
                "language_model.model.embed_tokens.weight",
                "language_model.lm_head.weight",
            ):
                tensors[name] = tensor = _with_rows(tensor, len(tokenizer))
            shapes[name] = tensor.shape
            size += tensor.nbytes
        files |= dict.fromkeys(tensors, f"model-{number:05d}.safetensors")
        _save(tensors, folder / f"model-{number:05d}.safetensors")
    if not any(name.startswith("vision_tower.") for name in shapes):
        raise CharthouseError(
            f"{source} holds no vision tower. Give a folder with {config.get('mm_vision_tower')}:"
            " --clip FOLDER."
        )
    index = {"metadata": {"total_size": size}, "weight_map": files}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1))
    vision = _vision_size(shapes)
    _write_config(config, shapes, vision, tokenizer, folder)
    _write_processor(config, vision, tokenizer, folder)


def _renamed(source: Path, clip: Path | None) -> Iterator[dict[str, torch.Tensor]]:
    """The tensors of each file, under the names that they have on the hub in llava-hf."""
    pattern = checkpoint_of(source).suffix
    for path in sorted(source.glob(f"*{pattern}")):
        tensors: dict[str, torch.Tensor] = {}
        for name, tensor in read_tensors(path).items():
            for old, new in RENAMES:
                name, is_done = re.subn(old, new, name)
                if is_done:
                    break
            if not name.endswith("position_ids") and not (
                clip and name.startswith("vision_tower.")
            ):
                tensors[name] = tensor
        yield tensors
    if clip is not None:
        yield {
            f"vision_tower.{name}": tensor
            for name, tensor in read_tensors(checkpoint_of(clip)).items()
            if name.startswith("vision_model.") and not name.endswith("position_ids")
        }


def _save(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: each.contiguous() for name, each in tensors.items()}, path, {"format": "pt"})


def _with_rows(tensor: torch.Tensor, rows: int) -> torch.Tensor:
    """Rows for new tokens, the mean of the others: so their logits are never the largest."""
    if len(tensor) >= rows:
        return tensor
    mean = tensor.float().mean(0).to(tensor.dtype)
    return torch.cat([tensor, mean.expand(rows - len(tensor), -1)])


def _tokenizer(source: Path) -> Any:
    """That of the source, with a token for the picture and one to pad with."""
    transformers = import_transformers()
    path = source / "tokenizer_config.json"
    with quiet(transformers), damage_told(f"The tokenizer in {source} cannot be loaded"):
        settings = json.loads(path.read_text()) if path.exists() else {}
        given = {
            # what transformers 4 took where nothing was said; 5 would cut words otherwise
            "legacy": settings.get("legacy") is not False,
            "add_bos_token": True,
            "extra_special_tokens": {"image_token": IMAGE},
        }
        if (source / "tokenizer.json").exists():
            tokenizer = transformers.LlamaTokenizer.from_pretrained(
                source, local_files_only=True, **given
            )
        else:
            pieces = _sentence_pieces(source / "tokenizer.model")
            tokenizer = transformers.LlamaTokenizer(**pieces, **given)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.unk_token
    return tokenizer


def _sentence_pieces(path: Path) -> dict[str, Any]:
    """Vocabulary and merges of a SentencePiece model.

    As transformers 5.23 reads it, but without the package sentencepiece: that brings its own form
    of the file's protocol, which wants a newer protobuf than dbt allows.
    """
    from transformers.tokenization_utils_base import generate_merges

    protocol: Any = importlib.import_module("transformers.utils.sentencepiece_model_pb2_new")
    model = protocol.ModelProto()
    model.ParseFromString(path.read_bytes())
    vocabulary = {piece.piece: place for place, piece in enumerate(model.pieces)}
    if not vocabulary:
        raise ValueError("it holds no pieces")
    return {"vocab": vocabulary, "merges": generate_merges(vocabulary)}


def _vision_size(shapes: Mapping[str, torch.Size]) -> dict[str, int]:
    """Arguments of CLIPVisionConfig, as the shapes of its tensors tell them."""
    prefix = "vision_tower.vision_model."
    layers = {
        m[1] for name in shapes if (m := re.search(r"^vision_tower\..*\.layers\.(\d+)\.", name))
    }
    try:
        hidden, _, patch, _ = shapes[f"{prefix}embeddings.patch_embedding.weight"]
        places = shapes[f"{prefix}embeddings.position_embedding.weight"][0] - 1
        return {
            "hidden_size": hidden,
            "intermediate_size": shapes[f"{prefix}encoder.layers.0.mlp.fc1.weight"][0],
            "num_hidden_layers": len(layers),
            "num_attention_heads": max(1, hidden // HEAD),
            "image_size": math.isqrt(places) * patch,
            "patch_size": patch,
        }
    except KeyError as absent:
        raise CharthouseError(f"The vision tower lacks {absent.args[0]}: fetch it again.") from None


def _write_config(
    config: Mapping[str, Any],
    shapes: Mapping[str, torch.Size],
    vision: Mapping[str, int],
    tokenizer: Any,
    folder: Path,
) -> None:
    transformers = import_transformers()
    known = {*transformers.MistralConfig().to_dict(), "rope_theta"} - {
        "model_type",
        "architectures",
    }
    text = {name: config[name] for name in known & config.keys()}
    text["vocab_size"] = shapes["language_model.model.embed_tokens.weight"][0]
    text["pad_token_id"] = tokenizer.pad_token_id
    transformers.LlavaConfig(
        architectures=["LlavaForConditionalGeneration"],
        dtype=config.get("torch_dtype") or config.get("dtype"),
        text_config={"model_type": "mistral", **text},
        vision_config={"model_type": "clip_vision_model", **vision},
        image_token_index=tokenizer.image_token_id,
        image_seq_length=(vision["image_size"] // vision["patch_size"]) ** 2,
        projector_hidden_act="gelu",
        vision_feature_layer=config.get("mm_vision_select_layer", -2),
        vision_feature_select_strategy=_strategy(config),
    ).save_pretrained(folder)
    transformers.GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    ).save_pretrained(folder)


def _write_processor(
    config: Mapping[str, Any], vision: Mapping[str, int], tokenizer: Any, folder: Path
) -> None:
    transformers = import_transformers()
    side = vision["image_size"]
    transformers.LlavaProcessor(
        # with `pad` the whole picture is seen, on a square of the mean colour
        image_processor=transformers.LlavaImageProcessorPil(
            do_pad=config.get("image_aspect_ratio") == "pad",
            size={"shortest_edge": side},
            crop_size={"height": side, "width": side},
        ),
        tokenizer=tokenizer,
        patch_size=vision["patch_size"],
        vision_feature_select_strategy=_strategy(config),
        num_additional_image_tokens=1,
        image_token=IMAGE,
        chat_template=TEMPLATE,
    ).save_pretrained(folder)


def _strategy(config: Mapping[str, Any]) -> str:
    return "full" if config.get("mm_vision_select_feature") == "cls_patch" else "default"
