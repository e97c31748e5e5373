"""Checkpoints of the learners' true architectures: small, seeded, with processors built here."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import PIL.Image
import pytest
import tokenizers
import torch

from bench import PROJECT
from charthouse.models.checkpoints import import_transformers, quiet
from charthouse.models.learners.base import Message, Question
from charthouse.models.learners.in_process import InProcess
from charthouse.models.learners.registry import learner_spec

SIDE = 56  # pixels that the tiny models see, in patches of 14
WORDS = re.findall(
    r"\w+|[.,:?]",
    """
    Yes No yes no YES NO the patient will die during current hospital admission ? Answer question
    using only or . Based on information collected during stay , heart rate blood pressure is
    this ICU exceed three days lungs clear chest You are a critical care physician
    """,
)
SPACE = "\u2581"

LLAVA_TEMPLATE = (
    "{%- for turn in messages -%}"
    "{%- if turn.role != 'system' -%}{{ turn.role.upper() + ': ' }}{%- endif -%}"
    "{%- for part in turn.content if part.type == 'image' -%}{{ '<image>\n' }}{%- endfor -%}"
    "{%- for part in turn.content if part.type == 'text' -%}{{ part.text + ' ' }}{%- endfor -%}"
    "{%- endfor -%}{%- if add_generation_prompt -%}{{ 'ASSISTANT:' }}{%- endif -%}"
)
GEMMA_TEMPLATE = (
    "{{ bos_token }}{%- set told = namespace(first='', turns=messages) -%}"
    "{%- if messages[0].role == 'system' -%}"
    "{%- set told.first = messages[0].content[0].text + '\n\n' -%}"
    "{%- set told.turns = messages[1:] -%}{%- endif -%}"
    "{%- for turn in told.turns -%}"
    "{%- if (turn.role == 'user') != (loop.index0 % 2 == 0) -%}"
    "{{ raise_exception('the roles must alternate') }}{%- endif -%}"
    "{{ '<start_of_turn>' + ('model' if turn.role == 'assistant' else turn.role) + '\n' }}"
    "{{ told.first if loop.first else '' }}"
    "{%- for part in turn.content -%}"
    "{{ '<start_of_image>' if part.type == 'image' else part.text | trim }}{%- endfor -%}"
    "{{ '<end_of_turn>\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<start_of_turn>model\n' }}{%- endif -%}"
)
QWEN_TEMPLATE = (
    "{%- if messages[0].role != 'system' -%}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{%- endif -%}"
    "{%- for turn in messages -%}{{ '<|im_start|>' + turn.role + '\n' }}"
    "{%- for part in turn.content -%}"
    "{{ '<|vision_start|><|image_pad|><|vision_end|>' if part.type == 'image' else part.text }}"
    "{%- endfor -%}{{ '<|im_end|>\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"
)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Products this small only wait for a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def write_llava(folder: Path, *, text_model: str = "llama", heads: int = 1) -> Any:
    """A LLaVA 1.5 as llava-hf publishes it; also the model itself.

    Args:
        folder: to be written to.
        text_model: llama, or mistral as in LLaVA-Med.
        heads: of the vision tower, 64 numbers each.
    """
    transformers = import_transformers()
    vocabulary, merges = _sentence_pieces(["<unk>", "<s>", "</s>"])
    tokenizer = transformers.LlamaTokenizer(
        vocab=vocabulary, merges=merges, legacy=True, add_bos_token=True, pad_token="<pad>",
        model_max_length=512,  # of the published ones, too, some say less than the model takes
        extra_special_tokens={"image_token": "<image>"},
    )  # fmt: skip
    processor = transformers.LlavaProcessor(
        image_processor=transformers.CLIPImageProcessorPil(
            size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
        ),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=LLAVA_TEMPLATE,
    )
    config = transformers.LlavaConfig(
        text_config={"model_type": text_model, **_text_size(tokenizer)},
        vision_config={"model_type": "clip_vision_model", **_vision_size(3),
                       "hidden_size": 64 * heads, "num_attention_heads": heads},
        image_token_index=tokenizer.image_token_id,
        image_seq_length=(SIDE // 14) ** 2,
    )  # fmt: skip
    return _write(folder, transformers.LlavaForConditionalGeneration, config, processor, "</s>")


def write_gemma3(folder: Path) -> Any:
    """A Gemma 3: pictures of 16 patches pooled to 4 tokens, sliding windows; also the model."""
    transformers = import_transformers()
    vocabulary, merges = _sentence_pieces(["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"])
    marks = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>",
             "image_token": "<image_soft_token>"}  # fmt: skip
    tokenizer = transformers.GemmaTokenizer(
        vocab=vocabulary, merges=merges, extra_special_tokens=marks
    )
    tokenizer.add_special_tokens(
        {"additional_special_tokens": ["<start_of_turn>", "<end_of_turn>"]}
    )
    tokenizer.add_tokens([tokenizers.AddedToken("\n\n", normalized=False)])
    processor = transformers.Gemma3Processor(
        image_processor=transformers.Gemma3ImageProcessorPil(size={"height": SIDE, "width": SIDE}),
        tokenizer=tokenizer,
        chat_template=GEMMA_TEMPLATE,
        image_seq_length=4,
    )
    config = transformers.Gemma3Config(
        text_config={**_text_size(tokenizer), "head_dim": 8,
                     "sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"]},
        vision_config={"vision_use_head": False, **_vision_size(2)},
        mm_tokens_per_image=4,
        boi_token_index=tokenizer.boi_token_id,
        eoi_token_index=tokenizer.eoi_token_id,
        image_token_index=tokenizer.image_token_id,
    )  # fmt: skip
    model = transformers.Gemma3ForConditionalGeneration
    return _write(folder, model, config, processor, "<end_of_turn>")


def write_qwen2_5_vl(folder: Path) -> Any:
    """A Qwen2.5-VL: pictures of any shape, positions in three dimensions; also the model."""
    transformers = import_transformers()
    trained = tokenizers.Tokenizer(tokenizers.models.BPE())
    trained.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    vocabulary, merges = _trained(trained, [], tokenizers.pre_tokenizers.ByteLevel.alphabet())
    tokenizer = transformers.Qwen2Tokenizer(vocab=vocabulary, merges=merges)
    tokenizer.add_special_tokens({"additional_special_tokens": [
        "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
        "<|image_pad|>", "<|video_pad|>",
    ]})  # fmt: skip
    tokenizer.eos_token = "<|im_end|>"
    size = {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 16384}
    processor = transformers.Qwen2_5_VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessorPil(size=size),
        tokenizer=tokenizer,
        video_processor=transformers.Qwen2VLVideoProcessor(size=size),
        chat_template=QWEN_TEMPLATE,
    )
    ids = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>")
           for name in ("vision_start", "vision_end", "image_pad", "video_pad")}  # fmt: skip
    config = transformers.Qwen2_5_VLConfig(
        text_config={**_text_size(tokenizer),
                     "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2],
                                         "rope_theta": 1e6}},
        vision_config={"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 4,
                       "out_hidden_size": 32, "patch_size": 14, "window_size": 112,
                       "fullatt_block_indexes": [1]},
        vision_start_token_id=ids["vision_start"],
        vision_end_token_id=ids["vision_end"],
        image_token_id=ids["image_pad"],
        video_token_id=ids["video_pad"],
    )  # fmt: skip
    model = transformers.Qwen2_5_VLForConditionalGeneration
    return _write(folder, model, config, processor, "<|im_end|>")


def _text_size(tokenizer: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer) + 3,  # true ones have more rows than tokens, too
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 8192,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _vision_size(layers: int) -> dict[str, Any]:
    return {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": layers,
            "num_attention_heads": 4, "image_size": SIDE, "patch_size": 14}  # fmt: skip


def _sentence_pieces(special: Sequence[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """As Llama and Gemma have them: words that begin with a mark, and every byte."""
    trained = tokenizers.Tokenizer(tokenizers.models.BPE())
    trained.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(SPACE, prepend_scheme="never")
    return _trained(trained, [*special, *(f"<0x{byte:02X}>" for byte in range(256))], [SPACE])


def _trained(
    tokenizer: tokenizers.Tokenizer, special: Sequence[str], alphabet: Sequence[str]
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=1000, special_tokens=list(special), initial_alphabet=list(alphabet),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(
        [word for word in WORDS] + [f"x {word}" for word in WORDS], trainer
    )
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(merge) for merge in model["merges"]]


def _write(folder: Path, kind: Any, config: Any, processor: Any, end: str) -> Any:
    """Random weights, norms and biases too, large enough that words and pictures matter."""
    transformers = import_transformers()
    with quiet(transformers), torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind(config).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        model.generation_config = transformers.GenerationConfig(
            eos_token_id=processor.tokenizer.convert_tokens_to_ids(end),
            do_sample=True, temperature=0.7, top_k=3, repetition_penalty=1.3,
        )  # fmt: skip
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
    return model


def disc(bright: bool, seed: int, side: int = SIDE) -> PIL.Image.Image:
    """A disc somewhere on noise, 8-bit gray."""
    random = np.random.default_rng(seed)
    pixels = random.normal(110, 25, (side, side))
    radius = random.uniform(0.2, 0.3) * side
    middle = random.uniform(radius, side - radius, 2)
    places = np.indices((side, side)) - middle[:, None, None]
    inside = (places**2).sum(0) < radius**2
    pixels[inside] += 70 if bright else -70
    return PIL.Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def question(text: str, picture: PIL.Image.Image | None = None, key: str = "") -> Question:
    """A question with a system role, as `charthouse ask` puts one."""
    system = Message("system", "You are a critical care physician.")
    return Question(key, (system, Message("user", text, picture is not None)), picture)


def train_llava(
    folder: Path, examples: Sequence[tuple[Question, bool]] = (), *, steps: int = 40
) -> None:
    """A tiny LLaVA that has learned to answer Yes or No, then to stop.

    Args:
        folder: to be written to; named as the learner.
        examples: questions, all with a picture, and whether the answer is yes. By default whether a
            disc is bright.
        steps: of 32 examples each.
    """
    write_llava(folder)
    with patch.dict(os.environ, CHARTHOUSE_WEIGHTS=str(folder.parent)):
        learner = InProcess(learner_spec(PROJECT, folder.name))
        model, tokenizer = learner.model.requires_grad_(True), learner.processor.tokenizer
    examples = examples or [
        (question("Will the patient die?", disc(bool(seed % 2), seed)), bool(seed % 2))
        for seed in range(256)
    ]
    inputs = learner.prepare([each for each, _ in examples])
    words = {is_yes: tokenizer.encode(word, add_special_tokens=False) for is_yes, word in
             ((True, "Yes"), (False, "No"))}  # fmt: skip
    answers = torch.tensor([[*words[is_yes], tokenizer.eos_token_id] for _, is_yes in examples])
    random = np.random.default_rng(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # products this small only wait for a second one
    with quiet(import_transformers()), torch.random.fork_rng():
        torch.manual_seed(0)
        for name, parameter in model.named_parameters():
            if "norm" in name:
                torch.nn.init.constant_(parameter, float(name.endswith("weight")))
            else:
                torch.nn.init.normal_(parameter, std=0.1)
        optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
        for _ in range(steps):
            rows = torch.from_numpy(random.choice(len(examples), 32, replace=False))
            batch = {name: tensor[rows] for name, tensor in inputs.items()}
            batch["input_ids"] = torch.cat([batch["input_ids"], answers[rows, :1]], 1)
            batch["attention_mask"] = torch.nn.functional.pad(
                batch["attention_mask"], (0, 1), value=1
            )
            logits = model(**batch, logits_to_keep=2).logits
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), answers[rows].flatten())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        model.save_pretrained(folder)
    torch.set_num_threads(threads)
