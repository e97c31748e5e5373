"""One checkpoint asked in process, by transformers serve, and by a server that tells P(yes)."""

import base64
import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import PIL.Image
import pytest
import torch
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from asking import LEARNER, put
from bench import PROJECT, Bench
from charthouse.models.learners.base import Message, Question
from charthouse.models.learners.in_process import InProcess
from charthouse.models.learners.registry import learner_spec
from fake_chat import completion
from fake_openai import answer
from tiny_learners import one_thread, write_llava

pytestmark = pytest.mark.usefixtures("one_thread")
__all__ = ["one_thread"]

STAYS = 8
STARTS_WITHIN = 120  # seconds
SERVE = """
# The command `transformers`, beside a torchvision that was compiled for another build of torch: its
# operators are declared, and pictures are decoded by Pillow in their place.
from charthouse.models.checkpoints import mend_torchvision

mend_torchvision()
import io
import numpy
import PIL.Image
import torch
import torchvision.io
from transformers.cli.transformers import main

def decode_image(content, mode, **_):
    picture = PIL.Image.open(io.BytesIO(content.numpy().tobytes())).convert("RGB")
    return torch.from_numpy(numpy.array(picture)).permute(2, 0, 1)

torchvision.io.decode_image = decode_image
main()
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CHARTHOUSE_WEIGHTS with a tiny LLaVA."""
    folder = tmp_path_factory.mktemp("weights")
    write_llava(folder / LEARNER)
    # a server would penalise repetitions as this file says; in process it is overruled
    (folder / LEARNER / "generation_config.json").write_text('{"do_sample": false}')
    return folder


@pytest.fixture
def in_process(
    own: Bench, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[int, tuple[str, float]]:
    """Answers and P(yes) of the stays, asked by transformers in this process."""
    monkeypatch.setenv("CHARTHOUSE_WEIGHTS", str(weights))
    said = put(own, stays=STAYS)
    assert f"{STAYS} asked" in said[-1]
    return answers(own)


def answers(bench: Bench) -> dict[int, tuple[str, float]]:
    rows = bench.sql("select stay_id, answer, p_yes from results.current_answers")
    return {stay_id: (text, p_yes) for stay_id, text, p_yes in rows}


def test_in_process_keeps_what_a_row_must_tell(
    own: Bench, in_process: dict[int, tuple[str, float]]
) -> None:
    assert len(in_process) == STAYS
    assert own.sql(
        "select distinct endpoint, dtype, model, status, sends.run_id from results.current_answers"
        " left join results.sends as sends using (run_id)"
    ) == [("in process", "float32", "llava-hf/llava-1.5-7b-hf", "answered", None)]
    shown = own.sql(
        "select count(distinct p_yes), count(p_yes), count(image_hash), min(prompt_tokens)"
        " from results.answers"
    )[0]
    assert shown[1] == STAYS and shown[0] > 1 and 0 < shown[2] < STAYS and shown[3] > 100
    put(own, stays=STAYS)  # nothing is left to ask
    assert own.one("select count(*) from results.answers where attempt > 1") == 0


@pytest.fixture(scope="module")
def serving(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """transformers' own server, as a user starts it; its base URL."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    script = log.with_name("serve.py")
    script.write_text(SERVE)
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, str(script), "serve", str(weights / LEARNER), "--host", "127.0.0.1",
             "--port", str(port), "--device", "cpu", "--dtype", "float32"],
            stdout=output, stderr=output, env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )  # fmt: skip
    try:
        deadline = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < deadline and server.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.3)
        else:
            pytest.fail(f"transformers serve did not start:\n{log.read_text()[-2000:]}")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(timeout=30)


def test_transformers_serve_gives_the_answers_of_the_process(
    own: Bench, weights: Path, in_process: dict[int, tuple[str, float]], serving: str
) -> None:
    put(own, stays=STAYS, base_url=serving, model=str(weights / LEARNER), concurrency=2)
    served = answers(own)
    assert {stay: text.strip() for stay, (text, _) in served.items()} == {
        stay: text for stay, (text, _) in in_process.items()
    }
    assert {p_yes for _, p_yes in served.values()} == {None}  # it tells no log-probabilities
    assert own.one("select count(*) from results.answers") == 2 * STAYS
    assert own.one("select count(*) from results.sends where allowed_because = 'loopback'") == STAYS


def test_p_yes_of_a_server_is_that_of_the_process(
    own: Bench,
    weights: Path,
    in_process: dict[int, tuple[str, float]],
    chat_server: HTTPServer,
) -> None:
    """A server of the same weights that tells the likeliest tokens, as vLLM and OpenAI do."""
    learner = InProcess(learner_spec(PROJECT, LEARNER))
    tokenizer = learner.processor.tokenizer

    def handle(request: Request) -> Response:
        body = json.loads(request.get_data())
        messages, picture = [], None
        for message in body["messages"]:
            content = message["content"]
            if not isinstance(content, str):
                url = content[0]["image_url"]["url"]
                data = base64.b64decode(url.partition(",")[2])
                picture = PIL.Image.open(io.BytesIO(data))
                content = content[1]["text"]
            messages.append(Message(message["role"], content, picture is not None))
        inputs = learner.prepare([Question("", tuple(messages), picture)])
        with torch.inference_mode():
            logits = learner.model(**inputs).logits[0, -1].double()
        told = torch.log_softmax(logits, 0).topk(len(tokenizer))  # few words, long tail: all of it
        top = [
            {"token": tokenizer.convert_ids_to_tokens(int(place)), "logprob": float(value)}
            for value, place in zip(told.values, told.indices, strict=True)
        ]
        reply = completion("Yes")
        reply["choices"][0]["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
        return answer(reply)

    chat_server.clear()
    chat_server.expect_request("/v1/chat/completions").respond_with_handler(handle)
    put(own, stays=STAYS, base_url=chat_server.url_for("/v1"), concurrency=1)
    served = answers(own)
    assert {stay: p_yes for stay, (_, p_yes) in served.items()} == pytest.approx(
        {stay: p_yes for stay, (_, p_yes) in in_process.items()}, abs=1e-5
    )
