"""Text-Embedding-3-Large by its API, against servers on this machine: no account, no network."""

import json
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from bench import PROJECT
from charthouse.core.errors import CharthouseError
from charthouse.models.chunking import Chunk, estimate_tokens, pack, split_text
from charthouse.models.encoders import text_embedding_3_large as api
from charthouse.models.encoders.base import Context, Report, Stay
from charthouse.models.encoders.registry import encoder_class, encoder_spec
from charthouse.models.encoders.text_embedding_3_large import TextEmbedding3Large, _average
from charthouse.net import retry
from charthouse.net.guard import Guard, Send
from charthouse.net.openai_api import named_address
from fake_openai import KEY, SECRET, Api, Reply, answer, body_of, error, vector_of
from listener import Listener

really_wait = retry.wait
SPEC = encoder_spec(PROJECT, "text_embedding_3_large")
HOST = "127.0.0.1"
PORT = ": its port is not from 1 to 65535, in plain digits. Correct it."


@pytest.fixture(scope="module")
def one_server() -> Iterator[HTTPServer]:
    with HTTPServer(host=HOST, threaded=True) as server:
        yield server


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_VERSION", "OPENAI_ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("ENDPOINT", "API_KEY", "AD_TOKEN", "EMBEDDING_DEPLOYMENT"):
        monkeypatch.delenv(f"AZURE_OPENAI_{name}", raising=False)
    for name in ("CHARTHOUSE_APPROVED_HOSTS", "CHARTHOUSE_EMBEDDING_PRICE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def service(one_server: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Api:
    one_server.clear()
    service = Api(one_server)
    one_server.expect_request("/v1/embeddings", method="POST").respond_with_handler(service.handle)
    monkeypatch.setenv("OPENAI_BASE_URL", one_server.url_for("/v1"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return service


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds before each repetition, in place of waiting for them."""
    seconds: list[float] = []
    monkeypatch.setattr(retry, "wait", lambda stop, each: seconds.append(each))
    return seconds


def encoder(encoding: str = "each", guard: Guard | None = None, **more: Any) -> TextEmbedding3Large:
    context = Context(spec=SPEC, variables={"report_encoding": encoding}, guard=guard or Guard())
    made = TextEmbedding3Large(context, **more)
    made.load()
    return made


def reports(*texts: str) -> list[Report]:
    return [Report(f"note-{n}", float(n), f"{text} {SECRET}") for n, text in enumerate(texts)]


def stay(stay_id: int, *content: Report) -> Stay[tuple[Report, ...]]:
    return Stay(stay_id, stay_id, "train", content)


def vectors(outcomes: Sequence[np.ndarray | str]) -> np.ndarray:
    assert not [outcome for outcome in outcomes if isinstance(outcome, str)]
    return np.stack(outcomes)  # type: ignore[arg-type]


def said(outcome: BaseException) -> str:
    """All that a terminal could show of an error."""
    return "".join(traceback.format_exception(outcome)) + repr(outcome) + str(outcome)


# ---- what is asked and what comes back ----


def test_each_report_becomes_its_vector(service: Api) -> None:
    items = reports("effusion", "no effusion")
    found = vectors(encoder().encode_items(items))
    assert found.dtype == np.float32 and found.shape == (2, 1024)
    np.testing.assert_array_equal(found, [vector_of(item.text) for item in items])
    (body,) = service.bodies
    assert (body["model"], body["dimensions"]) == ("text-embedding-3-large", 1024)
    assert service.requests[0].headers["Authorization"] == f"Bearer {KEY}"


def test_a_list_of_floats_is_read_as_well_as_base64(service: Api) -> None:
    items = reports("a", "b")
    service.reply = lambda texts: answer(body_of(texts, as_floats=True))
    np.testing.assert_array_equal(
        vectors(encoder().encode_items(items)), [vector_of(item.text) for item in items]
    )


def test_vectors_are_taken_by_index_not_by_place(service: Api) -> None:
    def shuffled(texts: list[str]) -> Response:
        body = body_of(texts)
        return answer(body | {"data": body["data"][::-1]})

    service.reply = shuffled
    items = reports("a", "b", "c")
    np.testing.assert_array_equal(
        vectors(encoder().encode_items(items)), [vector_of(item.text) for item in items]
    )


def test_strict_means_the_reports_of_a_stay_and_skips_empty_ones(service: Api) -> None:
    first, second = reports("one", "two")
    found = encoder("each").encode(
        [stay(1, first, second), stay(2, Report("blank", 3.0, " \n ")), stay(3, second)]
    )
    assert found.stay_ids.tolist() == [1, 3]
    mean = (vector_of(first.text) + vector_of(second.text)) / 2
    np.testing.assert_allclose(found.vectors, [mean, vector_of(second.text)], rtol=1e-6)
    assert [(skip.stay_id, skip.item, skip.reason) for skip in found.skipped] == [
        (2, "blank", "the report has no words"),
        (2, None, "none of its items could be encoded"),
    ]


def test_paper_joins_the_reports_of_a_stay_in_order_of_time(service: Api) -> None:
    """A text that comes twice counts once, as in its code."""
    content = [Report("a", 1.0, "First\n line."), Report("b", 2.0, "\n"), Report("c", 3.0, "Last.")]
    again = Report("d", 4.0, "First\n line.")
    found = encoder("joined").encode([stay(1, *content, again), stay(2, content[1])])
    assert service.texts == [["Report 1: First line. Report 2: Last."]]
    assert found.stay_ids.tolist() == [1] and found.vectors.shape == (1, 1024)
    assert [(skip.stay_id, skip.item) for skip in found.skipped] == [(1, "b"), (2, "b"), (2, None)]


def test_nothing_to_encode_asks_nothing(service: Api) -> None:
    made = encoder()
    assert made.encode([]).stay_ids.tolist() == []
    assert made.encode([stay(1, Report("blank", 0.0, ""))]).stay_ids.tolist() == []
    assert not service.requests


def test_what_identifies_the_vectors_is_not_who_serves_them(
    service: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = encoder().fingerprint(), encoder().settings()
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", service.server.url_for("/"))
    assert (encoder().fingerprint(), encoder().settings()) == before
    assert before[1] == {
        "model": "text-embedding-3-large",
        "dimensions": 1024,
        "report_encoding": "each",
    }
    assert encoder("joined").settings() != before[1]
    assert encoder_class("text_embedding_3_large") is TextEmbedding3Large


# ---- batches ----


def test_a_request_has_at_most_2048_inputs(service: Api) -> None:
    items = [Report(str(n), 0.0, f"report {n}") for n in range(4100)]
    found = vectors(encoder().encode_items(items))
    assert sorted(map(len, service.texts), reverse=True) == [2048, 2048, 4]
    np.testing.assert_array_equal(found, [vector_of(item.text) for item in items])


def test_a_request_has_at_most_300_000_tokens(service: Api) -> None:
    items = [Report(str(n), 0.0, "lung " * 8000 + str(n)) for n in range(40)]
    vectors(encoder().encode_items(items))
    tokens = [sum(map(estimate_tokens, batch)) for batch in service.texts]
    assert len(tokens) == 2 and max(tokens) <= 300_000
    assert sum(map(len, service.texts)) == 40


def test_a_long_report_is_cut_at_white_space_and_its_chunks_averaged(service: Api) -> None:
    text = " ".join(f"word{n % 977}" for n in range(12_000))
    (found,) = vectors(encoder().encode_items([Report("long", 0.0, text)]))
    chunks = [chunk for batch in service.texts for chunk in batch]
    assert len(chunks) > 2 and " ".join(chunks) == text
    weights = [estimate_tokens(chunk) for chunk in chunks]
    assert max(weights) <= 8191
    mean = np.average([vector_of(chunk) for chunk in chunks], axis=0, weights=weights)
    np.testing.assert_allclose(found, mean / np.linalg.norm(mean), rtol=1e-5)
    assert np.linalg.norm(found) == pytest.approx(1)


def test_cut_keeps_every_character_even_of_words_without_end() -> None:
    for text in (
        "x" * 5000,
        "a " * 900 + "Q" * 3000 + " b" * 900,
        "\u00e9\u4e2d" * 2000,
        "1 " * 999,
    ):
        chunks = split_text(7, text.strip(), 100)
        assert "".join("".join(chunk.text.split()) for chunk in chunks) == "".join(text.split())
        assert all(0 < estimate_tokens(chunk.text) <= 100 and chunk.source == 7 for chunk in chunks)
    assert [chunk.text for chunk in split_text(0, "short", 100)] == ["short"]
    assert pack([], 10, 10) == []


def test_results_keep_their_order_whatever_answers_first(
    service: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "MOST_INPUTS", 1)
    items = reports("a", "b", "c", "d")
    last_came = threading.Event()

    def last_first(texts: list[str]) -> None:
        if texts[0] == items[-1].text:
            last_came.set()
        assert last_came.wait(5)  # so all four are in flight at the same time

    service.reply = last_first
    found = vectors(encoder(in_flight=4).encode_items(items))
    np.testing.assert_array_equal(found, [vector_of(item.text) for item in items])


# ---- inputs that the service refuses ----


def refusing(word: str, status: int = 400) -> Reply:
    return lambda texts: error(status) if any(word in text for text in texts) else None


@pytest.mark.parametrize("status", [400, 413, 422])
def test_one_refused_report_gets_a_reason_and_the_rest_goes_on(service: Api, status: int) -> None:
    service.reply = refusing("REFUSE", status)
    texts = [f"report {n}" for n in range(32)]
    texts[11] += " REFUSE"
    items = reports(*texts)
    found = encoder().encode_items(items)
    assert found[11] == f"the service refused it (HTTP {status})"
    rest = [n for n in range(32) if n != 11]
    np.testing.assert_array_equal(
        vectors([found[n] for n in rest]), [vector_of(items[n].text) for n in rest]
    )
    assert len(service.requests) <= 2 + 2 * 5  # halving, not one by one


def test_a_report_with_a_refused_piece_is_left_out_whole(service: Api) -> None:
    service.reply = refusing("REFUSE")
    long = Report("long", 0.0, "lung " * 9000 + "REFUSE")
    found = encoder().encode_items([long, *reports("fine")])
    assert found[0] == "the service refused it (HTTP 400)"
    assert isinstance(found[1], np.ndarray)


def test_a_service_that_refuses_everything_stops_the_run_at_once(service: Api) -> None:
    service.reply = lambda texts: error(400)
    with pytest.raises(CharthouseError, match="takes no input at all"):
        encoder().encode_items(reports(*map(str, range(100))))
    assert len(service.requests) == 2


# ---- a service that is busy or broken ----


def test_each_attempt_is_counted_and_as_late_as_the_service_asks(
    service: Api, waits: list[float]
) -> None:
    service.script(error(429, retry_after="7"), error(503, retry_after_ms="1500", retry_after="9"))
    sends: list[Send] = []
    made = encoder(guard=Guard(log=sends.append))
    vectors(made.encode_items(reports("a")))
    assert waits == [7.0, 1.5]
    assert (made.usage.requests, made.usage.retries) == (3, 2) and len(sends) == 3


def test_a_wait_beyond_two_minutes_is_not_begun(service: Api, waits: list[float]) -> None:
    service.reply = lambda texts: error(429, retry_after="86400")
    with pytest.raises(CharthouseError, match=r"answered HTTP 429, once\. Run again later"):
        encoder().encode_items(reports("a"))
    assert len(service.requests) == 1 and not waits


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_what_may_pass_is_asked_again_and_later_each_time(
    service: Api, waits: list[float], status: int
) -> None:
    service.script(error(status), error(status), error(status))
    vectors(encoder().encode_items(reports("a")))
    assert len(waits) == 3 and waits[0] < waits[1] < waits[2]


def test_a_service_that_stays_broken_is_one_line(service: Api, waits: list[float]) -> None:
    service.reply = lambda texts: error(500)
    with pytest.raises(CharthouseError) as failure:
        encoder(max_retries=2).encode_items(reports("a"))
    assert len(service.requests) == 3 and len(waits) == 2
    message = str(failure.value)
    assert "\n" not in message and "HTTP 500, 3 times" in message
    assert f"{HOST}:{service.server.port}" in message and "what is finished is kept" in message


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (error(401, "invalid_api_key"), "refused the key"),
        (error(403), "lets this key not use the model"),
        (error(404, "DeploymentNotFound"), "no such model, deployment or path"),
        (error(429, "insufficient_quota"), "quota is used up"),
        (error(400, "billing_hard_limit_reached"), "quota is used up"),
        (error(418), "did not take the request"),
        (answer("", 307, Location="http://records.example/"), "redirect"),
    ],
)
def test_what_waiting_cannot_mend_is_said_at_once(
    service: Api, response: Response, words: str
) -> None:
    service.script(response)
    with pytest.raises(CharthouseError, match=words) as failure:
        encoder().encode_items(reports("a"))
    assert len(service.requests) == 1
    assert "\n" not in str(failure.value)


def test_one_that_gives_up_wakes_those_that_wait(
    service: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "MOST_INPUTS", 1)
    monkeypatch.setattr(retry, "wait", really_wait)
    waiting = threading.Event()

    def one_waits_one_fails(texts: list[str]) -> Response:
        if "first" in texts[0]:
            waiting.set()
            return error(503, retry_after="50")
        assert waiting.wait(5)
        return error(401)

    service.reply = one_waits_one_fails
    begin = time.monotonic()
    made = encoder()
    with pytest.raises(CharthouseError, match="refused the key"):
        made.encode_items(reports("first", "second"))
    assert time.monotonic() - begin < 30  # not 50
    assert len(service.requests) == 2
    service.script()
    vectors(made.encode_items(reports("first", "second")))  # it can be used again


def test_no_answer_in_time(service: Api, waits: list[float]) -> None:
    released = threading.Event()

    def late(_: list[str]) -> None:
        released.wait(5)

    service.reply = late
    with pytest.raises(CharthouseError, match="did not answer in time, 2 times"):
        encoder(max_retries=1, timeout=0.15).encode_items(reports("a"))
    released.set()
    assert len(waits) == 1


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    with socket.create_server((HOST, 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://{HOST}:{port}/v1")
    with pytest.raises(CharthouseError, match=rf"{port} cannot be reached \(ConnectError\), 7 "):
        encoder().encode_items(reports("a"))
    assert len(waits) == retry.MAX_RETRIES == 6


def test_a_connection_that_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    with Listener() as listener:
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://{HOST}:{listener.port}/v1")
        with pytest.raises(CharthouseError, match=r"cannot be reached \(\w+\), 2 times"):
            encoder(max_retries=1).encode_items(reports("a"))
    assert listener.connections == 2


# ---- answers that cannot be used ----


def spoil(change: Callable[[dict[str, Any]], object]) -> Callable[[list[str]], Response]:
    def reply(texts: list[str]) -> Response:
        body = body_of(texts, as_floats=True)
        changed = change(body)
        return answer(body if changed is None else changed)

    return reply


def put(body: dict[str, Any], row: int, name: str, value: object) -> None:
    body["data"][row][name] = value


SPOILED: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no JSON": (lambda body: "<html>busy</html>", "not JSON"),
    "cut short": (lambda body: json.dumps(body)[:-9], "not JSON"),
    "no text": (lambda body: b"\xff\xfe\x00", "not JSON"),
    "nothing": (lambda body: "", "not JSON"),
    "a list": (lambda body: [body], "it is no object"),
    "no data": (lambda body: body.pop("data") and None, "its data is missing"),
    "data of strings": (lambda body: body | {"data": ["a", "b", "c"]}, "its data.0 is no object"),
    "one too few": (lambda body: body["data"].pop() and None, "2 vectors for 3 inputs"),
    "one too many": (lambda body: body["data"].append(body["data"][0]), "4 vectors for 3"),
    "no index": (lambda body: body["data"][1].pop("index") and None, "data.1.index is missing"),
    "index of text": (lambda body: put(body, 1, "index", "1"), "index is no whole number"),
    "index of truth": (lambda body: put(body, 1, "index", True), "index is no whole number"),
    "index twice": (lambda body: put(body, 1, "index", 0), "not those of the inputs"),
    "index beyond": (lambda body: put(body, 1, "index", 3), "not those of the inputs"),
    "no embedding": (lambda body: body["data"][2].pop("embedding") and None, "is missing"),
    "short": (lambda body: put(body, 0, "embedding", [0.1] * 1023), "1024 dimensions"),
    "full length": (lambda body: put(body, 0, "embedding", [0.1] * 3072), "1024 dimensions"),
    "nested": (lambda body: put(body, 0, "embedding", [[0.1] * 1024]), "1024 dimensions"),
    "words": (lambda body: put(body, 0, "embedding", ["a"] * 1024), "neither numbers"),
    "NaN": (lambda body: put(body, 0, "embedding", [float("nan")] * 1024), "not finite"),
    "too great": (lambda body: put(body, 0, "embedding", [1e39] * 1024), "not finite"),
    "huge": (lambda body: put(body, 0, "embedding", [10**400] * 1024), "neither numbers"),
    "zero": (lambda body: put(body, 0, "embedding", [0.0] * 1024), "is zero"),
    "no base64": (lambda body: put(body, 0, "embedding", "%%%"), "neither numbers"),
    "odd base64": (lambda body: put(body, 0, "embedding", "AAAAAAA="), "neither numbers"),
    "short base64": (lambda body: put(body, 0, "embedding", "AACAPw=="), "1024 dimensions"),
    "another model": (lambda body: body | {"model": "text-embedding-3-small"}, "another model"),
    "no usage": (lambda body: body.pop("usage") and None, "usage"),
    "odd usage": (lambda body: body | {"usage": {"prompt_tokens": -1}}, "usage"),
}


@pytest.mark.parametrize("change", SPOILED.values(), ids=SPOILED.keys())
@pytest.mark.filterwarnings("error")
def test_an_answer_that_cannot_be_used_is_one_line(
    service: Api, change: tuple[Callable[[dict[str, Any]], object], str]
) -> None:
    service.reply = spoil(change[0])
    made = encoder()
    with pytest.raises(CharthouseError, match=change[1]) as failure:
        made.encode_items(reports("a", "b", "c"))
    assert "\n" not in str(failure.value) and f"{HOST}:{service.server.port}" in str(failure.value)
    assert made.usage.tokens == 0 and len(service.requests) == 1


# ---- keys ----


def test_no_key_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CharthouseError, match="set OPENAI_API_KEY") as failure:
        encoder()
    assert "\n" not in str(failure.value)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://hospital.openai.azure.com")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(CharthouseError, match="set AZURE_OPENAI_API_KEY"):
        encoder(guard=Guard("synthetic"))


def test_a_server_on_this_machine_may_want_no_key(
    service: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    vectors(encoder().encode_items(reports("a")))
    assert service.requests[0].headers["Authorization"] == "Bearer none"


def test_a_key_with_its_line_break_works_and_a_broken_one_is_not_quoted(
    service: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}\n")
    vectors(encoder().encode_items(reports("a")))
    assert service.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    for broken in (f"{KEY}\n{KEY}", f"{KEY} {KEY}", f"{KEY}\u00e9"):
        monkeypatch.setenv("OPENAI_API_KEY", broken)
        with pytest.raises(CharthouseError, match="copy it again") as failure:
            encoder()
        assert KEY not in said(failure.value)


def test_neither_key_nor_text_shows_anywhere(
    service: Api, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    sends: list[Send] = []
    shown = ""
    for response in (
        *(error(401), error(403), error(404), error(429, "insufficient_quota"), error(400)),
        *(error(500), error(301, Location="https://x.example/"), answer(f"{KEY} {SECRET}")),
        answer({"data": [{"index": 0, "embedding": f"{KEY} {SECRET}"}], "model": KEY + SECRET}),
    ):
        service.reply = lambda texts, response=response: response  # type: ignore[misc]
        made = encoder(guard=Guard(log=sends.append), max_retries=1)
        with pytest.raises(CharthouseError) as failure:
            made.encode_items(reports("a"))
        shown += said(failure.value) + repr(made) + repr(vars(made)) + repr(made.context)
    out, err = capfd.readouterr()
    shown += caplog.text + repr(caplog.records) + out + err + repr(sends) + repr(reports("a"))
    assert "127.0.0.1" in caplog.text  # the libraries did log, at their most talkative
    assert KEY not in shown and KEY[:10] not in shown and KEY[-6:] not in shown
    assert SECRET not in shown


# ---- Azure ----


def test_azure_has_its_own_path_version_and_header(
    service: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", service.server.url_for("/"))
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "azure-key")
    path = "/openai/deployments/{}/embeddings"
    for deployment in ("text-embedding-3-large", "notes"):
        service.server.expect_request(path.format(deployment)).respond_with_handler(service.handle)
    vectors(encoder().encode_items(reports("a")))
    monkeypatch.setenv("AZURE_OPENAI_EMBEDDING_DEPLOYMENT", "notes")
    monkeypatch.setenv("OPENAI_API_VERSION", "2025-03-01")
    vectors(encoder().encode_items(reports("a")))
    first, second = service.requests  # and not one to OPENAI_BASE_URL, which is set as well
    assert first.path == path.format("text-embedding-3-large")
    assert first.args.to_dict() == {"api-version": "2024-10-21"}
    assert second.path == path.format("notes")
    assert second.args.to_dict() == {"api-version": "2025-03-01"}
    for request in (first, second):
        assert request.headers["api-key"] == "azure-key"
        assert "Authorization" not in request.headers and KEY not in str(request.headers)
    assert service.bodies[0]["dimensions"] == 1024


# ---- tokens and money ----


def test_tokens_cost_requests_and_seconds_are_counted(
    service: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "MOST_INPUTS", 2)
    service.script(error(500))
    made = encoder(in_flight=1)
    vectors(made.encode_items(reports(*"abcde")))
    assert (made.usage.requests, made.usage.retries, made.usage.tokens) == (4, 1, 50)
    assert made.usage.cost_usd == pytest.approx(50 * 0.13 / 1e6)
    assert made.usage.seconds > 0
    monkeypatch.setenv("CHARTHOUSE_EMBEDDING_PRICE", "2")
    made = encoder()
    vectors(made.encode_items(reports("a")))
    assert made.usage.cost_usd == pytest.approx(20 / 1e6)
    monkeypatch.setenv("CHARTHOUSE_EMBEDDING_PRICE", "cheap")
    with pytest.raises(CharthouseError, match="'cheap' is no price"):
        encoder()


# ---- the guard ----


def test_the_log_says_what_the_server_received(
    service: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "MOST_INPUTS", 3)
    sends: list[Send] = []
    service.script(error(500), None)
    vectors(encoder(guard=Guard(log=sends.append)).encode_items(reports(*"abcdefgh")))
    received = sorted(
        (HOST, "loopback", len(body["input"]), len(request.get_data()))
        for request, body in zip(service.requests, service.bodies, strict=True)
    )
    assert sorted((s.host, s.allowed_because, s.items, s.bytes) for s in sends) == received
    assert len(sends) == 4  # three batches, one of them twice
    assert SECRET not in repr(sends)


def test_credentialed_reports_stop_before_any_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(host: str, *_: object, **__: object) -> list:
        raise AssertionError(f"the resolver was asked for {host}")

    monkeypatch.setattr(socket, "getaddrinfo", asked)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(CharthouseError, match=r"api\.openai\.com: refused, nothing was sent"):
        encoder()
    monkeypatch.setenv("CHARTHOUSE_APPROVED_HOSTS", "api.openai.com")
    encoder(guard=Guard())
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://hospital.openai.azure.com/")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "azure-key")
    with pytest.raises(CharthouseError, match=r"hospital\.openai\.azure\.com: refused"):
        encoder(guard=Guard())
    encoder(guard=Guard("synthetic"))


def test_a_client_that_is_turned_elsewhere_is_stopped_too(service: Api) -> None:
    made = encoder()
    with Listener() as listener:
        made._service.client.base_url = f"http://records.example:{listener.port}/v1"
        with pytest.raises(CharthouseError, match=r"records\.example:\d+: refused"):
            made.encode_items(reports("a"))
        assert listener.saw_nothing()
    assert not service.requests


def test_a_redirect_of_the_service_leads_nowhere(service: Api) -> None:
    with Listener() as listener:
        target = f"http://{HOST}:{listener.port}/v1/embeddings"
        service.script(answer("", 308, Location=target))
        with pytest.raises(CharthouseError, match="redirect, which is never followed"):
            encoder().encode_items(reports("a"))
        assert listener.saw_nothing()


def test_a_proxy_sees_nothing_of_a_server_on_this_machine(
    service: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Listener() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://{HOST}:{proxy.port}")
        vectors(encoder().encode_items(reports("a")))
        assert proxy.saw_nothing()


def test_it_never_runs_unasked_and_says_where_it_sends(
    service: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = TextEmbedding3Large(Context(SPEC, {}))
    assert made.sends_to() is None  # this machine
    assert made.not_ready(SPEC) == f"it sends the reports to {HOST}:{service.server.port}"
    monkeypatch.delenv("OPENAI_BASE_URL")
    assert made.sends_to() == "api.openai.com"
    monkeypatch.delenv("OPENAI_API_KEY")
    assert made.not_ready(SPEC) == (
        "it sends the reports to api.openai.com and OPENAI_API_KEY is not set"
    )
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.example:port/v1")
    assert "OPENAI_BASE_URL is not an address" in str(made.not_ready(SPEC))


@pytest.mark.parametrize(
    "url",
    ["api.example/v1", "ftp://api.example/v1", "https://u:p@x.example", "https:// x.example/v1"],
)
def test_an_address_that_cannot_be_meant(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(CharthouseError, match=r"must begin with https|user name|is not an address"):
        encoder(guard=Guard("synthetic"))


@pytest.mark.parametrize("variable", ["OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "--base-url"])
@pytest.mark.parametrize(
    ("port", "said"),
    [
        ("99999", PORT),
        ("0", PORT),
        ("-1", PORT),
        ("8\u066080", PORT),  # a digit of Arabic, which int takes too
        (" 8080", PORT),
        ("+8080", PORT),
        ("80_80", PORT),
        ("http", " is not an address such as https://api.openai.com/v1."),
        ("9" * 5000, " is not an address such as https://api.openai.com/v1."),
    ],
)
def test_a_port_that_is_none_is_said_before_anything_is_asked(
    variable: str, port: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the HTTP library it is a server that is away, and would be asked six times."""
    url = f"http://{HOST}:{port}/v1"
    monkeypatch.setenv(variable, url)
    with pytest.raises(CharthouseError) as refused:
        named_address(url if variable == "--base-url" else None)
    assert str(refused.value) == f"{variable}{said}"


def test_an_unknown_report_encoding_is_one_line(service: Api) -> None:
    with pytest.raises(CharthouseError, match="each or joined, not 'all'"):
        encoder("all")


def test_chunks_that_say_the_opposite_leave_no_vector() -> None:
    chunk = Chunk(0, "", 3)
    there = np.array([0.6, 0.8], dtype=np.float32)
    average = _average([(chunk, there), (chunk, -there)])
    assert average == "the vectors of its chunks cancel each other out"
