"""Questions to learners behind a server: what is asked, and what a row keeps of it."""

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from asking import LEARNER, MORTALITY, OF_THE_PAPER, put, stays_of_test, write
from bench import PROJECT, Bench
from charthouse.core.errors import CharthouseError
from charthouse.jobs.ask.prompt import read_prompt
from charthouse.models.learners.registry import family_of, learner_specs
from fake_chat import Chat, picture_of, text_of

# What is asked


def test_each_test_stay_is_asked_once_and_its_row_tells_all(own: Bench, chat: Chat) -> None:
    said = put(own, chat)
    stays = stays_of_test(own)
    assert [row[0] for row in own.sql("select stay_id from results.answers order by 1")] == stays
    assert len(chat.bodies) == len(stays)
    assert f"{len(stays)} asked" in said[-1]
    (row,) = own.sql(
        "select count(*), count(distinct question_hash), min(model), min(resolved_model),"
        " min(status), min(prompt), min(prompt_version), count(p_yes), min(attempt), max(attempt),"
        " min(prompt_tokens), max(answer_tokens), count(cost_usd), min(condition),"
        " count(parsed) filter (parsed in ('yes', 'no')), min(endpoint), min(yes_no_mass)"
        " from results.current_answers"
    )
    n = len(stays)
    assert row[:5] == (n, n, "llava-hf/llava-1.5-7b-hf", "served-model-2026", "answered")
    assert row[5:14] == ("paper", "1", n, 1, 1, 700, 2, 0, "full")
    assert row[14:16] == (n, chat.url.removeprefix("http://").removesuffix("/v1"))
    assert row[16] == pytest.approx(0.98)
    run = own.sql("select finished_at is not null, counts, settings, kind, name from results.runs")
    assert len(run) == 1 and run[0][0] and run[0][3:] == ("ask", LEARNER)
    assert json.loads(run[0][1])["asked"] == n


def test_the_request_is_the_papers_question_greedy_with_the_picture_first(
    own: Bench, chat: Chat
) -> None:
    put(own, chat)
    profiles = {
        profile: (stay_id, has_image)
        for stay_id, profile, has_image in own.sql(
            "select stay_id, profile, latest_dicom_id is not null from marts.patient_profiles"
            " inner join marts.cohort using (stay_id) where split = 'test'"
        )
    }
    pictures = 0
    for body in chat.bodies:
        assert body["temperature"] == 0 and body["max_tokens"] == 32
        assert body["logprobs"] is True and body["top_logprobs"] == 20
        system, user = body["messages"]
        assert system == {"role": "system", "content": "You are a critical care physician."}
        found = re.fullmatch(
            "Based on the information collected during current ICU stay, (.*). Question: Will the"
            r" patient die during current hospital admission\? Answer the question using only yes"
            r" or no\.",
            text_of(body),
            flags=re.DOTALL,
        )
        assert found
        _, has_image = profiles.pop(found[1])
        picture = picture_of(body)
        assert (picture is not None) == has_image
        if picture is not None:
            pictures += 1
            assert user["content"][0]["type"] == "image_url"
            assert picture.mode == "L" and picture.size == (32, 32)  # as the file: never enlarged
    assert not profiles and 0 < pictures < len(chat.bodies)


def test_without_a_picture_it_is_asked_without_and_the_row_says_so(
    own: Bench, chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None in the window; a file that is missing; one that is no picture."""
    pictures = tmp_path / "cxr"
    shutil.copytree(own.raw["CHARTHOUSE_CXR"], pictures)
    monkeypatch.setenv("CHARTHOUSE_CXR", str(pictures))
    shown = own.sql(
        "select cohort.stay_id, path from marts.cohort inner join marts.patient_profiles"
        " using (stay_id) inner join marts.chest_xrays as images on images.stay_id = cohort.stay_id"
        " and dicom_id = latest_dicom_id where split = 'test' order by 1"
    )
    (gone, gone_path), (spoilt, spoilt_path) = shown[:2]
    (pictures / gone_path).unlink()
    (pictures / spoilt_path).write_bytes(b"not a picture")
    write(own, "update marts.cohort_definition set is_synthetic = false")  # else it is another's
    put(own, chat, conditions=["full", "blank_image"])
    notes = dict(
        own.sql("select stay_id, image_note from results.answers where condition = 'full'")
    )
    assert notes[gone] == "the file is missing"
    assert notes[spoilt] == "the file is neither a JPEG nor a PNG"
    assert Counter(notes.values())["no X-ray in the window"] == len(stays_of_test(own)) - len(shown)
    assert Counter(notes.values())[None] == len(shown) - 2
    assert (
        own.one(
            "select count(*) from results.answers where status = 'answered'"
            " and image_note is not null and (image_hash is not null or dicom_id is not null)"
        )
        == 0
    )
    # a control that needs the picture has no answer, and was never sent
    controls = dict(
        own.sql("select stay_id, error from results.answers where condition = 'blank_image'")
    )
    assert set(controls) == {stay_id for stay_id, _ in shown}
    assert controls[gone] == "its picture cannot be shown: the file is missing"
    # once the file is there it is asked about anew, and only it
    shutil.copy(Path(own.raw["CHARTHOUSE_CXR"]) / gone_path, pictures / gone_path)
    chat.bodies.clear()
    put(own, chat, conditions=["full"])
    assert len(chat.bodies) == 1 and picture_of(chat.bodies[0]) is not None


def test_if_no_picture_is_there_at_all_nothing_is_asked(
    own: Bench, chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARTHOUSE_CXR", str(tmp_path / "unmounted"))
    with pytest.raises(CharthouseError, match=r"None of the \d+ X-rays is there.*CHARTHOUSE_CXR"):
        put(own, chat)
    assert not chat.bodies


def test_stays_that_are_alike_are_asked_one_by_one(own: Bench, chat: Chat) -> None:
    write(
        own,
        "update marts.patient_profiles as profiles set latest_dicom_id = null,"
        " profile = one.profile, sections = one.sections"
        " from (from marts.patient_profiles order by stay_id limit 1) as one",
    )
    put(own, chat)
    stays = stays_of_test(own)
    assert len(chat.bodies) == len(stays) and len({text_of(body) for body in chat.bodies}) == 1
    assert own.one("select count(distinct question_hash) from results.answers") == len(stays)


# Conditions


def test_each_control_shows_what_its_name_says(own: Bench, chat: Chat) -> None:
    put(own, chat, conditions=["full", "text_only", "image_only", "blank_image", "other_image"])
    own_picture = dict(
        own.sql("select stay_id, image_hash from results.answers where condition = 'full'")
    )
    with_picture = {stay_id for stay_id, found in own_picture.items() if found}
    rows = own.sql(
        "select condition, answers.stay_id, subject_id, answers.dicom_id, image_hash, image_note"
        " from results.answers inner join marts.cohort using (stay_id)"
    )
    subject_of = {
        dicom_id: subject_id
        for _, _, subject_id, dicom_id, _, _ in rows
        if dicom_id is not None and _is_own(own, dicom_id, subject_id)
    }
    by_condition: dict[str, list[tuple]] = {}
    for condition, *rest in rows:
        by_condition.setdefault(condition, []).append(tuple(rest))
    for condition in ("text_only", "image_only", "blank_image", "other_image"):
        assert {row[0] for row in by_condition[condition]} == with_picture
    assert {row[3:] for row in by_condition["text_only"]} == {(None, "withheld")}
    assert all(own_picture[row[0]] == row[3] for row in by_condition["image_only"])
    assert {row[2] for row in by_condition["blank_image"]} == {None}
    assert len({row[3] for row in by_condition["blank_image"]}) == 1
    for stay_id, subject_id, dicom_id, image_hash, _ in by_condition["other_image"]:
        assert subject_of[dicom_id] != subject_id and image_hash != own_picture[stay_id]
    blank = [
        picture
        for body in chat.bodies
        if (picture := picture_of(body)) and np.ptp(np.asarray(picture)) == 0
    ]
    assert len(blank) == len(with_picture) and blank[0].getpixel((0, 0)) == 128
    bare = [body for body in chat.bodies if "Demographics" not in text_of(body)]
    assert len(bare) == len(with_picture) and all(picture_of(body) for body in bare)
    assert text_of(bare[0]).startswith(
        "Based on the information collected during current ICU stay."
    )


def _is_own(bench: Bench, dicom_id: str, subject_id: int) -> bool:
    return bool(
        bench.one(
            f"select count(*) from marts.chest_xrays inner join marts.cohort using (stay_id)"
            f" where dicom_id = '{dicom_id}' and subject_id = {subject_id}"
        )
    )


SENTENCE = "- The uploaded image is the most recent chest X-ray image."


def test_the_sentence_on_the_picture_goes_with_a_picture_and_only_with_one(
    own: Bench, chat: Chat
) -> None:
    """As in the paper's template; examples are without pictures, and so without the sentence."""
    write(
        own,
        "update marts.patient_profiles set sections = list_append(sections, {'section': 'image',"
        f" 'heading': 'Chest X-Ray Images:', 'lines': [{{'hours': null, 'text': '{SENTENCE}'}}]}})"
        " where latest_dicom_id is not null",
    )
    conditions = ["full", "text_only", "image_only", "blank_image", "other_image"]
    put(own, chat, conditions=conditions, shots=2)
    asked = Counter(
        (picture_of(body) is not None, SENTENCE in text_of(body)) for body in chat.bodies
    )
    with_picture = own.one(
        "select count(*) from marts.patient_profiles inner join marts.cohort using (stay_id)"
        " where split = 'test' and latest_dicom_id is not null"
    )
    assert asked == {
        (True, True): 4 * with_picture,
        (False, False): len(chat.bodies) - 4 * with_picture,
    }
    for body in chat.bodies:
        assert SENTENCE not in json.dumps(body["messages"][:-1])


@pytest.mark.parametrize(
    ("detail", "pixels", "tokens"), [("low", 512, 2833), ("high", 1000, 2833 + 2 * 5667)]
)
def test_gpt_4o_is_told_how_closely_to_look_and_no_other_learner_is(
    own: Bench, chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    detail: str, pixels: int, tokens: int,
) -> None:  # fmt: skip
    """By the setting image_detail; what is sent is no larger than what is looked at."""
    for path in Path(own.raw["CHARTHOUSE_CXR"]).rglob("*.jpg"):
        large = tmp_path / "cxr" / path.relative_to(own.raw["CHARTHOUSE_CXR"])
        large.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.new("L", (1000, 500), 80).save(large)
    monkeypatch.setenv("CHARTHOUSE_CXR", str(tmp_path / "cxr"))
    write(
        own,
        "update marts.cohort_definition set is_synthetic = false,"
        " variables = json_merge_patch(variables,"
        f' \'{{"image_detail": "{detail}"}}\')',
    )
    for learner in ("gpt_4o_mini", LEARNER):
        put(own, chat, learners=[learner], conditions=["image_only"])
    told = Counter()
    for body in chat.bodies:
        [shown] = [
            part["image_url"] for part in body["messages"][-1]["content"] if "text" not in part
        ]
        told[body["model"], shown.get("detail"), picture_of(body).size] += 1
    n = len(chat.bodies) // 2
    gpt, llava = (learner_specs(PROJECT)[name].hub_id for name in ("gpt_4o_mini", LEARNER))
    assert told == {
        (gpt, detail, (pixels, pixels // 2)): n,
        (llava, None, (672, 336)): n,
    }
    settings = dict(own.sql("select name, settings ->> 'image_detail' from results.runs"))
    assert settings == {"gpt_4o_mini": detail, LEARNER: None}
    family = family_of(learner_specs(PROJECT)["gpt_4o_mini"]).at_detail(detail)
    assert family.picture_tokens(1000, 500) == tokens


def test_another_detail_is_another_question(own: Bench, chat: Chat) -> None:
    put(own, chat, learners=["gpt_4o_mini"], conditions=["image_only"])
    n = len(chat.bodies)
    write(
        own,
        "update marts.cohort_definition set variables = json_merge_patch(variables,"
        ' \'{"image_detail": "low"}\')',
    )
    put(own, chat, learners=["gpt_4o_mini"], conditions=["image_only"])
    assert len(chat.bodies) == 2 * n
    put(own, chat, learners=["gpt_4o_mini"], conditions=["image_only"])
    assert len(chat.bodies) == 2 * n
    assert own.one("select count(distinct fingerprint) from results.answers") == 2


def test_shapley_asks_all_sixteen_coalitions_of_complete_stays(own: Bench, chat: Chat) -> None:
    put(own, chat, shapley=3, conditions=["text_only"], stays=5)
    sampled = {
        stay_id
        for stay_id, n in own.sql(
            "select stay_id, count(distinct condition) from results.answers group by 1"
        )
        if n == 16
    }
    assert len(sampled) == 3
    assert (
        own.one(
            f"select count(*) from marts.cohort where stay_id in {tuple(sampled)}"
            " and split = 'test' and has_vitals and has_image and has_text"
        )
        == 3
    )
    told = {
        (part in text, has_picture)
        for part in ("Demographics:", "Vital signs", "Radiology reports")
        for text, has_picture in [
            (text_of(body), picture_of(body) is not None) for body in chat.bodies
        ]
    }
    assert told == {(True, True), (True, False), (False, True), (False, False)}
    nothing = [
        body
        for body in chat.bodies
        if text_of(body).startswith(
            "Based on the information collected during current ICU stay. Question:"
        )
        and picture_of(body) is None
    ]
    assert len(nothing) == 3


def grouped(bench: Bench, *groups: str) -> None:
    """As a build with these shapley_groups leaves the warehouse."""
    patch = json.dumps({"shapley_groups": groups})
    change = (
        f"update marts.cohort_definition set variables = json_merge_patch(variables, '{patch}')"
    )
    write(bench, change)


def test_sections_are_told_and_withheld_by_groups_and_answers_serve_every_grouping(
    own: Bench, chat: Chat
) -> None:
    grouped(own, "demographics+text", "vitals", "image")
    put(own, chat, shapley=3)
    asked = {"given[]", "given[vitals]", "image_only", "given[demographics+text]", "text_only",
             "given[vitals+image]", "given[demographics+image+text]", "full"}  # fmt: skip
    of_stays = own.sql("select list(condition) from results.answers group by stay_id")
    assert len(of_stays) == 3
    assert all(len(of_stay) == 8 and {*of_stay} == asked for (of_stay,) in of_stays)
    for text in map(text_of, chat.bodies):
        assert ("Demographics:" in text) == ("Radiology reports" in text)
    run = json.loads(str(own.one("select settings from results.runs where kind = 'ask'")))
    assert {*run["conditions"]} == asked
    # each section by itself: of the 16 sets, 8 are answered
    grouped(own, "demographics", "vitals", "image", "text")
    put(own, chat, shapley=3)
    assert len(chat.bodies) == 3 * 16
    # and under any grouping there is then nothing to ask
    for groups in (("text+image", "vitals+demographics"), ("demographics", "vitals+text", "image")):
        grouped(own, *groups)
        put(own, chat, shapley=3)
    assert len(chat.bodies) == 3 * 16


def test_examples_come_from_train_with_their_outcomes(own: Bench, chat: Chat) -> None:
    put(own, chat, shots=4, stays=3)
    settings = json.loads(str(own.one("select settings from results.runs where kind = 'ask'")))
    drawn = [shot["stay_id"] for shot in settings["shots"]]
    outcomes = dict(
        own.sql(
            "select stay_id, label from marts.labels inner join marts.cohort using (stay_id)"
            f" where task = '{MORTALITY}' and split = 'train' and stay_id in {tuple(drawn)}"
        )
    )
    assert len(drawn) == len(outcomes) == 4 and sum(outcomes.values()) == 2
    for body in chat.bodies:
        roles = [message["role"] for message in body["messages"]]
        assert roles == ["system", *["user", "assistant"] * 4, "user"]
        said = [message["content"] for message in body["messages"][2:-1:2]]
        assert said == ["Yes" if outcomes[stay_id] else "No" for stay_id in drawn]
    # other examples are other questions
    chat.bodies.clear()
    put(own, chat, shots=2, stays=3)
    assert len(chat.bodies) == 3


def test_what_does_not_fit_loses_its_oldest_lines_and_the_row_counts_them(
    own: Bench, chat: Chat, project: Path
) -> None:
    stay_id, profile = own.sql(
        "select stay_id, profile from marts.patient_profiles"
        " inner join marts.cohort using (stay_id)"
        " where split = 'test' order by length(profile) desc, stay_id limit 1"
    )[0]
    seed = (project / "seeds/registries/learners.csv").read_text()
    rewritten = seed.replace("Llama 2 community licence,4096", "Llama 2 community licence,1400")
    assert rewritten != seed
    (project / "seeds/registries/learners.csv").write_text(rewritten)
    said = put(own, chat, project=project)
    dropped, status = own.sql(
        f"select dropped, status from results.answers where stay_id = {stay_id}"
    )[0]
    assert dropped > 0 and status == "answered" and "shortened" in said[-1]
    lines = profile.splitlines()
    sent = max(map(text_of, chat.bodies), key=lambda text: sum(line in text for line in lines))
    kept = [line for line in lines if line.startswith("- ") and line in sent]
    lost = [line for line in lines if line.startswith("- ") and line not in sent]
    assert lost and len(kept) > 0

    def hours(line: str) -> float:
        return float(line.split()[1])

    assert max(map(hours, lost)) <= min(map(hours, kept))

    # where nothing is left to drop there is no answer, and nothing is sent
    (project / "seeds/registries/learners.csv").write_text(
        seed.replace("licence,4096", "licence,60")
    )
    write(own, "delete from results.answers")
    chat.bodies.clear()
    put(own, chat, project=project)
    fates = own.sql("select distinct status, error from results.answers")
    assert fates == [("error", "it does not fit into the context")] and not chat.bodies


# Pages


def test_the_page_on_adding_a_learner_does_what_it_says(
    own: Bench, chat: Chat, tmp_path: Path
) -> None:
    page = (PROJECT / "docs/how-to/add-a-learner.md").read_text()
    row, module = (re.search(rf"```{kind}\n(.*?)```", page, re.S)[1] for kind in ("csv", "python"))
    clone = tmp_path / "clone"
    for name in ("python", "profiles", "seeds"):
        shutil.copytree(PROJECT / name, clone / name)
    shutil.copy(PROJECT / "dbt_project.yml", clone)
    with (clone / "seeds/registries/learners.csv").open("a") as seed:
        seed.write(row)
        seed.write(row.replace("llava_1_5_13b,llava", "squarish,square"))
    (clone / "python/charthouse/models/learners/square.py").write_text(module)
    own.project = clone
    own.environment["PYTHONPATH"] = str(clone / "python")
    commands = re.findall(r"^charthouse (.*)$", page, re.M)
    for command in [*commands, commands[0].replace("llava_1_5_13b", "squarish")]:
        words = command.replace("http://127.0.0.1:8000/v1", chat.url).split()
        done = own.charthouse(*words)
        assert done.returncode == 0, done.stderr
        assert f"would put {2 * len(stays_of_test(own))} questions to" in done.stdout


def test_the_pages_on_learners_do_what_they_say(own: Bench, chat: Chat, tmp_path: Path) -> None:
    specs = learner_specs(PROJECT)
    listed = (PROJECT / "docs/reference/learners.md").read_text()
    named = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| `.*$", listed, re.M)))
    assert set(specs) <= set(named)
    families = {spec.family for spec in specs.values()}
    assert families <= set(named)
    page = (PROJECT / "docs/how-to/ask-learners.md").read_text()
    put(own, chat, conditions=["full", "text_only"])
    query = re.search(r"```sql\n(.*?)```", page, re.S)[1]
    rows = own.sql(query)
    assert sum(row[3] for row in rows) == own.one("select count(*) from results.answers")
    for command in re.findall(r"^charthouse ask ([^#\n]*)", page, re.M):
        words = command.replace("http://127.0.0.1:8000/v1", chat.url).split()
        if "--base-url" not in words:  # those in process need weights: asked of the server here
            words += ["--base-url", chat.url]
        done = own.charthouse("ask", *words, "--dry-run")
        assert done.returncode == 0, done.stderr
        assert "would put" in done.stdout


FURTHER = ("invasive_ventilation", "sepsis3", "sepsis3_onset")


def asked_about(bench: Bench) -> list[str]:
    return [row[0] for row in bench.sql("select distinct task from results.answers order by 1")]


def test_unless_tasks_are_named_the_papers_two_are_asked(own: Bench, chat: Chat) -> None:
    """A further task must not cost anybody unasked."""
    said = put(own, chat, tasks=(), stays=3)
    assert asked_about(own) == sorted(OF_THE_PAPER)
    assert f"  not asked unless named by --task, or by --all-tasks: {', '.join(FURTHER)}" in said
    write(own, "update seeds.tasks set asked_by_default = task = 'sepsis3'")
    put(own, chat, tasks=(), stays=3)
    assert asked_about(own) == sorted([*OF_THE_PAPER, "sepsis3"])
    write(own, "update seeds.tasks set asked_by_default = false")
    with pytest.raises(CharthouseError, match=r"No task is asked by default \(.*--all-tasks\.$"):
        put(own, chat, tasks=(), stays=3)
    with pytest.raises(CharthouseError, match="--task and --all-tasks contradict each other"):
        put(own, chat, all_tasks=True)


def test_a_default_task_that_the_cohort_lacks_is_named(own: Bench, chat: Chat) -> None:
    """As after a build with another los_threshold_days."""
    write(own, "update marts.labels set task = 'stay_over_7' where task = 'icu_stay_over_3_days'")
    said = put(own, chat, tasks=(), stays=3)
    assert "  not asked, no task of this cohort: icu_stay_over_3_days" in said
    assert asked_about(own) == [MORTALITY]


def test_examples_of_a_task_that_is_not_asked_may_be_too_few(own: Bench, chat: Chat) -> None:
    write(own, "update marts.labels set label = 0 where task = 'sepsis3_onset' and label = 1")
    put(own, chat, shots=2, stays=3)
    assert asked_about(own) == [MORTALITY]
    with pytest.raises(CharthouseError, match="train has too few stays of both outcomes of sepsis"):
        put(own, chat, tasks=["sepsis3_onset"], shots=2, stays=3)


def test_a_task_without_a_question_is_named_and_the_others_are_asked(
    own: Bench, chat: Chat
) -> None:
    """As after a build with another los_threshold_days."""
    write(own, "update marts.labels set task = 'stay_over_7' where task = 'icu_stay_over_3_days'")
    said = put(own, chat, tasks=(), all_tasks=True, stays=3)
    without = "  not asked, without a question: icu_mortality, readmission_30d, stay_over_7. W"
    assert any(line.startswith(without) for line in said)
    assert asked_about(own) == [MORTALITY, *FURTHER]
    with pytest.raises(CharthouseError, match=r"No question is known for stay_over_7\. Write one"):
        put(own, chat, tasks=["stay_over_7"])


GOOD = {"version": '"2"', "system": '"Be brief."', "user": '"{profile} {question}"',
        "without_profile": '"{question}"'}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": "two"}, "is not TOML"),
        ({"system": "3"}, "'system' is missing, or no text"),
        ({"user": '" "'}, "'user' is missing, or no text"),
        ({"user": '"{profile} {question"'}, "'user' has a single brace; write it twice"),
        ({"without_profile": '"{profile} {question}"'},
         "'without_profile' must hold {question}, and nothing else in braces"),
        ({"temperature": '"0"'}, "'temperature' is none of version, system"),
    ],
)  # fmt: skip
def test_a_prompt_that_would_not_ask_what_it_should_is_one_line(
    tmp_path: Path, change: dict[str, str], said: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("\n".join(f"{field} = {text}" for field, text in (GOOD | change).items()))
    with pytest.raises(CharthouseError, match=re.escape(said)) as caught:
        read_prompt(str(path))
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
