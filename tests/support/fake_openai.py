"""A server that speaks OpenAI's embeddings API, and errs as told; on this machine."""

import base64
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

KEY = "sk-proj-Zq7w4YxV9bRt2"
SECRET = "pneumomediastinum"  # in the text of every report, and never anywhere else


def vector_of(text: str) -> np.ndarray:
    """Length one, and its text's own."""
    code = zlib.crc32(text.encode())
    vector = np.zeros(1024, np.float32)
    vector[code % 512] = 0.6
    vector[512 + (code >> 9) % 512] = 0.8
    return vector


def body_of(texts: Sequence[str], as_floats: bool = False) -> dict[str, Any]:
    def encoded(text: str) -> object:
        vector = vector_of(text)
        return vector.tolist() if as_floats else base64.b64encode(vector.tobytes()).decode()

    return {
        "object": "list",
        "model": "text-embedding-3-large",
        "data": [
            {"object": "embedding", "index": position, "embedding": encoded(text)}
            for position, text in enumerate(texts)
        ],
        "usage": {"prompt_tokens": 10 * len(texts), "total_tokens": 10 * len(texts)},
    }


Reply = Callable[[list[str]], Response | None]


@dataclass
class Api:
    """A server that embeds, unless a reply says otherwise; keeps what it was sent."""

    server: HTTPServer
    reply: Reply = lambda texts: None
    requests: list[Request] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def handle(self, request: Request) -> Response:
        body = json.loads(request.get_data())
        self.requests.append(request)
        self.bodies.append(body)
        return self.reply(body["input"]) or answer(body_of(body["input"]))

    @property
    def texts(self) -> list[list[str]]:
        return [body["input"] for body in self.bodies]

    def script(self, *responses: Response | None) -> None:
        """These in turn, then embeddings; None is embeddings too."""
        left = list(responses)
        self.reply = lambda texts: left.pop(0) if left else None


def answer(body: object, status: int = 200, **headers: str) -> Response:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(text, status, named, content_type="application/json")


def error(status: int, code: str | None = None, **headers: str) -> Response:
    """As OpenAI words them: with parts of the key and of the input."""
    message = f"Incorrect API key provided: {KEY}. Your input: {SECRET}"
    return answer({"error": {"message": message, "code": code, "param": None}}, status, **headers)
