"""RadBERT: the language model of radiology reports in the paper's Table I."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from charthouse.core.errors import CharthouseError
from charthouse.models.checkpoints import (
    checkpoint_of,
    import_transformers,
    quiet,
    read_config,
    require_fit,
)
from charthouse.models.encoders.base import Context, Report
from charthouse.models.encoders.precision import inference, on_gpu
from charthouse.models.encoders.report_encoder import NO_WORDS, NONE_HAS_WORDS, ReportEncoder
from charthouse.models.weights import damage_told, find_weights, hash_of_files

TOKENIZER = (
    "tokenizer.json", "vocab.txt", "vocab.json", "merges.txt",
    "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
)  # fmt: skip
FILES = (
    "config.json",
    "*.safetensors|*.bin",
    "tokenizer.json|vocab.txt|vocab.json",
    *(f"{name}?" for name in TOKENIZER),
)
MOST_TOKENS = 512  # as the paper; a model with fewer positions sets its own limit
SPECIAL_TOKENS = 2  # of a piece: [CLS] before and [SEP] behind


class Radbert(ReportEncoder):
    """[CLS] of the last layer, [768] for a BERT-base; not the pooler, which RadBERT never trained.

    The cohort's setting report_encoding says what is a stay's vector. "each": the mean over its
    reports, each encoded by itself, a long one in pieces that count by their tokens. "joined": all
    reports in order of time as one text, cut at 512 tokens, as the paper did.
    """

    weight_files = FILES

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.chunk_stays = 2048 if on_gpu(context) else 128  # minutes at most, on two cores
        # Tokens of a forward, padding included: rows x longest. On a CPU more gains nothing, and
        # pads more where there are few reports.
        self.batch_tokens = 65_536 if on_gpu(context) else 2_048

    def settings(self) -> dict[str, Any]:
        """See ReportEncoder.settings."""
        return {
            "report_encoding": self.report_encoding,
            "max_tokens": max_tokens(self._folder),
            "precision": self.context.precision,
        }

    def fingerprint(self) -> str:
        """See ReportEncoder.fingerprint."""
        weights = checkpoint_of(self._folder).name
        return hash_of_files(self._folder, ["config.json", weights, *TOKENIZER])

    def load(self) -> None:
        """See ReportEncoder.load."""
        self._most = max_tokens(self._folder)
        self._tokenizer, model = load_bert(self._folder)
        self._model = model.to(self.context.device)

    def encode_items(self, items: Sequence[Report]) -> Sequence[np.ndarray | str]:
        """See ReportEncoder.encode_items."""
        pieces, whose = self._tokenise([report.text for report in items], cut=False)
        vectors = self._forward(pieces)
        weights = np.array([len(piece) - SPECIAL_TOKENS for piece in pieces], dtype=np.float64)
        outcomes: list[np.ndarray | str] = []
        for start, stop in _runs(whose, len(items)):
            if weights[start:stop].any():
                mean = np.average(vectors[start:stop], axis=0, weights=weights[start:stop])
                outcomes.append(mean.astype(np.float32))
            else:
                outcomes.append(NO_WORDS)
        return outcomes

    def encode_joined(self, texts: Sequence[Sequence[str]]) -> Sequence[np.ndarray | str]:
        """One vector a stay; a text that comes twice counts once, as in the paper's code."""
        between = f" {self._tokenizer.sep_token} "
        pieces, _ = self._tokenise([between.join(dict.fromkeys(one)) for one in texts], cut=True)
        worded = [len(piece) > SPECIAL_TOKENS for piece in pieces]
        vectors = iter(self._forward(list(compress(pieces, worded))))
        return [next(vectors) if has_words else NONE_HAS_WORDS for has_words in worded]

    def _tokenise(self, texts: Sequence[str], cut: bool) -> tuple[list[list[int]], list[int]]:
        """Pieces of at most max_tokens token ids, [CLS] and [SEP] included, and whose each is.

        Not done ahead of the forward: 1,000 reports take about 0.2 s, their forward minutes.
        """
        if not texts:
            return [], []
        told = self._tokenizer(
            list(texts),
            truncation=True,
            max_length=self._most,
            return_overflowing_tokens=not cut,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        whose = range(len(texts)) if cut else told["overflow_to_sample_mapping"]
        return told["input_ids"], list(whose)

    def _forward(self, pieces: Sequence[Sequence[int]]) -> np.ndarray:
        """[CLS] of the last layer of each piece, [n, dimension] float32."""
        lengths = np.array([len(piece) for piece in pieces], dtype=np.int64)
        result = np.empty((len(pieces), self._model.config.hidden_size), dtype=np.float32)
        for rows in batches(lengths.tolist(), self.batch_tokens):
            there = np.arange(lengths[rows].max()) < lengths[rows][:, None]
            ids = np.full(there.shape, self._tokenizer.pad_token_id, dtype=np.int64)
            ids[there] = np.concatenate([pieces[row] for row in rows])
            with inference(self.context):
                last = self._model(
                    input_ids=torch.from_numpy(ids).to(self.context.device),
                    attention_mask=torch.from_numpy(there).to(self.context.device),
                ).last_hidden_state
                result[rows] = last[:, 0].float().cpu().numpy()
        return result

    @cached_property
    def _folder(self) -> Path:
        return find_weights(self.context.spec, FILES)


def batches(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Rows of similar length together, so that little is padded, at most `most` tokens each.

    Longest first: if memory does not suffice, the first batch says so. Every row comes once.
    """
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if batch and lengths[batch[0]] * (len(batch) + 1) > most:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def max_tokens(folder: Path) -> int:
    """Tokens that the model of the folder reads at a time, at most 512.

    Raises:
        CharthouseError: it is neither a BERT nor a RoBERTa (RadBERT comes as both).
    """
    config = read_config(folder)
    # RoBERTa numbers its positions from behind that of the padding token
    taken = {"bert": 0, "roberta": config.get("pad_token_id", 1) + 1}
    kind = config.get("model_type")
    if kind not in taken:
        raise CharthouseError(f"{folder}/config.json names a model '{kind}', not bert or roberta.")
    return min(MOST_TOKENS, int(config.get("max_position_embeddings", MOST_TOKENS)) - taken[kind])


def load_bert(folder: Path) -> tuple[Any, Any]:
    """Tokenizer and model of a folder, the model without pooler and heads.

    Raises:
        CharthouseError: files are damaged or do not belong together, or a tensor is missing.
    """
    transformers = import_transformers()
    told = damage_told(f"{folder} cannot be loaded", ": fetch the files again.")
    with quiet(transformers), told:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model, loaded = transformers.AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            add_pooling_layer=False,
            attn_implementation="sdpa",
            dtype=torch.float32,
            output_loading_info=True,
        )
    require_fit(type(model).__name__, checkpoint_of(folder), missing=loaded["missing_keys"])
    # a cut vocabulary reads every report as unknown words, a foreign one as other words
    known, embedded = len(tokenizer), model.config.vocab_size
    if not 0.9 * embedded <= known <= embedded:
        raise CharthouseError(
            f"The tokenizer in {folder} knows {known:,} tokens, the model {embedded:,}."
            " Fetch both again."
        )
    return tokenizer, model.eval().requires_grad_(False)


def _runs(whose: Sequence[int], n: int) -> Iterator[tuple[int, int]]:
    """[start, stop) of the pieces of each of n reports; pieces come in the order of reports."""
    edges = np.searchsorted(np.asarray(whose, dtype=np.int64), np.arange(n + 1))
    yield from zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
