"""Checkpoints of the encoders' true architectures, small and with random weights."""

import json
import re
import warnings
from pathlib import Path
from typing import Any

import torch

from charthouse.models.checkpoints import import_transformers
from charthouse.models.encoders.moment import MOMENTPipeline  # which mends torchvision first

WORDS = re.findall(
    r"\w+",
    """
    the there is no new a of in with and lung lungs heart size normal clear left right base apex
    pleural effusion effusions pneumothorax pneumonia edema mild moderate severe pulmonary chest
    stable unchanged tube line tip catheter opacity opacities atelectasis findings impression
    examination comparison none portable ap view interval worsening improved cardiomegaly
    consolidation bilateral small large fracture seen
    """,
)
PIECES = [
    "##s",
    "##ly",
    "##ing",
    "##ed",
    ".",
    ",",
    ":",
    "_",
    *"abcdefghijklmnopqrstuvwxyz0123456789",
]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(WORDS + PIECES)]
MOST = 32  # tokens of the tiny model

TINY_SWIN = {"embed_dim": 16, "depths": (2, 2), "num_heads": (2, 4), "window_size": 4}
SWIN_PIXELS = 32
TINY_T5 = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}


def write_bert(folder: Path) -> Path:
    """A masked language model as RadBERT is on the hub: no pooler, a head over the words; 32-d."""
    transformers = import_transformers()
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=MOST,
    )
    model = transformers.BertForMaskedLM(config).eval()
    for name, parameter in model.named_parameters():  # words must matter for the tests to see them
        torch.nn.init.normal_(parameter, std=1.0 if "embeddings" in name else 0.3)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    (folder / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "BertTokenizer", "do_lower_case": true, "model_max_length": 16}'
    )
    return folder


def write_swin(folder: Path) -> torch.nn.Module:
    """A Swin as transformers saves it, and the model itself; 32-d."""
    transformers = import_transformers()
    torch.manual_seed(0)
    config = transformers.SwinConfig(image_size=SWIN_PIXELS, **TINY_SWIN, num_labels=5)
    model = transformers.SwinForImageClassification(config).eval()
    for parameter in model.parameters():  # biases and norms too: a lost one would show
        torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    return model


def write_moment(folder: Path, **t5: Any) -> Path:
    """A MOMENT of the true architecture and a small size, as on the hub; random weights."""
    config = {
        "task_name": "reconstruction",
        "model_name": "MOMENT",
        "transformer_type": "encoder_only",
        "d_model": None,
        "seq_len": 512,
        "patch_len": 8,
        "patch_stride_len": 8,
        "transformer_backbone": "google/flan-t5-large",
        "model_kwargs": {},
        "t5_config": {
            "vocab_size": 32,
            "feed_forward_proj": "gated-gelu",
            "is_encoder_decoder": False,
            "dropout_rate": 0.1,
            **TINY_T5,
            **t5,
        },
    }
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MOMENTPipeline(config, model_kwargs={})  # no .init(): it drops the trained head
    for parameter in model.parameters():  # the mask's embedding and the norms too
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(config))
    return folder
