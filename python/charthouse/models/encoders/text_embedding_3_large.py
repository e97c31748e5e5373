"""Text-Embedding-3-Large of OpenAI, by its API or Azure's, or a server that speaks it.

OpenAI 2024, "New embedding models and API updates". Every request passes the data-use guard: on
credentialed data this runs only against an approved host or this machine
(docs/how-to/approve-a-host.md).
"""

import math
import os
import re
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from charthouse.core.errors import CharthouseError
from charthouse.models.chunking import Chunk, pack, split_text
from charthouse.models.encoders.base import Context, Report
from charthouse.models.encoders.report_encoder import NO_WORDS, ReportEncoder, has_words
from charthouse.models.encoders.spec import EncoderSpec
from charthouse.net.answers import Embeddings, read_answer
from charthouse.net.openai_api import Service, Usage, connect, named_address
from charthouse.net.retry import MAX_RETRIES, REFUSED, RefusedInput

DEPLOYMENT = "AZURE_OPENAI_EMBEDDING_DEPLOYMENT"
PRICE = "CHARTHOUSE_EMBEDDING_PRICE"
# US dollars a million tokens: OpenAI, "New embedding models and API updates", 25 January 2024.
USD_PER_MILLION_TOKENS = 0.13

# OpenAI's API reference, "Create embeddings", as of openai 3.54
MOST_INPUTS = 2048  # a request
MOST_TOKENS = 300_000  # a request
MOST_TOKENS_INPUT = 8191

PROBE = "chest"  # no patient's: is it the inputs that are refused, or every request?


class TextEmbedding3Large(ReportEncoder):
    """Each report by itself (strict), or all of a stay joined in order of time (paper).

    A report over the model's length is cut into chunks; their vectors are averaged, weighted by
    length, and scaled back to length one.
    """

    version = 2  # 1: joined, a text that comes twice counted twice
    chunk_stays = 512  # about as many reports as the requests in flight can carry

    def __init__(
        self,
        context: Context,
        *,
        max_retries: int = MAX_RETRIES,
        timeout: float = 120.0,
        in_flight: int = 4,
    ) -> None:
        super().__init__(context)
        self.usage = Usage()
        self._max_retries, self._timeout, self._in_flight = max_retries, timeout, in_flight
        self._model = context.spec.hub_id
        self._dimension = context.spec.dimension or 0
        self._price = USD_PER_MILLION_TOKENS

    def settings(self) -> dict[str, Any]:
        """The model by the provider's name, its dimension, and how reports become one vector."""
        return {
            "model": self._model,
            "dimensions": self._dimension,
            "report_encoding": self.report_encoding,
        }

    def fingerprint(self) -> str:
        """The weights cannot be hashed: their name stands for them, whoever serves them."""
        return f"{self._model}/{self._dimension}"

    @classmethod
    def not_ready(cls, spec: EncoderSpec) -> str | None:
        """Never runs unasked: each text goes to a server, and may cost."""
        try:
            address = named_address()
        except CharthouseError as error:
            return str(error)
        no_key = not (address.key() or address.is_loopback)
        return f"it sends the {spec.modality.item}s to {address.place}" + (
            f" and {address.key_variable} is not set" if no_key else ""
        )

    def sends_to(self) -> str | None:
        """The service's host; None for a server on this machine."""
        address = named_address()
        return None if address.is_loopback else address.place

    def used(self) -> dict[str, Any]:
        """Requests, retries, tokens, cost and seconds so far."""
        return {**asdict(self.usage), "cost_usd": round(self.usage.cost_usd, 6)} | {
            "seconds": round(self.usage.seconds, 1)
        }

    def load(self) -> None:
        """Finds the service and its key; sends nothing."""
        price = os.environ.get(PRICE, "").strip()
        if price:
            if not re.fullmatch(r"\d+(\.\d+)?", price):
                raise CharthouseError(f"{PRICE}: '{price}' is no price (dollars a million tokens).")
            self._price = float(price)
        self._service: Service = connect(
            self.context.guard,
            self._model,
            deployment_variable=DEPLOYMENT,
            usage=self.usage,
            max_retries=self._max_retries,
            timeout=self._timeout,
            in_flight=self._in_flight,
        )

    def encode_items(self, items: Sequence[Report]) -> Sequence[np.ndarray | str]:
        """A vector of length one for each report, or the reason why there is none."""
        return self._embed([report.text for report in items])

    def encode_joined(self, texts: Sequence[Sequence[str]]) -> list[np.ndarray | str]:
        """The vector of all texts of a stay as one, or the reason why there is none."""
        return self._embed([joined(of_stay) for of_stay in texts])

    def _embed(self, texts: Sequence[str]) -> list[np.ndarray | str]:
        begin = time.monotonic()
        chunks = [
            chunk
            for position, text in enumerate(texts)
            if has_words(text)
            for chunk in split_text(position, text.strip(), MOST_TOKENS_INPUT)
        ]
        batches = pack(chunks, MOST_INPUTS, MOST_TOKENS)
        calls = [partial(self._vectors, [chunk.text for chunk in batch]) for batch in batches]
        try:
            answers = [outcome for batch in self._service.ask_all(calls) for outcome in batch]
        finally:
            self.usage.seconds += time.monotonic() - begin
        found: list[list[tuple[Chunk, np.ndarray | str]]] = [[] for _ in texts]
        for chunk, outcome in zip(chunks, answers, strict=True):
            found[chunk.source].append((chunk, outcome))
        return [_average(parts) for parts in found]

    def _vectors(self, texts: list[str], *, halving: bool = False) -> list[np.ndarray | str]:
        """For each input its vector, or a reason; halves the inputs until the bad one is alone."""
        try:
            return list(self._request(texts))
        except RefusedInput as refusal:
            status = refusal.status
        if not halving:
            self._probe()
        if len(texts) == 1:
            return [f"{REFUSED} (HTTP {status})"]
        middle = len(texts) // 2
        halves = texts[:middle], texts[middle:]
        return [outcome for half in halves for outcome in self._vectors(half, halving=True)]

    def _probe(self) -> None:
        """Else a wrong setting would be halved down, and blamed on each single report."""
        try:
            self._request([PROBE])
        except RefusedInput as refusal:
            raise CharthouseError(
                f"{self._service.host} takes no input at all ({refusal}). Does it serve"
                f" {self._model} with {self._dimension} dimensions?"
            ) from None

    def _request(self, texts: list[str]) -> list[np.ndarray]:
        embeddings = self._service.client.embeddings.with_raw_response
        answer = self._service.ask(
            # raw: openai's own reading takes any JSON for an answer
            lambda: (
                embeddings.create(
                    input=texts, model=self._model, dimensions=self._dimension
                ).http_response.content
            ),
            items=len(texts),
        )
        try:
            found = read_answer(
                Embeddings,
                answer.content,
                count=len(texts),
                model=self._model,
                dimension=self._dimension,
            )
        except ValueError as error:
            raise CharthouseError(
                f"{self._service.host} sent an answer that cannot be used: {error}. Nothing of it"
                " was kept; run again, or see what serves there."
            ) from None
        self._service.count(found.prompt_tokens, found.prompt_tokens * self._price / 1e6)
        return found.vectors


def joined(texts: Sequence[str]) -> str:
    """All reports as one text without line breaks, numbered; a text that comes twice once."""
    numbered = (f"Report {number}:\n{text}" for number, text in enumerate(dict.fromkeys(texts), 1))
    return " ".join(" ".join(numbered).split())


def _average(parts: Sequence[tuple[Chunk, np.ndarray | str]]) -> np.ndarray | str:
    """The vector of a text from those of its chunks; a reason if one of them has none."""
    if not parts:
        return NO_WORDS
    vectors: list[np.ndarray] = []
    for _, outcome in parts:
        if isinstance(outcome, str):
            return outcome
        vectors.append(outcome)
    if len(vectors) == 1:
        return vectors[0]
    weights = [chunk.tokens for chunk, _ in parts]
    mean = np.average(np.stack(vectors).astype(np.float64), axis=0, weights=weights)
    length = math.sqrt(float(mean @ mean))
    if length < 1e-6:
        return "the vectors of its chunks cancel each other out"
    return (mean / length).astype(np.float32)
