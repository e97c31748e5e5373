"""Questions to learners when something goes wrong: kills, interrupts, budgets, servers, secrets."""

import itertools
import json
import os
import random
import shutil
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from werkzeug import Response

import forked
from asking import LEARNER, OF_THE_PAPER, put, stays_of_test, write
from bench import Bench
from charthouse.core.errors import CharthouseError
from charthouse.jobs.ask.store import WRITERS
from charthouse.net.guard import Send
from charthouse.net.outbox import Outbox, recover
from fake_chat import Body, Chat, completion, p_yes_of, text_of
from fake_openai import KEY, SECRET, answer, error
from listener import Listener, address_of_this_machine
from small_disk import fill, needs_root, small_disk

SAID = (
    "learner, fingerprint, reads, task, condition, stay_id, question_hash, model,"
    " resolved_model, prompt_hash, dicom_id, image_hash, image_note, dropped, answer, parsed,"
    " parser_version, p_yes, yes_no_mass, prompt_tokens, answer_tokens, status, error"
)


def answers(bench: Bench) -> list[tuple]:
    return bench.sql(f"select {SAID} from results.answers order by task, condition, stay_id")


# Kept, and not asked again


def test_what_is_answered_is_not_asked_again(own: Bench, chat: Chat) -> None:
    put(own, chat)
    before, asked = answers(own), len(chat.bodies)
    said = put(own, chat)
    assert len(chat.bodies) == asked and answers(own) == before
    assert f"0 asked (0 yes, 0 no, 0 none), {asked} kept" in said[-1]
    put(own, chat, tasks=["icu_stay_over_3_days"])  # another question, and the first ones stand
    assert len(chat.bodies) == 2 * asked
    put(own, chat, tasks=OF_THE_PAPER)
    assert len(chat.bodies) == 2 * asked
    assert own.one("select count(*) from results.current_answers") == 2 * asked


def test_another_question_of_a_task_is_asked_anew(own: Bench, chat: Chat) -> None:
    put(own, chat)
    n = len(chat.bodies)
    write(own, "update seeds.tasks set question = 'Will the patient live?'")
    put(own, chat)
    assert len(chat.bodies) == 2 * n and "Will the patient live?" in text_of(chat.bodies[-1])
    assert own.one("select count(*) from results.current_answers") == n
    assert own.one("select count(*) from results.answers") == 2 * n


def test_changed_stays_are_asked_anew_and_going_back_finds_the_old_answers(
    own: Bench, chat: Chat
) -> None:
    put(own, chat)
    n = len(chat.bodies)
    write(own, "create table kept as select * from marts.patient_profiles")
    write(own, "update marts.patient_profiles set profile = profile || 'x'")
    put(own, chat, stays=3)  # a few of them: no old answer may stand beside these
    assert len(chat.bodies) == n + 3
    assert own.one("select count(*) from results.current_answers") == 3
    write(own, "update marts.patient_profiles as p set profile = kept.profile from kept"
               " where kept.stay_id = p.stay_id")  # fmt: skip
    put(own, chat)
    assert len(chat.bodies) == n + 3
    assert own.one("select count(*) from results.current_answers") == n


def test_a_trial_that_answers_nothing_hides_nothing(own: Bench, chat: Chat, tmp_path: Path) -> None:
    put(own, chat)
    n = len(chat.bodies)
    (tmp_path / "mine.toml").write_text(
        'version = "2"\nsystem = "You are a nurse."\nuser = "{profile} {question} Yes or no?"\n'
        'without_profile = "{question} Yes or no?"\n'
    )
    chat.reply = lambda body: error(401)
    with pytest.raises(CharthouseError, match="refused the key"):
        put(own, chat, prompt=str(tmp_path / "mine.toml"), stays=3)
    assert own.one("select count(*) from results.current_answers") == n
    chat.reply = lambda body: None
    said = put(own, chat, prompt=str(tmp_path / "mine.toml"), stays=3)
    assert any(f"{n} answers under other settings are kept" in line for line in said)
    assert own.one("select count(*) from results.current_answers") == 3


def test_questions_that_are_refused_do_not_stand_in_the_way(own: Bench, chat: Chat) -> None:
    seen: list[str] = []

    def reply(body: Body) -> Response | None:
        text = text_of(body)
        if text not in seen:
            seen.append(text)
        return error(400) if 0 < seen.index(text) < 13 else None

    chat.reply = reply
    put(own, chat, concurrency=1)
    n = len(stays_of_test(own))
    left = n - int(str(own.one("select count(*) from results.answers where status = 'answered'")))
    assert left >= 10
    chat.bodies.clear()
    with pytest.raises(CharthouseError, match="8 questions in a row"):  # only these are left
        put(own, chat, concurrency=1)
    chat.bodies.clear()
    put(own, chat, tasks=OF_THE_PAPER, concurrency=1)  # what is new comes first
    answered = own.one(
        "select count(*) from results.answers where status = 'answered'"
        " and task = 'icu_stay_over_3_days'"
    )
    assert answered == n


def test_another_prompt_is_another_question_and_both_are_kept(
    own: Bench, chat: Chat, tmp_path: Path
) -> None:
    n = len(stays_of_test(own))
    put(own, chat)
    (tmp_path / "plain.toml").write_text(
        'version = "2"\nsystem = "You are a nurse."\nuser = "{profile} {question} Yes or no?"\n'
        'without_profile = "{question} Yes or no?"\n'
    )
    put(own, chat, prompt=str(tmp_path / "plain.toml"))
    assert len(chat.bodies) == 2 * n
    assert chat.bodies[-1]["messages"][0]["content"] == "You are a nurse."
    standing = own.sql(
        "select prompt, prompt_version, count(*) from results.current_answers group by all"
    )
    assert standing == [("plain", "2", n)]
    assert own.one("select count(*) from results.answers") == 2 * n
    put(own, chat)  # back to the first: nothing to ask, and it stands again
    assert len(chat.bodies) == 2 * n
    assert own.one("select min(prompt) from results.current_answers") == "paper"


def test_an_error_is_no_answer_and_is_asked_again(own: Bench, chat: Chat) -> None:
    stays = stays_of_test(own)
    texts: list[str] = []

    def reply(body: Body) -> Response | None:
        text = text_of(body)
        if len(texts) < 2 and text not in texts:
            texts.append(text)
        return error(500) if text in texts else None

    chat.reply = reply
    said = put(own, chat, concurrency=1)
    assert own.sql(
        "select status, parsed, answer, p_yes, error, attempt, count(*) from results.answers"
        " where status <> 'answered' group by all"
    ) == [("error", None, None, None, f"{chat.server.host}:{chat.server.port} answered HTTP 500,"
           " 2 times", 2, 2)]  # fmt: skip
    assert "2 without an answer" in said[-1]
    chat.reply = lambda body: None
    chat.bodies.clear()
    put(own, chat)
    assert sorted(map(text_of, chat.bodies)) == sorted(texts)
    assert own.sql(
        "select attempt, count(*) from results.answers where status = 'answered' group by 1"
        " order by 1"
    ) == [(1, len(stays) - 2), (3, 2)]


def test_an_error_never_replaces_an_answer(own: Bench, chat: Chat, tmp_path: Path) -> None:
    """Of a run that was killed, say, and is moved after another has asked again."""
    put(own, chat)
    before = answers(own)
    row = dict(
        zip(SAID.split(", "), before[0], strict=True),
        run_id="ask-old", endpoint="x", prompt="paper", prompt_version="1", revision=None,
        dtype=None, seconds=1.0, cost_usd=None, attempt=2, asked_at="2026-01-01T00:00:00",
    ) | {"status": "error", "error": "late", "answer": None, "parsed": None}  # fmt: skip
    with Outbox(own.warehouse, "ask-old").open() as outbox:
        outbox.add("answer", row)
    recover(own.warehouse, print, WRITERS)
    assert answers(own) == before


# Killed and interrupted


def environment(bench: Bench) -> dict[str, str]:
    return {**bench.raw, "OPENAI_API_KEY": KEY}


def ask_and_die(warehouse: Path, url: str, environment: dict[str, str], after: float) -> None:
    """In a process of its own, which is killed after so many seconds unless it is done."""
    timer = threading.Timer(after, lambda: os.kill(os.getpid(), signal.SIGKILL))
    timer.daemon = True
    timer.start()
    ask_elsewhere(warehouse, url, environment, concurrency=3)


def ask_elsewhere(
    warehouse: Path, url: str, environment: dict[str, str], concurrency: int = 1
) -> None:
    """In a process that does not inherit this one's environment."""
    os.environ.update(environment)
    put(Bench({}, warehouse, warehouse.parent), base_url=url, concurrency=concurrency)


def test_killed_a_hundred_times_it_ends_like_one_that_was_not(own: Bench, chat: Chat) -> None:
    undisturbed = Bench(own.raw, own.warehouse.with_name("undisturbed.duckdb"), own.logs)
    undisturbed.warehouse.write_bytes(own.warehouse.read_bytes())
    put(undisturbed, chat)
    chat.bodies.clear()
    chat.seconds = 0.02
    n = len(stays_of_test(own))
    moments = random.Random(5)
    killed = 0
    for attempt in itertools.count():
        seconds = moments.uniform(0.02, 0.35) if attempt < 100 else 60.0
        process = forked.start(ask_and_die, own.warehouse, chat.url, environment(own), seconds)
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        if attempt >= 100:
            assert process.exitcode == 0
            break
    assert killed > 50
    assert answers(own) == answers(undisturbed)
    asked = Counter(json.dumps(body) for body in chat.bodies)
    assert len(asked) == n
    # what was on its way at the kill is all that can have been asked twice
    assert sum(asked.values()) - n <= 3 * killed
    assert not list(own.warehouse.parent.glob("*.outbox*"))
    # each that came is logged, of killed runs too; a kill before the socket leaves a line more
    sends = own.one("select count(*) from results.sends")
    assert len(chat.bodies) <= sends <= len(chat.bodies) + 3 * killed


def test_an_answer_that_came_before_the_kill_is_never_asked_again(own: Bench, chat: Chat) -> None:
    """The server answers seven, then no more; the process is killed while it waits."""
    came = threading.Event()
    over = threading.Event()

    def reply(body: Body) -> Response | None:
        if len(chat.bodies) > 7:
            came.set()
            over.wait(20)
        return None

    chat.reply = reply
    process = forked.start(ask_elsewhere, own.warehouse, chat.url, environment(own))
    assert came.wait(60)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    over.set()
    first = [json.dumps(body) for body in chat.bodies[:7]]
    chat.reply = lambda body: None
    chat.bodies.clear()
    said = put(own, chat)
    assert any("7 answers of a run that was killed are kept" in line for line in said)
    again = [json.dumps(body) for body in chat.bodies]
    assert not set(first) & set(again)
    assert len(again) == len(stays_of_test(own)) - 7


def test_ctrl_c_keeps_what_is_on_its_way(own: Bench, chat: Chat) -> None:
    chat.seconds = 0.1
    process = own.start_charthouse(
        "ask", "--learner", LEARNER, "--base-url", chat.url, "--concurrency", "3",
        *(word for task in OF_THE_PAPER for word in ("--task", task)),
        OPENAI_API_KEY=KEY,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while len(chat.bodies) < 10 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "charthouse: interrupted. Finished answers are kept" in errors
    assert "Traceback" not in errors
    kept = own.one("select count(*) from results.answers where status = 'answered'")
    assert kept == len(chat.bodies) and kept >= 10
    put(own, chat, tasks=OF_THE_PAPER)
    asked = Counter(json.dumps(body) for body in chat.bodies)
    assert set(asked.values()) == {1} and len(asked) == 2 * len(stays_of_test(own))


def test_the_outbox_is_for_its_owner_alone(own: Bench, chat: Chat) -> None:
    own.warehouse.chmod(0o664)
    modes: set[int] = set()

    def reply(body: Body) -> None:
        beside = own.warehouse.parent.glob("*.outbox*")
        modes.update(path.stat().st_mode & 0o777 for path in beside)

    chat.reply = reply
    put(own, chat, stays=2)
    assert modes == {0o600}
    assert not list(own.warehouse.parent.glob("*.outbox*"))


def test_two_runs_do_not_ask_the_same_learner(own: Bench, chat: Chat) -> None:
    chat.seconds = 0.05
    process = own.start_charthouse(
        "ask", "--learner", LEARNER, "--base-url", chat.url, "--concurrency", "1",
        OPENAI_API_KEY=KEY,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not chat.bodies and time.monotonic() < deadline:
        time.sleep(0.02)
    with pytest.raises(CharthouseError, match=f"Another run is asking {LEARNER}"):
        put(own, chat)
    put(own, chat, learners=["gemma3_4b"], stays=2)  # another learner is not in the way
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    asked = Counter(json.dumps(body) for body in chat.bodies)
    assert set(asked.values()) == {1}
    assert not list(own.warehouse.parent.glob("*.outbox*"))


def test_a_picture_that_goes_away_meanwhile_ends_the_run(
    own: Bench, chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its stay would be asked without, and stand for the question with it."""
    pictures = tmp_path / "cxr"
    shutil.copytree(own.raw["CHARTHOUSE_CXR"], pictures)
    monkeypatch.setenv("CHARTHOUSE_CXR", str(pictures))

    def reply(body: Body) -> None:
        if len(chat.bodies) == 3:
            pictures.rename(tmp_path / "away")

    chat.reply = reply
    with pytest.raises(CharthouseError, match="has gone or changed since this run began"):
        put(own, chat, concurrency=1)
    kept = own.sql("select dicom_id is null, image_note from results.answers")
    assert len(kept) == len(chat.bodies) >= 3  # what had come is kept
    assert {note for absent, note in kept if absent} <= {"no X-ray in the window"}
    (tmp_path / "away").rename(pictures)
    chat.reply = lambda body: None
    put(own, chat)
    assert own.one("select count(*) from results.answers where image_note like '%missing%'") == 0


@needs_root
def test_a_disk_that_fills_up_keeps_what_came(own: Bench, chat: Chat, tmp_path: Path) -> None:
    with small_disk(tmp_path, own.warehouse.stat().st_size + 8_000_000) as small:
        shutil.copy(own.warehouse, small / "warehouse.duckdb")
        full = Bench(own.raw, small / "warehouse.duckdb", tmp_path)

        filling = threading.Lock()  # requests come side by side

        def reply(body: Body) -> None:
            with filling:  # none may be the 20th when it looks
                if len(chat.bodies) >= 20 and not (small / "filler").exists():
                    fill(small)

        chat.reply = reply
        with pytest.raises(CharthouseError) as caught:
            put(full, chat)
        assert "cannot be written" in str(caught.value) and "\n" not in str(caught.value)
        came = len(chat.bodies)
        (small / "filler").unlink()
        chat.reply = lambda body: None
        chat.bodies.clear()
        put(full, chat)
        total = full.one("select count(*) from results.answers where status = 'answered'")
        assert total == full.one("select count(*) from results.answers")
        # only what the disk could not take any more is asked again: at most what was on its way
        assert came > 8 and len(chat.bodies) <= int(str(total)) - came + 8


# Budgets


@pytest.mark.parametrize("most", [1, 7])
def test_no_more_requests_than_allowed_repetitions_included(
    own: Bench, chat: Chat, most: int
) -> None:
    chat.script(error(429, retry_after="0"))
    put(own, chat, max_requests=most, concurrency=4)
    assert len(chat.bodies) == most
    kept = own.one("select count(*) from results.answers where status = 'answered'")
    assert kept in (most - 1, most)
    chat.bodies.clear()
    put(own, chat)
    assert len(chat.bodies) == len(stays_of_test(own)) - int(str(kept))


def test_no_more_is_spent_than_allowed(own: Bench, chat: Chat) -> None:
    said = put(own, chat, learners=["gpt_4o_mini"], max_cost=0.0045, concurrency=1)
    spent = float(str(own.one("select sum(cost_usd) from results.answers")))
    asked = len(chat.bodies)
    per_question = 700 * 0.15e-6 + 2 * 0.60e-6
    assert spent == pytest.approx(asked * per_question)
    assert 0 < asked < len(stays_of_test(own)) and spent <= 0.0045
    assert f"{len(stays_of_test(own)) - asked} left" in said[-1]
    assert own.one("select finished_at is null from results.runs where kind = 'ask'")
    with pytest.raises(CharthouseError, match="llava_1_5_7b has no price"):
        put(own, chat, max_cost=1.0)


def test_never_more_at_a_time_than_allowed(own: Bench, chat: Chat) -> None:
    chat.seconds = 0.03
    put(own, chat, concurrency=5)
    assert chat.most_at_once == 5


def test_what_nobody_tells_the_price_of_is_reckoned_at_its_highest(own: Bench, chat: Chat) -> None:
    body = completion("Yes")
    del body["usage"]
    chat.reply = lambda _: answer(body)
    put(own, chat, learners=["gpt_4o_mini"], max_cost=0.0045, concurrency=1)
    spent = float(str(own.one("select sum(cost_usd) from results.answers")))
    assert 0 < len(chat.bodies) < len(stays_of_test(own)) and 0.001 < spent <= 0.0045


def test_two_learners_share_a_budget(own: Bench, chat: Chat) -> None:
    budget = len(stays_of_test(own)) + 6
    put(own, chat, learners=["llava_1_5_7b", "gemma3_4b"], max_requests=budget)
    assert len(chat.bodies) == budget
    assert own.one("select count(*) from results.answers where learner = 'gemma3_4b'") == 6


# Servers


def test_a_busy_server_is_asked_again_as_late_as_it_asks_for(own: Bench, chat: Chat) -> None:
    waits: list[float] = []
    chat.script(error(429, retry_after="3"), error(503))
    put(own, chat, concurrency=1, max_retries=5, waits=waits)
    assert waits[0] == 3.0 and len(waits) == 2
    assert own.one("select max(attempt) from results.answers") == 3
    assert own.one("select count(*) from results.answers where status = 'error'") == 0


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (error(401), "refused the key"),
        (error(404), "knows no such model"),
        (error(429, "insufficient_quota"), "quota is used up"),
    ],
)
def test_what_no_waiting_mends_ends_the_run_and_answers_are_kept(
    own: Bench, chat: Chat, response: Response, said: str
) -> None:
    chat.script(None, None, None, *[response] * 50)
    with pytest.raises(CharthouseError, match=said) as caught:
        put(own, chat, concurrency=1)
    assert "\n" not in str(caught.value) and KEY not in str(caught.value)
    assert own.sql("select status, count(*) from results.answers group by 1") == [("answered", 3)]


def test_a_server_that_answers_nothing_is_left_alone_soon(own: Bench, chat: Chat) -> None:
    chat.reply = lambda body: error(500)
    with pytest.raises(CharthouseError, match="8 questions in a row had no answer, the last") as e:
        put(own, chat, concurrency=2)
    assert SECRET not in str(e.value)
    assert len(chat.bodies) <= 2 * (8 + 4)
    assert own.one("select count(*) from results.answers where status = 'answered'") == 0


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>", "it is not JSON"),
        ({"choices": []}, "its choices.0.message is missing"),
        ({"choices": [{"index": 0}]}, "its choices.0.message is missing"),
        ({"choices": [{"message": {"content": 7}}]}, "its choices.0.message.content is no text"),
        ([1], "it is no object"),
        (b"[" * 200_000, "it is not JSON"),
    ],
)
def test_an_answer_that_cannot_be_used_is_an_error(
    own: Bench, chat: Chat, body: object, reason: str
) -> None:
    chat.script(answer(body))
    put(own, chat, concurrency=1)
    errors = own.sql("select error from results.answers where status = 'error'")
    host = f"{chat.server.host}:{chat.server.port}"
    assert errors == [(f"{host} sent an answer that cannot be used: {reason}",)]


def test_nonsense_beside_an_answer_is_left_out(own: Bench, chat: Chat) -> None:
    wild = completion("Yes", 0.7, model="served \ud800" * 100)
    wild["usage"] = {"prompt_tokens": 10**12, "completion_tokens": -1}
    top = wild["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    top += [{"token": "yes", "logprob": 1000.0}, {"token": "no", "logprob": 10**400}]
    chat.script(answer(wild))
    put(own, chat, stays=1)
    assert own.sql(
        "select status, answer, parsed, round(p_yes, 6), prompt_tokens, answer_tokens,"
        " length(resolved_model) from results.answers"
    ) == [("answered", "Yes", "yes", 0.7, None, None, 200)]


def test_a_refusal_in_a_well_formed_answer_is_an_answer(own: Bench, chat: Chat) -> None:
    refused = completion("")
    refused["choices"][0]["message"] = {"content": None, "refusal": "I cannot help with that."}
    silent = completion("")
    silent["choices"][0]["message"] = {"content": None}
    chat.script(answer(refused), answer(silent))
    put(own, chat, concurrency=1)
    assert own.sql(
        "select answer, parsed, status, p_yes from results.answers where parsed = 'none' order by 1"
    ) == [("", "none", "answered", None), ("I cannot help with that.", "none", "answered", None)]


@pytest.mark.parametrize(
    "logprobs",
    [None, {}, {"content": []}, {"content": [{}]}, {"content": [{"top_logprobs": [{"token": 1}]}]},
     {"content": [{"top_logprobs": [{"token": "Maybe", "logprob": -0.1}]}]}],
)  # fmt: skip
def test_without_log_probabilities_there_is_no_p_yes(
    own: Bench, chat: Chat, logprobs: object
) -> None:
    body = completion("Yes")
    body["choices"][0]["logprobs"] = logprobs
    chat.reply = lambda _: answer(body)
    put(own, chat, stays=2)
    assert own.sql("select distinct parsed, p_yes, yes_no_mass from results.answers") == [
        ("yes", None, None)
    ]


def test_p_yes_is_that_of_the_first_token(own: Bench, chat: Chat) -> None:
    put(own, chat)
    found = own.sql("select p_yes, parsed from results.answers")
    expected = sorted(p_yes_of(body) for body in chat.bodies)
    assert sorted(p_yes for p_yes, _ in found) == pytest.approx(expected)
    assert all((parsed == "yes") == (p_yes >= 0.5) for p_yes, parsed in found)


def test_azure_has_its_own_path_and_header(
    own: Bench, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", chat.server.url_for(""))
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    monkeypatch.setenv("AZURE_OPENAI_CHAT_DEPLOYMENT", "our-mini")
    put(own, learners=["gpt_4o_mini"], stays=3)
    assert len(chat.requests) == 3
    request = chat.requests[0]
    assert request.path == "/openai/deployments/our-mini/chat/completions"
    assert request.headers["api-key"] == KEY and "api-version" in request.args
    assert own.one("select min(model) from results.answers") == "gpt-4o-mini"


# What may leave the machine


def test_credentialed_questions_go_nowhere_unless_declared(own: Bench, chat: Chat) -> None:
    address = address_of_this_machine()
    if address is None:
        pytest.skip("this machine has no address but loopback")
    write(own, "update marts.cohort_definition set is_synthetic = false")
    with Listener(address) as listener:
        url = f"http://{address}:{listener.port}/v1"
        with pytest.raises(CharthouseError, match=r"refused, nothing was sent.*APPROVED_HOSTS="):
            put(own, base_url=url)
        assert listener.saw_nothing()
    with pytest.raises(CharthouseError, match=r"api\.openai\.com: refused, nothing was sent"):
        put(own, learners=["gpt_4o_mini"])
    assert own.one("select count(*) from results.answers") == 0
    assert own.one("select count(*) from results.sends") == 0
    put(own, chat, stays=2)  # this machine is always allowed
    assert len(chat.bodies) == 2


def test_every_request_is_logged_before_it_leaves(own: Bench, chat: Chat) -> None:
    put(own, chat)
    rows = own.sql("select host, allowed_because, items, bytes from results.sends")
    assert len(rows) == len(chat.requests)
    assert {row[:2] for row in rows} == {("127.0.0.1", "loopback")}
    sent = sorted(len(request.get_data()) for request in chat.requests)
    assert sorted(row[3] for row in rows) == sent
    assert {row[2] for row in rows} == {2, 3}  # two messages, and a picture


def test_if_it_cannot_be_logged_nothing_is_sent(
    own: Bench, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Outbox, send: Send) -> None:
        raise CharthouseError("the disk is full")

    monkeypatch.setattr(Outbox, "record", full)
    with pytest.raises(CharthouseError, match="the disk is full"):
        put(own, chat)
    assert not chat.bodies


def test_neither_key_nor_patient_shows_in_errors(own: Bench, chat: Chat) -> None:
    """Services echo both."""
    chat.script(*[error(400)] * 3)
    said = put(own, chat, concurrency=1)
    everything = " ".join(said) + json.dumps(own.sql("select error from results.answers"))
    everything += json.dumps(own.sql("select cast(counts as varchar) from results.runs"))
    assert "the service refused it (HTTP 400)" in everything
    assert KEY not in everything and SECRET not in everything and "Demographics" not in everything


# A user's mistakes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learners": []}, "Name a learner: --learner, one of gpt_4o_mini"),
        ({"learners": ["llava"]}, "Unknown learner 'llava'. Did you mean 'llava_"),
        ({"tasks": ["death"]}, "--task 'death' is none of"),
        ({"conditions": ["blank"]}, "--condition 'blank' is none of full, text_only"),
        ({"conditions": ["given[heart]"]}, "or a coalition such as given[demographics+vitals]"),
        ({"prompt": "papr"}, "--prompt 'papr': no such prompt. Known: paper"),
        ({"base_url": "ftp://127.0.0.1/"}, "must begin with https://"),
        ({"base_url": "http://127.0.0.1:99999/v1"}, "--base-url: its port is not from 1 to"),
        ({"learners": ["llava_1_5_7b", "gemma3_4b"], "model": "x"}, "Ask one at a time"),
        ({"shots": 5000}, "--shots 5000: train has too few"),
        ({"base_url": None, "model": "x"}, "Name the server too: --base-url"),
    ],
)
def test_a_mistake_is_one_line_and_asks_nothing(
    own: Bench, chat: Chat, options: dict, message: str
) -> None:
    with pytest.raises(CharthouseError) as caught:
        put(own, chat, **options)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not chat.bodies and not list(own.warehouse.parent.glob("*.outbox*"))


def test_a_dry_run_asks_and_writes_nothing(own: Bench, chat: Chat) -> None:
    before = own.contents()
    said = put(own, chat, dry_run=True, conditions=["full"])
    assert f"would put {len(stays_of_test(own))} questions to {chat.server.host}:" in said[-1]
    assert not chat.bodies and own.contents() == before


def test_a_dry_run_without_weights_fetches_nothing(
    own: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARTHOUSE_WEIGHTS", str(tmp_path))
    said = put(own, learners=["gemma3_4b"], dry_run=True)
    assert "not ready: its weights are not on this machine: hf download google/gemma" in said[-1]


def test_a_dry_run_counts_the_questions_without_a_key(
    own: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    n = 2 * len(stays_of_test(own))  # the paper's two tasks
    said = put(own, learners=["gpt_4o_mini"], tasks=(), conditions=["full"], dry_run=True)
    assert f"would put at most {n} questions, but is not ready: gpt-4o-mini needs a key" in said[-1]


def test_kept_answers_can_be_read_again_without_asking(own: Bench, chat: Chat) -> None:
    put(own, chat)
    right = answers(own)
    write(own, "update results.answers set parsed = 'none', parser_version = 0")
    chat.bodies.clear()
    said = put(own, parse_only=True)
    assert f"{len(right)} answers were read again" in said[-1]
    assert answers(own) == right and not chat.bodies
