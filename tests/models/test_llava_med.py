"""LLaVA-Med as published, for LLaVA's own code, becomes one that transformers reads."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers.utils import sentencepiece_model_pb2_new

from bench import PROJECT
from charthouse.core.errors import CharthouseError
from charthouse.extras.llava_med.__main__ import main
from charthouse.extras.llava_med.convert import convert
from charthouse.models.checkpoints import import_transformers
from charthouse.models.learners.base import Message, Reply
from charthouse.models.learners.in_process import InProcess
from charthouse.models.learners.registry import learner_spec
from tiny_learners import disc, one_thread, question, write_llava  # noqa: F401

pytestmark = pytest.mark.usefixtures("one_thread")

CONFIG = {
    "architectures": ["LlavaMistralForCausalLM"],
    "model_type": "llava_mistral",
    "hidden_act": "silu",
    "image_aspect_ratio": "pad",
    "mm_hidden_size": 128,
    "mm_projector_type": "mlp2x_gelu",
    "mm_use_im_patch_token": False,
    "mm_use_im_start_end": False,
    "mm_vision_select_feature": "patch",
    "mm_vision_select_layer": -2,
    "mm_vision_tower": "openai/clip-vit-large-patch14-336",
    "rope_theta": 250_000.0,
    "sliding_window": None,
    "tokenizer_model_max_length": 2048,
    "torch_dtype": "float32",
}
TEXT = "heart rate 88. Will the patient die?"


class Published:
    """A small checkpoint in that layout, and the model whose tensors it holds."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.hf = folder / "published", folder / "hf"
        self.model = write_llava(self.hf, text_model="mistral", heads=2)
        config = self.model.config.text_config
        config.rope_parameters["rope_theta"] = CONFIG["rope_theta"]
        self.model = type(self.model)(self.model.config).eval()
        self.model.load_state_dict(
            import_transformers()
            .LlavaForConditionalGeneration.from_pretrained(self.hf)
            .state_dict()
        )
        self.words = config.vocab_size - 5  # without <pad>, <image> and rows of no token
        self.folder.mkdir()
        names = (
            "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
            "num_attention_heads", "num_key_value_heads", "max_position_embeddings", "rms_norm_eps",
        )  # fmt: skip
        sizes = {name: getattr(config, name) for name in names} | {"vocab_size": self.words}
        (self.folder / "config.json").write_text(json.dumps(CONFIG | sizes))
        self.write_tokenizer()
        tensors = {self.renamed(name): tensor for name, tensor in load_file(
            self.hf / "model.safetensors").items()}  # fmt: skip
        for name in ("model.embed_tokens.weight", "lm_head.weight"):
            tensors[name] = tensors[name][: self.words].contiguous()
        names = sorted(tensors)
        for number, part in enumerate((names[::2], names[1::2]), 1):
            path = self.folder / f"model-0000{number}-of-00002.safetensors"
            save_file({name: tensors[name] for name in part}, path, {"format": "pt"})

    def write_tokenizer(self) -> None:
        vocabulary = json.loads((self.hf / "tokenizer.json").read_text())
        vocabulary["added_tokens"] = [
            each
            for each in vocabulary["added_tokens"]
            if each["content"] not in ("<pad>", "<image>")
        ]
        (self.folder / "tokenizer.json").write_text(json.dumps(vocabulary))
        settings = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "legacy": True,
                    "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
                    "pad_token": "<unk>", "model_max_length": 2048}  # fmt: skip
        (self.folder / "tokenizer_config.json").write_text(json.dumps(settings))

    @staticmethod
    def renamed(name: str) -> str:
        for new, old in (
            ("language_model.model.", "model."), ("language_model.lm_head.", "lm_head."),
            ("multi_modal_projector.linear_1.", "model.mm_projector.0."),
            ("multi_modal_projector.linear_2.", "model.mm_projector.2."),
            ("vision_tower.", "model.vision_tower.vision_tower.vision_model."),
        ):  # fmt: skip
            if name.startswith(new):
                return old + name.removeprefix(new)
        raise AssertionError(name)

    def logits(self, inputs: dict[str, torch.Tensor], image: int) -> torch.Tensor:
        """What the model says to what the converted one is asked."""
        ids = inputs["input_ids"]
        ids = ids.where(ids != image, self.model.config.image_token_id)
        with torch.inference_mode():
            return self.model(**inputs | {"input_ids": ids}).logits[:, -1, : self.words]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Published:
    return Published(tmp_path_factory.mktemp("llava-med"))


@pytest.fixture
def source(whole: Published, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return shutil.copytree(whole.folder, tmp_path / "published")


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHARTHOUSE_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights/llava_med"


def load() -> InProcess:
    return InProcess(learner_spec(PROJECT, "llava_med"))


def rewrite(folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, Any]]) -> None:
    for path in folder.glob("*.safetensors"):
        save_file(change(load_file(path)), path, {"format": "pt"})


def assert_same(whole: Published, learner: InProcess) -> None:
    for asked in (question(TEXT, disc(True, 1)), question(TEXT)):
        inputs = learner.prepare([asked])
        with torch.inference_mode():
            found = learner.model(**inputs).logits[:, -1]
        expected = whole.logits(inputs, learner.model.config.image_token_id)
        assert torch.allclose(found[:, : whole.words], expected, atol=1e-5)
        assert found[:, whole.words :].max() < expected.max()  # a new token is never the answer


def test_the_converted_model_says_what_the_published_one_says(
    whole: Published, source: Path, target: Path
) -> None:
    convert(source, target)
    learner = load()
    assert_same(whole, learner)
    reply = next(iter(learner.answers([question(TEXT, disc(True, 1))])))[1]
    assert isinstance(reply, Reply) and reply.p_yes is not None
    assert learner.context_tokens == 4096
    config = learner.model.config
    assert config.vision_config.num_attention_heads == 2 and config.vision_feature_layer == -2
    assert config.text_config.rope_parameters["rope_theta"] == 250_000


def test_a_question_is_cut_into_the_tokens_that_llavas_own_code_cuts_it_into(
    source: Path, target: Path
) -> None:
    """That code cuts the text at <image>, and each piece by itself."""
    convert(source, target)
    learner = load()
    shot = (Message("user", "A?"), Message("assistant", "No"))
    asked = question(TEXT, disc(True, 1))
    messages = (asked.messages[0], *shot, asked.messages[1])
    system = "[INST] <<SYS>>\nYou are a critical care physician.\n<</SYS>>\n\n"
    assert learner.rendered(messages, asked.picture) == (
        f"<s>{system}A? [/INST] No </s>[INST] <image>\n{TEXT} [/INST]"
    )
    tokenizer = learner.processor.tokenizer
    before, after = (
        tokenizer.encode(piece, add_special_tokens=False) for piece in (system, f"\n{TEXT} [/INST]")
    )
    picture = [learner.model.config.image_token_id] * 16
    ids = learner.prepare([asked])["input_ids"][0].tolist()
    assert ids == [tokenizer.bos_token_id, *before, *picture, *after]


def test_a_tokenizer_of_sentencepiece_alone_cuts_words_alike(
    source: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the checkpoint is published: tokenizer.model, and no tokenizer.json."""
    convert(source, target)
    asked = question(
        "Will the patient of age 88 die? \u00e9 [x]\n\nYes or no: " + TEXT, disc(True, 1)
    )
    expected = load().prepare([asked])["input_ids"]
    pieces = json.loads((source / "tokenizer.json").read_text())["model"]["vocab"]
    (source / "tokenizer.json").unlink()
    model = sentencepiece_model_pb2_new.ModelProto()
    for place, piece in enumerate(sorted(pieces, key=pieces.get)):
        model.pieces.add(piece=piece, score=-place)
    (source / "tokenizer.model").write_bytes(model.SerializeToString())
    monkeypatch.setenv("CHARTHOUSE_WEIGHTS", str(tmp_path / "again"))
    convert(source, tmp_path / "again/llava_med")
    assert torch.equal(load().prepare([asked])["input_ids"], expected)


def test_the_whole_picture_is_seen_on_a_square_of_the_mean_colour(
    source: Path, target: Path
) -> None:
    convert(source, target)
    wide = PIL.Image.fromarray(np.tile(np.arange(80, dtype=np.uint8) * 3, (40, 1)))
    square = PIL.Image.new("RGB", (80, 80), (122, 116, 104))
    square.paste(wide.convert("RGB"), (0, 20))
    clip = import_transformers().CLIPImageProcessorPil(
        size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}
    )
    expected = clip(square, return_tensors="pt")["pixel_values"]
    found = load().prepare([question(TEXT, wide)])["pixel_values"]
    assert torch.allclose(found, expected, atol=1e-6)


def test_without_a_vision_tower_clips_is_asked_for_and_taken(
    whole: Published, source: Path, target: Path, tmp_path: Path
) -> None:
    towers: dict[str, torch.Tensor] = {}

    def without_tower(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        for name in [name for name in tensors if "vision_tower" in name]:
            towers[name.removeprefix("model.vision_tower.vision_tower.")] = tensors.pop(name)
        return tensors

    rewrite(source, without_tower)
    with pytest.raises(CharthouseError) as caught:
        convert(source, target)
    assert str(caught.value) == (
        f"{source} holds no vision tower. Give a folder with openai/clip-vit-large-patch14-336:"
        " --clip FOLDER."
    )
    assert not target.exists()
    clip = tmp_path / "clip"
    clip.mkdir()
    others = {"text_model.x": torch.ones(2), "logit_scale": torch.ones(1),
              "vision_model.embeddings.position_ids": torch.arange(17)}  # fmt: skip
    torch.save(towers | others, clip / "pytorch_model.bin")
    convert(source, target, clip)
    assert_same(whole, load())


def test_clips_tower_comes_before_the_checkpoints_own(
    whole: Published, source: Path, target: Path, tmp_path: Path
) -> None:
    clip = tmp_path / "clip"
    clip.mkdir()
    prefix = "model.vision_tower.vision_tower."
    towers = {
        name.removeprefix(prefix): tensor
        for path in source.glob("*.safetensors")
        for name, tensor in load_file(path).items()
        if name.startswith(prefix)
    }
    save_file(towers, clip / "model.safetensors")
    rewrite(source, lambda tensors: {
        name: torch.zeros_like(tensor) if name.startswith(prefix) else tensor
        for name, tensor in tensors.items()
    })  # fmt: skip
    convert(source, target, clip)
    assert_same(whole, load())
    index = json.loads((target / "model.safetensors.index.json").read_text())["weight_map"]
    written = [
        (name, path.name) for path in target.glob("*.safetensors") for name in load_file(path)
    ]
    assert sorted(written) == sorted(index.items())  # nothing twice, nothing elsewhere


def test_weights_of_the_older_form_and_half_precision(
    whole: Published, source: Path, target: Path
) -> None:
    for path in source.glob("*.safetensors"):
        halves = {name: tensor.bfloat16() for name, tensor in load_file(path).items()}
        torch.save(halves, path.with_suffix(".bin"))
        path.unlink()
    config = json.loads((source / "config.json").read_text()) | {"torch_dtype": "bfloat16"}
    (source / "config.json").write_text(json.dumps(config))
    convert(source, target)
    written = load_file(target / "model-00001.safetensors")
    assert {tensor.dtype for tensor in written.values()} == {torch.bfloat16}
    assert json.loads((target / "config.json").read_text())["dtype"] == "bfloat16"
    inputs = load().prepare([question(TEXT, disc(True, 1))])
    found = load().model(**inputs).logits[:, -1, : whole.words]
    expected = whole.logits(inputs, load().model.config.image_token_id)
    assert torch.nn.functional.cosine_similarity(found, expected) > 0.999


@pytest.mark.parametrize(
    ("name", "value", "known"),
    [
        ("mm_projector_type", "linear", "mlp2x_gelu"),
        ("mm_use_im_start_end", True, "False"),
        ("mm_patch_merge_type", "spatial_unpad", "flat"),
    ],
)
def test_what_cannot_be_converted_is_said(
    source: Path, target: Path, name: str, value: object, known: str
) -> None:
    config = json.loads((source / "config.json").read_text()) | {name: value}
    (source / "config.json").write_text(json.dumps(config))
    with pytest.raises(CharthouseError) as caught:
        convert(source, target)
    assert str(caught.value) == (
        f"{source}/config.json: {name} is {value}, and only {known} can be converted."
    )


def test_another_layout_a_target_that_is_there_and_broken_files_are_one_line(
    whole: Published, source: Path, target: Path
) -> None:
    def said(source: Path, target: Path) -> str:
        with pytest.raises(CharthouseError) as caught:
            convert(source, target)
        return str(caught.value)

    assert "names a model 'llava', not llava_mistral" in said(whole.hf, target)
    assert said(source, source) == f"{source} exists: name a new folder."
    (source / "tokenizer.json").write_text("{")
    assert said(source, target).startswith(f"The tokenizer in {source} cannot be loaded (")
    (source / "tokenizer.json").unlink()
    (source / "tokenizer.model").write_bytes(b"")
    assert said(source, target).startswith(f"The tokenizer in {source} cannot be loaded (")
    assert not list(target.parent.glob("*"))  # nothing half written is left


def test_the_command(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["llava_med", str(source), str(target)])
    main()
    assert capsys.readouterr().out == (
        f"{target} is written. Set CHARTHOUSE_WEIGHTS={target.parent}\n"
    )
    assert load().count_tokens(question(TEXT).messages, None) > 10
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == f"charthouse: {target} exists: name a new folder."
    monkeypatch.setattr("sys.argv", ["llava_med", str(source), "/dev/null/here"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert str(caught.value.code).startswith("charthouse: /dev/null/here cannot be written: ")
