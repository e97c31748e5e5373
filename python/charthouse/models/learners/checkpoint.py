"""A learner's folder of weights: what it must hold, and what transformers makes of it.

transformers 5.23: AutoProcessor, AutoModelForImageTextToText. No code of a checkpoint is ever run.
"""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from charthouse.core.errors import CharthouseError
from charthouse.models.checkpoints import import_transformers, quiet, read_config, require_fit
from charthouse.models.learners.base import ANSWER_TOKENS
from charthouse.models.weights import damage_told, hash_of_files

PROCESSOR = (
    "tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "chat_template.json",
    "processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json",
)  # fmt: skip
WEIGHTS = ("*.safetensors", "*.bin")
FILES = (
    "config.json",
    "|".join(WEIGHTS),
    *(f"{pattern}.index.json?" for pattern in WEIGHTS),
    "generation_config.json?",
    "tokenizer.json|tokenizer.model|vocab.json",
    *(f"{name}?" for name in PROCESSOR),
)
LLAVA_MED = "llava_mistral"
"""The model_type of microsoft/llava-med-v1.5-mistral-7b, for charthouse.extras.llava_med."""

_LOCAL = {"local_files_only": True, "trust_remote_code": False}


def require_family(folder: Path, model_types: Sequence[str], learner: str) -> None:
    """Stops at the weights of another model.

    Raises:
        CharthouseError: config.json names none of the model types, or a layout to be converted.
    """
    config = read_config(folder)
    kind = config.get("model_type")
    if kind in model_types:
        return
    if kind == LLAVA_MED:
        raise CharthouseError(
            f"{folder} has the layout of LLaVA's own code. Convert it once: python -m"
            f" charthouse.extras.llava_med {folder} FOLDER/{learner}; then set"
            " CHARTHOUSE_WEIGHTS=FOLDER."
        )
    raise CharthouseError(
        f"{folder / 'config.json'} names a model '{kind}', but {learner} is a"
        f" {' or '.join(model_types)}. Fetch its own weights, or correct"
        " seeds/registries/learners.csv."
    )


def require_4bit(device: str) -> None:
    """Stops, by a CharthouseError, where weights cannot be held in 4 bits."""
    if device != "cuda":
        raise CharthouseError("--dtype 4bit needs a GPU: use --device cuda, or --dtype bfloat16.")
    absent = [name for name in ("bitsandbytes", "accelerate") if not importlib.util.find_spec(name)]
    if absent:
        raise CharthouseError(f"--dtype 4bit needs more packages: pip install {' '.join(absent)}")


def hash_of_checkpoint(folder: Path) -> str:
    """Of the weights, their configuration and the processor: of all that an answer depends on."""
    weights = next((each for each in WEIGHTS if any(folder.glob(each))), WEIGHTS[0])
    return hash_of_files(folder, ["config.json", "generation_config.json", weights, *PROCESSOR])


def positions(folder: Path) -> int:
    """Tokens that the model of the folder can tell apart by place.

    Raises:
        CharthouseError: config.json is broken.
    """
    transformers = import_transformers()
    with quiet(transformers), damage_told(f"{folder / 'config.json'} cannot be used"):
        config = transformers.AutoConfig.from_pretrained(folder, **_LOCAL)
        return int(config.get_text_config().max_position_embeddings)


def load_processor(folder: Path) -> Any:
    """Tokenizer, chat template and image processor of a folder; pictures by Pillow.

    Raises:
        CharthouseError: one is missing or damaged.
    """
    transformers = import_transformers()
    told = damage_told(f"The processor in {folder} cannot be loaded", ": fetch its files again.")
    with quiet(transformers), told:
        processor = transformers.AutoProcessor.from_pretrained(folder, **_LOCAL)
        # by itself: some processors hold one for videos too, and Pillow has none for those
        processor.image_processor = transformers.AutoImageProcessor.from_pretrained(
            folder, backend="pil", **_LOCAL
        )
        template, tokenizer = processor.chat_template, processor.tokenizer
    if not template:
        raise CharthouseError(
            f"{folder} has no chat template: fetch chat_template.jinja or chat_template.json."
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.model_max_length = sys.maxsize  # it would only warn; who asks compares with a context
    return processor


def load_model(folder: Path, tokenizer: Any, device: str, dtype: str) -> Any:
    """The model of a folder, in evaluation mode, set to answer greedily.

    Raises:
        CharthouseError: files are damaged or do not belong together, a tensor is missing, or the
            memory does not suffice.
    """
    transformers = import_transformers()
    how: dict[str, Any] = {"dtype": torch.bfloat16 if dtype == "4bit" else getattr(torch, dtype)}
    if dtype == "4bit":
        how["device_map"] = {"": device}
        how["quantization_config"] = transformers.BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )  # fmt: skip
    with quiet(transformers):
        try:
            model, loaded = transformers.AutoModelForImageTextToText.from_pretrained(
                folder, output_loading_info=True, **_LOCAL, **how
            )
            if dtype != "4bit":
                model = model.to(device)
        except Exception as error:  # damaged files raise all sorts of things
            raise CharthouseError(
                f"The weights in {folder} do not fit into the memory as {dtype}: use another"
                " --dtype, or a larger machine."
                if is_out_of_memory(error)
                else f"The weights in {folder} cannot be loaded ({type(error).__name__}): fetch"
                " them again, with their config.json."
            ) from None
    require_fit(type(model).__name__, folder, missing=loaded["missing_keys"])
    known, embedded = len(tokenizer), model.get_input_embeddings().weight.shape[0]
    if known > embedded:
        raise CharthouseError(
            f"The tokenizer in {folder} knows {known:,} tokens, the model {embedded:,}: fetch both"
            " again."
        )
    ends = model.generation_config.eos_token_id
    # a new one: the checkpoint's temperature, penalties and the like must not change an answer
    model.generation_config = transformers.GenerationConfig(
        do_sample=False, num_beams=1, max_new_tokens=ANSWER_TOKENS,
        eos_token_id=tokenizer.eos_token_id if ends is None else ends,
        pad_token_id=tokenizer.pad_token_id,
        return_dict_in_generate=True, output_logits=True,
    )  # fmt: skip
    return model.eval().requires_grad_(False)


def is_out_of_memory(error: Exception) -> bool:
    """Of a GPU, or of the machine, whose allocator has no type of error of its own."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator" in str(
        error
    )
