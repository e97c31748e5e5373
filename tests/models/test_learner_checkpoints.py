"""Learners whose weights are absent, foreign, damaged or older, or too much for the memory."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench import PROJECT
from charthouse.core.errors import CharthouseError
from charthouse.models.learners import in_process
from charthouse.models.learners.base import Failed, Question, Reply
from charthouse.models.learners.in_process import InProcess
from charthouse.models.learners.registry import learner_spec
from tiny_learners import disc, one_thread, question, write_gemma3, write_llava  # noqa: F401

pytestmark = pytest.mark.usefixtures("one_thread")
LEARNER = "llava_1_5_7b"
TEXT = "Will the patient of 1 May die?"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / LEARNER
    write_llava(folder)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that a test may spoil."""
    shutil.copytree(written, tmp_path / LEARNER)
    monkeypatch.setenv("CHARTHOUSE_WEIGHTS", str(tmp_path))
    return tmp_path / LEARNER


def load(name: str = LEARNER, **options: Any) -> InProcess:
    return InProcess(learner_spec(PROJECT, name), **options)


def answer(learner: InProcess, *questions: Question) -> list[tuple[Question, Reply | Failed]]:
    return list(learner.answers(questions or [question(TEXT, disc(True, 1))]))


def refused(**options: Any) -> str:
    """What is said when nothing can be answered: one line, and nothing of the question."""
    with pytest.raises(CharthouseError) as caught:
        answer(load(**options))
    said = str(caught.value)
    assert "\n" not in said and "May" not in said
    return said


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_learner_that_is_only_served_says_how_to_reach_it() -> None:
    assert refused(name="gpt_4o_mini") == (
        "gpt_4o_mini is only served, its weights are not published: name its server by --base-url"
        " or OPENAI_BASE_URL."
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"dtype": "int8"}, "--dtype 'int8' is none of auto, float32, bfloat16, float16, 4bit."),
        ({"device": "tpu"}, "--device 'tpu' is none of cpu, cuda. Did you mean 'cpu'?"),
        (
            {"dtype": "4bit"},
            "--dtype 4bit needs a GPU: use --device cuda, or --dtype bfloat16.",
        ),
    ],
)
def test_what_cannot_be_done_is_said_before_weights_are_looked_for(
    options: dict[str, str], expected: str
) -> None:
    assert refused(**options) == expected


def test_4bit_names_the_packages_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert refused(dtype="4bit", device="cuda") == (
        "--dtype 4bit needs more packages: pip install bitsandbytes accelerate"
    )


def test_weights_that_are_not_here_are_named_with_the_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "model.safetensors").unlink()
    assert refused() == (
        f"{folder} lacks *.safetensors|*.bin. Fetch them: hf download llava-hf/llava-1.5-7b-hf"
        f" --local-dir {folder}"
    )
    monkeypatch.delenv("CHARTHOUSE_WEIGHTS")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "none"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "hf download llava-hf/llava-1.5-7b-hf" in refused()


def test_the_weights_of_another_model_are_refused(folder: Path) -> None:
    shutil.rmtree(folder)
    write_gemma3(folder)
    assert refused() == (
        f"{folder}/config.json names a model 'gemma3', but {LEARNER} is a llava. Fetch its own"
        " weights, or correct seeds/registries/learners.csv."
    )


def test_the_layout_of_llavas_own_code_is_to_be_converted(folder: Path) -> None:
    change(folder / "config.json", model_type="llava_mistral")
    assert refused().endswith(
        f"Convert it once: python -m charthouse.extras.llava_med {folder}"
        f" FOLDER/{LEARNER}; then set CHARTHOUSE_WEIGHTS=FOLDER."
    )


def test_a_config_that_is_broken_is_one_line(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    assert refused() == f"{folder}/config.json is not JSON: fetch it again."
    (folder / "config.json").write_text('{"model_type": "llava", "text_config": {"model_type": 7}}')
    assert refused().startswith(f"{folder}/config.json cannot be used (")


@pytest.mark.parametrize("name", ["tokenizer.json", "processor_config.json"])
def test_a_processor_that_is_broken_is_one_line(folder: Path, name: str) -> None:
    (folder / name).write_text("{")
    assert refused().startswith(f"The processor in {folder} cannot be loaded (")


def test_a_processor_without_pictures_or_template_is_one_line(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    assert refused() == (
        f"{folder} has no chat template: fetch chat_template.jinja or chat_template.json."
    )
    (folder / "processor_config.json").unlink()
    assert refused().startswith(f"The processor in {folder} cannot be loaded (")


def test_weights_that_are_cut_short_or_lack_a_tensor_are_one_line(folder: Path) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    path.write_bytes(path.read_bytes()[:-100])
    assert refused().startswith(f"The weights in {folder} cannot be loaded (")
    del tensors["multi_modal_projector.linear_1.weight"]
    save_file(tensors, path, {"format": "pt"})
    assert refused() == (
        f"{folder} does not fit LlavaForConditionalGeneration: it lacks"
        " model.multi_modal_projector.linear_1.weight. Fetch the weights again, with their"
        " config.json."
    )


def test_a_tokenizer_of_more_words_than_the_model_is_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    rows = {name: tensor[:300] for name, tensor in tensors.items() if len(tensor) > 300}
    assert len(rows) == 2
    save_file(tensors | rows, path, {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    change(
        folder / "config.json",
        text_config=config["text_config"] | {"vocab_size": 300, "pad_token_id": 0},
    )
    assert refused().endswith(" tokens, the model 300: fetch both again.")


def test_code_in_a_checkpoint_is_never_run(folder: Path) -> None:
    mark = folder / "it-ran"
    (folder / "own.py").write_text(f"open({str(mark)!r}, 'w')\nclass Own: pass\n")
    auto = {f"Auto{kind}": "own.Own" for kind in ("Config", "ModelForImageTextToText", "Processor",
            "ImageProcessor", "Tokenizer")}  # fmt: skip
    for name in ("config.json", "processor_config.json", "tokenizer_config.json"):
        change(folder / name, auto_map=auto | {"AutoTokenizer": [None, "own.Own"]})
    assert isinstance(answer(load())[0][1], Reply)
    assert not mark.exists()


def test_pickled_weights_are_read_as_tensors_only(folder: Path) -> None:
    before = answer(load())[0][1]
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    after = answer(load())[0][1]
    assert isinstance(before, Reply) and isinstance(after, Reply)
    assert after.p_yes == pytest.approx(before.p_yes, abs=1e-6) and after.text == before.text
    mark = folder / "it-ran"

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(mark),)

    torch.save(tensors | {"x": Bomb()}, folder / "pytorch_model.bin")
    assert refused().startswith(f"The weights in {folder} cannot be loaded (")
    assert not mark.exists()


def test_files_as_older_checkpoints_have_them(folder: Path) -> None:
    """Processor, image processor and template each in a file of its own, as on the hub today."""
    before = answer(load())[0][1]
    template = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").unlink()
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    processor = json.loads((folder / "processor_config.json").read_text())
    pixels = processor.pop("image_processor") | {"processor_class": "LlavaProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(pixels))
    (folder / "processor_config.json").write_text(json.dumps(processor))
    path = folder / "model.safetensors"
    tensors = {
        name.replace("vision_tower.", "vision_tower.vision_model."): tensor
        for name, tensor in load_file(path).items()
    }
    save_file(tensors, path, {"format": "pt"})
    after = answer(load())[0][1]
    assert isinstance(before, Reply) and isinstance(after, Reply)
    assert after.prompt_tokens == before.prompt_tokens
    assert after.p_yes == pytest.approx(before.p_yes, abs=1e-6)


def test_nothing_is_said_on_the_terminal(folder: Path) -> None:
    """In a process of its own: transformers keeps the terminal that it was imported with."""
    program = (
        "from test_learner_checkpoints import disc, load, question\n"
        "learner = load()\n"
        "asked = question('Will the patient die? ' * 300, disc(True, 1))\n"
        "assert learner.count_tokens(asked.messages, asked.picture) > 600\n"
        "print(*(reply.answer_tokens > 0 for _, reply in learner.answers([asked])))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


@pytest.mark.parametrize(
    "spoiled", ["{{ raise_exception('no system role') }}", "{%- set turn = {'content': []} -%}"]
)
def test_a_template_without_a_system_role_gets_its_text_before_the_first_users(
    folder: Path, spoiled: str
) -> None:
    path = folder / "chat_template.jinja"
    loop = "{%- for turn in messages -%}"
    condition = "{%- if turn.role == 'system' -%}" + spoiled + "{%- endif -%}"
    if "raise" not in spoiled:  # it is passed over
        loop, condition = loop.replace(" -%}", " if turn.role != 'system' -%}"), ""
    path.write_text(path.read_text().replace("{%- for turn in messages -%}", loop + condition))
    learner = load()
    asked = question(TEXT, disc(True, 1))
    assert learner.rendered(asked.messages, asked.picture) == (
        f"USER: <image>\nYou are a critical care physician.\n\n{TEXT} ASSISTANT:"
    )
    assert isinstance(answer(learner, asked)[0][1], Reply)


def test_the_context_is_the_lesser_of_seed_and_model(folder: Path) -> None:
    assert load().context_tokens == 4096  # of the seed; the model has 8,192 places
    config = json.loads((folder / "config.json").read_text())
    text = config["text_config"] | {"max_position_embeddings": 512}
    change(folder / "config.json", text_config=text)
    assert load().context_tokens == 512


def test_identity_is_of_all_that_an_answer_depends_on_and_of_nothing_else(folder: Path) -> None:
    before = load().identity()
    assert before == load(batch=7).identity()
    (folder / "README.md").write_text("other")
    assert before == load().identity()
    assert before["model"] == "llava-hf/llava-1.5-7b-hf" and before["dtype"] == "float32"
    pinned = replace(learner_spec(PROJECT, LEARNER), revision="0123abc")
    # of a folder of one's own nobody knows which revision it is
    assert InProcess(pinned).identity()["revision"] is None
    for name in ("model.safetensors", "chat_template.jinja", "generation_config.json"):
        path = folder / name
        content = path.read_bytes()
        path.write_bytes(content + b" ")
        assert before != load().identity(), name
        path.write_bytes(content)


class Short:
    """A model that fails where more is asked of it at a time than it bears."""

    def __init__(self, learner: InProcess, most: int, error: Exception) -> None:
        self.generate, self.most, self.error = learner.model.generate, most, error
        self.sizes: list[int] = []

    def __call__(self, **inputs: torch.Tensor) -> Any:
        self.sizes.append(len(inputs["input_ids"]))
        if self.sizes[-1] > self.most:
            raise self.error
        return self.generate(**inputs)


def shortened(learner: InProcess, most: int, error: Exception) -> Short:
    short = Short(learner, most, error)
    learner.model.generate = short
    return short


def many(n: int) -> Iterator[Question]:
    return (question(TEXT, disc(True, seed), str(seed)) for seed in range(n))


def test_where_memory_does_not_suffice_fewer_are_asked_together_from_then_on(folder: Path) -> None:
    learner = load(batch=8)
    short = shortened(learner, 2, torch.OutOfMemoryError("tried to allocate"))
    found = answer(learner, *many(20))
    assert [asked.key for asked, _ in found] == list(map(str, range(20)))
    assert all(isinstance(reply, Reply) for _, reply in found)
    assert short.sizes == [8, 4, 2, 2, 4, 2, 2] + [2] * 6
    expected = answer(load(), *many(20))
    for (_, one), (_, other) in zip(found, expected, strict=True):
        assert isinstance(one, Reply) and isinstance(other, Reply)
        assert one.p_yes == pytest.approx(other.p_yes, abs=1e-5)


def test_one_question_too_large_fails_alone_and_many_end_the_run(folder: Path) -> None:
    learner = load(batch=2)
    shortened(learner, 0, torch.OutOfMemoryError("tried to allocate"))
    found = []
    with pytest.raises(CharthouseError) as caught:
        for _, outcome in learner.answers(many(99)):
            found.append(outcome)
    assert len(found) == in_process.MOST_FAILURES
    assert all(isinstance(each, Failed) and each.reason == "out of memory" for each in found)
    assert str(caught.value).startswith("8 questions in a row had no answer, the last because: out")
    cpu = RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to")
    learner = load()
    shortened(learner, 0, cpu)
    assert answer(learner, *many(1))[0][1].reason == "out of memory"  # type: ignore[union-attr]


def test_a_question_that_breaks_the_model_is_a_row_and_says_nothing_of_itself(folder: Path) -> None:
    learner = load(batch=4)
    generate = learner.model.generate

    def breaks(**inputs: torch.Tensor) -> Any:
        lengths = inputs["attention_mask"].sum(1)
        if lengths.max() > 100:
            raise ValueError(f"cannot answer: {TEXT}")
        return generate(**inputs)

    learner.model.generate = breaks
    long = question(TEXT * 9, disc(True, 1), "long")
    found = dict((asked.key, outcome) for asked, outcome in answer(learner, *many(3), long))
    failed = found.pop("long")
    assert isinstance(failed, Failed) and failed.reason == "the model failed (ValueError)"
    assert len(found) == 3 and all(isinstance(each, Reply) for each in found.values())
    assert learner._batch == 4  # more memory would not help
