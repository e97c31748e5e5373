"""A server that speaks OpenAI's chat completions, and errs as told; on this machine."""

import base64
import io
import json
import math
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import PIL.Image
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from fake_openai import answer

Body = dict[str, Any]


def text_of(body: Body) -> str:
    """Of the last message."""
    content = body["messages"][-1]["content"]
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] == "text")


def picture_of(body: Body) -> PIL.Image.Image | None:
    content = body["messages"][-1]["content"]
    if isinstance(content, str):
        return None
    [url] = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
    kind, _, data = url.partition(",")
    assert kind == "data:image/png;base64"
    return PIL.Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


def p_yes_of(body: Body) -> float:
    """The question's own, the same every time."""
    return 0.05 + 0.9 * (zlib.crc32(json.dumps(body["messages"]).encode()) % 1000) / 1000


def completion(text: str, p_yes: float | None = None, **more: Any) -> Body:
    """A whole answer; the log-probabilities leave 2 % for other words."""
    choice: Body = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": text, "refusal": None},
        "logprobs": None,
    }
    if p_yes is not None:
        top = [("Yes", 0.98 * p_yes), ("No", 0.98 * (1 - p_yes)), ("The", 0.02)]
        told = [{"token": token, "logprob": math.log(p)} for token, p in top]
        choice["logprobs"] = {"content": [{**told[0], "top_logprobs": told}]}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "served-model-2026",
        "choices": [choice],
        "usage": {"prompt_tokens": 700, "completion_tokens": 2, "total_tokens": 702},
    } | more


def answered(body: Body) -> Response:
    p_yes = p_yes_of(body)
    return answer(completion("Yes" if p_yes >= 0.5 else "No.", p_yes))


@dataclass
class Chat:
    """Answers every question in its own way, unless a reply says otherwise; keeps what it got."""

    server: HTTPServer
    reply: Callable[[Body], Response | None] = lambda body: None
    seconds: float = 0.0
    requests: list[Request] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, request: Request) -> Response:
        body = json.loads(request.get_data())
        with self._counting:
            self.requests.append(request)
            self.bodies.append(body)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        time.sleep(self.seconds)
        try:
            return self.reply(body) or answered(body)
        finally:
            with self._counting:
                self._now -= 1

    @property
    def url(self) -> str:
        return self.server.url_for("/v1")

    def script(self, *responses: Response | None) -> None:
        """These in turn, then answers; None is an answer too."""
        left = list(responses)
        self.reply = lambda body: left.pop(0) if left else None
