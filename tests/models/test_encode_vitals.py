"""MOMENT and the GRU: what they read, what they give, and what they must not learn."""

import copy
import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from bench import PROJECT
from charthouse.core.errors import CharthouseError
from charthouse.models.encoders import gru as gru_module
from charthouse.models.encoders import moment as moment_module
from charthouse.models.encoders.base import Context, Events, NothingToFit, Stay
from charthouse.models.encoders.gru import FOLDS, Gru, fold_of, rotation
from charthouse.models.encoders.moment import SEQ_LEN, Moment
from charthouse.models.encoders.registry import encoder_class, encoder_spec, why_not_ready
from charthouse.models.training import reproducible
from tiny_checkpoints import write_moment

VITAL_SIGNS = (
    *("heart_rate", "respiratory_rate", "spo2", "nbp_systolic", "nbp_diastolic", "nbp_mean"),
    *("abp_systolic", "abp_diastolic", "abp_mean", "gcs_eye", "gcs_verbal", "gcs_motor"),
    "temperature",
)
WINDOW = {"window_start_hours": 0, "window_end_hours": 24}
BOUND = 1e-5  # on single numbers of a vector; they are of the order of 1


# ---------------------------------------------------------------------------------------- MOMENT

OTHERS = {
    "narrow, one layer": {"d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 1, "num_heads": 2},
    "heads wider than the model": {"d_model": 24, "d_kv": 16, "num_layers": 2, "num_heads": 3},
    "deep, few distances": {"num_layers": 4, "relative_attention_num_buckets": 8},
}


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where MOMENT looks for its weights; empty."""
    monkeypatch.setenv("CHARTHOUSE_WEIGHTS", str(tmp_path))
    folder = tmp_path / "moment"
    folder.mkdir()
    return folder


@pytest.fixture
def tiny(weights: Path) -> Path:
    return write_moment(weights)


def moment(bins: int = 24, variables: dict[str, Any] = WINDOW) -> Moment:
    context = Context(
        encoder_spec(PROJECT, "moment"),
        variables=variables,
        channels=VITAL_SIGNS,
        bins=bins,
    )
    encoder = Moment(context)
    encoder.load()
    return encoder


def walks(bins: int, stays: int = 6) -> np.ndarray:
    """Grids [stays, 13, bins] about 80, with decimals; no series is constant."""
    steps = np.random.default_rng(bins).normal(size=(stays, len(VITAL_SIGNS), bins))
    return (80 + 20 * steps.cumsum(axis=-1) / np.sqrt(bins)).astype(np.float32)


def with_grids(grids: np.ndarray) -> list[Stay[np.ndarray]]:
    return [Stay(100 + place, place, "test", grid) for place, grid in enumerate(grids)]


def padded_embed(
    encoder: Moment, grids: np.ndarray, dtype: torch.dtype = torch.float32
) -> np.ndarray:
    """What momentfm gives for the grids at the end of 512 steps, with the mask, all 64 patches."""
    model = copy.deepcopy(encoder._model).to(dtype)
    series = torch.zeros(*grids.shape[:2], SEQ_LEN, dtype=dtype)
    series[..., -grids.shape[2] :] = torch.from_numpy(grids.copy())
    mask = torch.zeros(len(grids), SEQ_LEN)
    mask[:, -grids.shape[2] :] = 1
    with torch.inference_mode():
        return model.embed(x_enc=series, input_mask=mask, reduction="mean").embeddings.numpy()


@pytest.mark.parametrize("bins", [8, 20, 24, 48, 512])
def test_observed_patches_alone_give_what_momentfm_gives(tiny: Path, bins: int):
    encoder, grids = moment(bins), walks(bins)
    vectors = encoder.encode(with_grids(grids)).vectors
    assert vectors.shape == (6, 32) and vectors.dtype == np.float32
    assert np.abs(vectors - padded_embed(encoder, grids)).max() < BOUND
    assert np.ptp(vectors, axis=0).max() > 0.1  # the bound means something


@pytest.mark.parametrize("t5", OTHERS.values(), ids=list(OTHERS))
def test_so_they_do_for_other_sizes_of_the_model(weights: Path, t5: dict[str, int]):
    write_moment(weights, **t5)
    for bins in (20, 24, 48, 512):
        encoder, grids = moment(bins), walks(bins, stays=2)
        difference = encoder.encode(with_grids(grids)).vectors - padded_embed(encoder, grids)
        assert np.abs(difference).max() < BOUND


CHARTED = WINDOW | {"moment_input": "charted", "imputation": "forward_backward"}


def charted(rows: int, seed: int = 0) -> Events:
    """Every vital sign but the last at some of the times, the first twice at one of them."""
    rng = np.random.default_rng(seed)
    hours = np.sort(rng.choice(24 * 60, rows, replace=False)) / 60
    at, variable = np.nonzero(rng.random((rows, len(VITAL_SIGNS) - 1)) < 0.4)
    at, variable = np.append(at, [*range(rows), 0]), np.append(variable, [0] * rows + [0])
    value = (80 + 20 * rng.normal(size=len(at))).astype(np.float32)
    order = np.argsort(at, kind="stable")
    return Events(hours[at][order].astype(np.float32), variable[order].astype(np.int16), value)


def as_the_papers_code_fills(events: Events) -> np.ndarray:
    """[13, rows]: a row a time, forward, then backward; what was never measured at any constant."""
    frame = pd.DataFrame(vars(events)).groupby(["hours", "variable"])["value"].mean().unstack()
    filled = frame.reindex(columns=range(len(VITAL_SIGNS))).ffill().bfill().fillna(97.88)
    return filled.to_numpy().T


@pytest.mark.parametrize("rows", [8, 13, 24, 97, 512])
def test_charted_rows_give_what_bare_momentfm_gives(tiny: Path, rows: int):
    events = charted(rows)
    series = as_the_papers_code_fills(events)
    assert series.shape == (13, rows)
    (vector,) = moment(variables=CHARTED).encode([Stay(1, 1, "test", events)]).vectors
    bare = padded_embed(moment(), series[None], torch.float64)
    assert np.abs(vector - bare).max() < BOUND


def test_charted_rows_of_stays_of_any_length_do_not_touch_each_other(tiny: Path):
    stays = [Stay(n, n, "test", charted(n, seed=n)) for n in (30, 1, 9, 600, 30 + 1, 8, 2)]
    together = moment(variables=CHARTED).encode(stays)
    assert together.stay_ids.tolist() == [stay.stay_id for stay in stays]
    for stay, vector in zip(stays, together.vectors, strict=True):
        (alone,) = moment(variables=CHARTED).encode([stay]).vectors
        assert np.isfinite(vector).all() and np.abs(vector - alone).max() < BOUND


def test_of_too_many_rows_the_last_are_read_and_too_few_are_repeated_in_front(tiny: Path):
    many, few = charted(600), charted(3)
    filled = [as_the_papers_code_fills(many)[:, -512:], as_the_papers_code_fills(few)]
    filled[1] = np.concatenate([np.repeat(filled[1][:, :1], 5, axis=1), filled[1]], axis=1)
    for events, series in zip((many, few), filled, strict=True):
        (vector,) = moment(variables=CHARTED).encode([Stay(1, 1, "test", events)]).vectors
        bare = padded_embed(moment(), series[None], torch.float64)
        assert np.abs(vector - bare).max() < BOUND
    # momentfm itself gives NaN where no patch is full
    assert np.isnan(padded_embed(moment(), filled[1][None, :, :7])).all()


def test_charted_rows_are_filled_backward_or_not_at_all(tiny: Path):
    spec = encoder_spec(PROJECT, "moment")
    for imputation in ("forward", "none"):
        of_cohort = Context(spec, CHARTED | {"imputation": imputation}, VITAL_SIGNS, bins=600)
        with pytest.raises(CharthouseError, match="set imputation to forward_backward") as error:
            Moment(of_cohort).load()
        assert why_not_ready(of_cohort) == str(error.value) and "\n" not in str(error.value)
    assert Moment.unsuited(Context(spec, CHARTED, VITAL_SIGNS, bins=600)) is None


def test_the_two_inputs_never_share_a_vector(tiny: Path):
    charted_rows, hourly = moment(variables=CHARTED), moment()
    assert (charted_rows.reads, hourly.reads) == ("events", "grid")
    assert charted_rows.settings() != hourly.settings()


def test_a_series_that_never_changes_is_no_signal(tiny: Path):
    encoder, grids = moment(), walks(24)
    grids[:, 6:9] = 98.6  # never measured: the train median in every bin
    vectors = encoder.encode(with_grids(grids)).vectors
    # in float32 momentfm itself is off by a rounding error divided by 1e-5
    assert np.abs(vectors - padded_embed(encoder, grids, torch.float64)).max() < BOUND
    grids[:, 6:9] = 77.3
    assert np.abs(vectors - encoder.encode(with_grids(grids)).vectors).max() < BOUND


def test_bins_before_the_first_full_patch_count_in_the_scale_alone(tiny: Path):
    encoder, grids = moment(20), walks(20)
    swapped = grids.copy()
    swapped[..., :4] = grids[..., 3::-1]  # same mean and deviation, another shape
    vectors = [encoder.encode(with_grids(each)).vectors for each in (grids, swapped)]
    assert np.abs(vectors[0] - vectors[1]).max() < BOUND
    swapped[..., :4] += 30
    assert np.abs(vectors[0] - encoder.encode(with_grids(swapped)).vectors).max() > 0.01


def test_decimals_are_kept(tiny: Path):
    grids = np.full((1, 13, 24), 98.6, np.float32)
    grids[..., ::2] = 98.2
    encoder = moment()
    vectors = encoder.encode(with_grids(grids)).vectors
    assert np.abs(vectors - padded_embed(encoder, grids, torch.float64)).max() < BOUND
    whole = encoder.encode(with_grids(np.trunc(grids))).vectors
    assert np.abs(vectors - whole).max() > 0.01


def test_moment_gives_a_stay_the_same_vector_in_any_batch(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
):
    grids = walks(24, stays=9)
    grids[4] = grids[2]
    grids[:, 3] = 118.0
    stays = with_grids(grids)
    together = moment().encode(stays)
    assert together.stay_ids.tolist() == [stay.stay_id for stay in stays]
    assert np.array_equal(together.vectors[4], together.vectors[2])
    monkeypatch.setitem(moment_module.TOKENS, "cpu", 2 * 13 * 3)
    in_pairs = moment().encode(stays[::-1])
    assert in_pairs.stay_ids.tolist() == together.stay_ids[::-1].tolist()
    assert np.abs(in_pairs.vectors[::-1] - together.vectors).max() < BOUND


@pytest.mark.parametrize(("bins", "wrong"), [(7, "needs 8"), (513, "reads 512 at most")])
def test_a_window_that_does_not_suit_moment_is_refused(weights: Path, bins: int, wrong: str):
    with pytest.raises(CharthouseError) as error:
        moment(bins)
    assert wrong in str(error.value) and "window_end_hours" in str(error.value)
    assert "\n" not in str(error.value)
    of_cohort = Context(encoder_spec(PROJECT, "moment"), {}, bins=bins)
    assert why_not_ready(of_cohort) == str(error.value)  # and not that its weights are absent


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_empty_cell_is_refused(tiny: Path, value: float):
    grids = walks(24)
    grids[3, 5, 7] = value
    with pytest.raises(CharthouseError, match="set imputation to forward") as error:
        moment().encode(with_grids(grids))
    assert "\n" not in str(error.value)


def test_absent_weights_say_how_to_get_them(weights: Path):
    spec = encoder_spec(PROJECT, "moment")
    for step in (Moment(Context(spec, variables=WINDOW)).fingerprint, moment):
        with pytest.raises(CharthouseError) as error:
            step()
        assert f"hf download {spec.hub_id} --revision {spec.revision}" in str(error.value)
        assert "\n" not in str(error.value)


def test_weights_that_do_not_fit_are_refused(tiny: Path):
    path = tiny / "config.json"
    config = json.loads(path.read_text())
    for changed, wrong in (
        (config | {"patch_stride_len": 4}, "patch_stride_len"),
        (config | {"t5_config": config["t5_config"] | {"num_layers": 3}}, "lacks"),
        (config | {"t5_config": config["t5_config"] | {"num_layers": 1}}, "has no use for"),
    ):
        path.write_text(json.dumps(changed))
        with pytest.raises(CharthouseError, match=wrong) as error:
            moment()
        assert "\n" not in str(error.value)


def test_a_bin_file_gives_the_same_as_safetensors(tiny: Path):
    stays = with_grids(walks(24))
    encoder = moment()
    expected, fingerprint = encoder.encode(stays).vectors, encoder.fingerprint()
    from safetensors.torch import load_file

    torch.save(load_file(tiny / "model.safetensors"), tiny / "pytorch_model.bin")
    (tiny / "model.safetensors").unlink()
    assert np.array_equal(moment().encode(stays).vectors, expected)
    assert moment().fingerprint() != fingerprint


def test_loading_moment_is_quiet(tiny: Path, capfd: pytest.CaptureFixture):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        moment().encode(with_grids(walks(24)))
    assert capfd.readouterr() == ("", "")


def test_damaged_weights_give_no_vector(tiny: Path):
    encoder = moment()
    encoder._model.encoder.final_layer_norm.weight.data[0] = torch.nan
    with pytest.raises(CharthouseError, match="no numbers"):
        encoder.encode(with_grids(walks(24)))


# ------------------------------------------------------------------------------------------- GRU


def cohort(stays: int, seed: int = 0) -> list[Stay[Events]]:
    """Stays whose heart rate and breathing tell something of the label, and of some patients two.

    40 % train, 20 % validation, 40 % test, by patient.
    """
    random = np.random.default_rng(seed)
    made: list[Stay[Events]] = []
    for number in range(stays):
        patient = number - 1 if number % 7 == 6 else number
        steps = random.integers(3, 9)
        hours = np.sort(random.uniform(0, 24, steps)).astype(np.float32)
        severity = random.normal()
        values = 80 + 10 * random.normal(size=(steps, 13))
        values[:, 0] += 8 * severity
        values[:, 1] += 8 * severity * hours / 24
        measured = random.random((steps, 13)) < 0.6
        measured[0, 0] = True
        step, variable = np.nonzero(measured)
        made.append(
            Stay(
                stay_id=30_000_000 + number,
                subject_id=10_000_000 + patient,
                split=("train", "validation", "test", "train", "test")[patient % 5],
                content=Events(
                    hours[step],
                    variable.astype(np.int16),
                    values[measured].astype(np.float32),
                ),
                label=int(random.random() < 1 / (1 + np.exp(-2.4 * severity))),
            )
        )
    return made


def gru(task: str = "in_hospital_mortality", seed: int = 0, epochs: int | None = None) -> Gru:
    encoder = Gru(
        Context(
            encoder_spec(PROJECT, "gru"),
            variables=WINDOW,
            channels=VITAL_SIGNS,
            task=task,
            seed=seed,
        )
    )
    if epochs is not None:
        encoder._recipe = replace(encoder._recipe, epochs=epochs)
    return encoder


def of(stays: Sequence[Stay], *splits: str) -> list[Stay]:
    return [stay for stay in stays if stay.split in splits]


def labels(stays: Sequence[Stay]) -> np.ndarray:
    return np.array([stay.label for stay in stays])


@pytest.fixture(scope="module")
def stays() -> list[Stay[Events]]:
    return cohort(200)


@pytest.fixture(scope="module")
def learned(stays: list[Stay[Events]]) -> dict[str, np.ndarray]:
    """Of a short fit; never changed by a test."""
    return gru(epochs=2).fit(of(stays, "train", "validation"))


@pytest.fixture
def fitted(learned: dict[str, np.ndarray]) -> Gru:
    encoder = gru(epochs=2)
    encoder.restore(learned)
    return encoder


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(one[name], other[name]) for name in one
    )


def test_what_is_learned_are_plain_arrays(learned: dict[str, np.ndarray]):
    assert all(isinstance(array, np.ndarray) for array in learned.values())
    assert {array.dtype.kind for array in learned.values()} == {"f"}
    networks = {name.partition(".")[0] for name in learned} - {"mean", "deviation"}
    assert networks == {"final", *(f"fold{fold}" for fold in range(FOLDS))}
    assert learned["final.projection.weight"].shape == (1024, 64)
    assert learned["final.gru.weight_ih_l0"].shape == (3 * 64, 27)
    json.dumps(gru().settings())


def test_the_fit_depends_on_the_stays_and_the_seed_alone(
    stays: list[Stay[Events]], learned: dict[str, np.ndarray]
):
    given = of(stays, "train", "validation")
    torch.manual_seed(123)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    shuffled = [given[place] for place in np.random.default_rng(1).permutation(len(given))]
    assert same(gru(epochs=2).fit(iter(shuffled)), learned)
    assert torch.equal(torch.get_rng_state(), before)
    torch.set_num_threads(threads + 1)
    try:
        assert same(gru(epochs=2).fit(given), learned)
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
    assert not same(gru(epochs=2, seed=1).fit(given), learned)


def test_restoring_and_encoding_leave_the_random_state_alone(
    stays: list[Stay[Events]], learned: dict[str, np.ndarray]
):
    before = torch.get_rng_state()
    encoder = gru(epochs=2)
    encoder.restore(learned)
    encoder.encode(stays)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_last_real_step_is_read_and_no_padding(fitted: Gru, stays: list[Stay[Events]]):
    short = stays[2]
    hours = np.linspace(0, 23.9, 300, dtype=np.float32)
    long = replace(
        stays[3],
        content=Events(hours, np.zeros(300, np.int16), np.full(300, 120, np.float32)),
    )
    alone = fitted.encode([short]).vectors[0]
    beside = fitted.encode([long, short, long]).vectors[1]
    assert np.abs(alone - beside).max() < BOUND
    # and it is the last: a change there is seen
    value = short.content.value.copy()
    value[-1] += 60
    changed = replace(short, content=replace(short.content, value=value))
    assert np.abs(alone - fitted.encode([changed]).vectors[0]).max() > 1e-3


def test_the_gru_gives_a_stay_the_same_vector_in_any_batch(
    fitted: Gru, stays: list[Stay[Events]], monkeypatch: pytest.MonkeyPatch
):
    together = fitted.encode(stays)
    assert together.stay_ids.tolist() == [stay.stay_id for stay in stays]
    assert together.vectors.shape == (200, 1024) and together.vectors.dtype == np.float32
    monkeypatch.setattr(gru_module, "ENCODE_BATCH", 3)
    backwards = fitted.encode(stays[::-1])
    assert backwards.stay_ids.tolist() == together.stay_ids[::-1].tolist()
    assert np.abs(backwards.vectors[::-1] - together.vectors).max() < BOUND


def test_steps_hold_the_last_value_what_was_measured_and_the_time(fitted: Gru):
    fitted._mean, fitted._deviation = np.full(13, 100.0), np.full(13, 10.0)
    events = Events(
        hours=np.array([0, 6, 6, 6, 12], np.float32),
        variable=np.array([2, 0, 0, 1, 2], np.int16),
        value=np.array([98.6, 110, 130, 90, 100.5], np.float32),
    )
    steps = fitted._sequence(events).numpy()
    assert steps.dtype == np.float32 and steps.shape == (3, 27)
    expected = np.zeros((3, 27))
    expected[:, 0] = 0, 2, 2  # 0 before the first; charted twice: the mean of 110 and 130
    expected[:, 1] = 0, -1, -1
    expected[:, 2] = -0.14, -0.14, 0.05
    expected[0, 13 + 2] = expected[1, 13 + 0] = expected[1, 13 + 1] = expected[2, 13 + 2] = 1
    expected[:, 26] = 0, 0.25, 0.5
    assert np.allclose(steps, expected, atol=1e-6)


def test_values_are_standardised_on_the_train_split(
    stays: list[Stay[Events]], learned: dict[str, np.ndarray]
):
    train = [stay.content for stay in of(stays, "train")]
    variable = np.concatenate([events.variable for events in train])
    value = np.concatenate([events.value for events in train])
    for place in range(13):
        own = value[variable == place]
        assert learned["mean"][place] == pytest.approx(own.mean(), rel=1e-5)
        assert learned["deviation"][place] == pytest.approx(own.std(), rel=1e-5)


def test_a_stay_without_events_is_skipped(fitted: Gru, stays: list[Stay[Events]]):
    nothing = Events(np.empty(0, np.float32), np.empty(0, np.int16), np.empty(0, np.float32))
    empty = replace(stays[0], content=nothing)
    encoded = fitted.encode([empty, stays[1]])
    assert encoded.stay_ids.tolist() == [stays[1].stay_id]
    assert [(skip.stay_id, skip.item, skip.reason) for skip in encoded.skipped] == [
        (empty.stay_id, None, "no vital sign in the window")
    ]
    assert len(fitted.encode([empty]).stay_ids) == 0


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (lambda stay: stay.split != "train", "the train split holds no stay"),
        (lambda stay: stay.split != "validation", "the validation split holds no stay"),
        (lambda stay: stay.split != "train" or stay.label == 0, "only stays with label 0"),
        (lambda stay: stay.split != "validation" or stay.label == 1, "only stays with label 1"),
        (
            lambda stay: stay.split != "train" or stay.label == 0 or fold_of(stay.subject_id) == 2,
            "without fold 2 of patients holds only stays with label 0",
        ),
    ],
    ids=["no train", "no validation", "train of one class", "validation of one class", "fold"],
)
def test_too_little_to_fit_is_said(
    stays: list[Stay[Events]], keep: Callable[[Stay], bool], message: str
):
    given = [stay for stay in of(stays, "train", "validation") if keep(stay)]
    with pytest.raises(NothingToFit, match=message):
        gru().fit(given)


def test_stays_without_a_label_are_encoded_but_not_fitted(stays: list[Stay[Events]]):
    given = of(stays, "train", "validation")
    unlabelled = [replace(stay, label=None) for stay in cohort(30, seed=5)]
    more = [*unlabelled, *(replace(stay, stay_id=stay.stay_id + 1000) for stay in given)]
    one, other = gru(epochs=1).fit(given), gru(epochs=1).fit(more)
    assert same(one, other)
    encoder = gru()
    encoder.restore(one)
    assert len(encoder.encode(unlabelled).stay_ids) == 30


@pytest.mark.parametrize("size", [1, 7])
def test_a_last_batch_of_one_row_is_trained_on(size: int, stays: list[Stay[Events]]):
    encoder = gru(epochs=1)
    encoder._recipe = replace(encoder._recipe, batch=size)
    train = of(stays, "train")
    given = [*train[: len(train) // 7 * 7 - 6], *of(stays, "validation")]
    batches = gru_module.shuffled_batches(
        [torch.zeros(len(stay.content.hours), 1) for stay in given if stay.split == "train"],
        size,
        torch.Generator().manual_seed(0),
    )
    assert min(map(len, batches)) == 1
    assert sorted(np.concatenate(batches)) == list(range(len(given) - len(of(given, "validation"))))
    encoder.restore(encoder.fit(given))
    assert np.isfinite(encoder.encode(given).vectors).all()


def test_the_best_weights_are_kept_and_not_the_last(
    stays: list[Stay[Events]], learned: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
):
    losses = iter([0.5, 0.4, 0.6, 0.45, 0.41, 0.1])  # three without a new best, and it stops
    seen: list[np.ndarray] = []

    def scripted(network: gru_module.Network, rows: gru_module.Rows) -> float:
        seen.append(network.score.weight.detach().numpy().copy())
        return next(losses)

    encoder = gru()
    encoder._mean, encoder._deviation = learned["mean"], learned["deviation"]
    rows = encoder._rows(of(stays, "train"))
    monkeypatch.setattr(gru_module, "validation_loss", scripted)
    with reproducible("cpu"):
        network = gru_module.train(encoder._new_network(), rows, rows, encoder._recipe, seed=0)
    assert len(seen) == 5
    kept = network.score.weight.detach().numpy()
    assert np.array_equal(kept, seen[1])
    assert not any(np.array_equal(kept, other) for other in (seen[0], *seen[2:]))
    assert not network.training


@pytest.fixture(scope="module")
def overtrained() -> tuple[Gru, list[Stay[Events]], np.ndarray]:
    """A GRU that knows its train stays by heart, its cohort, and the weights of its score."""
    stays = cohort(700, seed=1)
    encoder = gru(epochs=15)
    falling = iter(range(0, -10_000, -1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gru_module, "validation_loss", lambda network, rows: next(falling))
        learned = encoder.fit(of(stays, "train", "validation"))
    encoder.restore(learned)
    return encoder, stays, learned["final.score.weight"][0]


def test_train_stays_are_encoded_as_if_they_were_new(overtrained):
    encoder, stays, weight = overtrained
    train, test = of(stays, "train"), of(stays, "test")

    def auroc(scored: Sequence[Stay]) -> float:
        return float(roc_auc_score(labels(scored), encoder.encode(scored).vectors @ weight))

    by_the_final_network = auroc([replace(stay, split="validation") for stay in train])
    assert by_the_final_network > auroc(test) + 0.12
    assert auroc(train) == pytest.approx(auroc(test), abs=0.06)


def test_a_regression_on_train_vectors_means_the_same_on_test_vectors(overtrained):
    encoder, stays, weight = overtrained
    train, test = of(stays, "train"), of(stays, "test")
    vectors = encoder.encode(test).vectors
    own = roc_auc_score(labels(test), vectors @ weight)
    scale = StandardScaler().fit(encoder.encode(train).vectors)
    fitted = LogisticRegression(C=0.01, max_iter=2000)
    fitted.fit(scale.transform(encoder.encode(train).vectors), labels(train))
    scores = fitted.decision_function(scale.transform(vectors))
    assert roc_auc_score(labels(test), scores) > own - 0.03


def test_folds_are_turned_onto_the_final_network(overtrained, monkeypatch: pytest.MonkeyPatch):
    encoder, stays, _ = overtrained
    test = of(stays, "test")
    final = encoder.encode(test).vectors

    def explained() -> float:
        by_folds = encoder.encode([replace(stay, split="train") for stay in test]).vectors
        return 1 - np.square(by_folds - final).sum() / np.square(final - final.mean(axis=0)).sum()

    turned = explained()
    as_it_is = torch.cat([torch.eye(64), torch.zeros(1, 64)]).double()
    monkeypatch.setattr(encoder, "_maps", [as_it_is] * FOLDS)
    assert turned > 0.8
    assert 1 - turned < 0.7 * (1 - explained())


def test_a_rotation_is_found_and_nothing_else_is_fitted():
    random = torch.Generator().manual_seed(0)
    source = torch.randn(500, 64, generator=random, dtype=torch.float64)
    turned, _ = torch.linalg.qr(torch.randn(64, 64, generator=random, dtype=torch.float64))
    found = rotation(source, source @ turned + 3)
    assert (found[:-1] - turned).abs().max() < 1e-2  # the preference for no turn
    assert (found[-1] - 3).abs().max() < 1e-2
    noise = rotation(source, torch.randn(500, 64, generator=random))
    for each in (found, noise, rotation(source[:5], source[:5])):
        assert (each[:-1] @ each[:-1].T - torch.eye(64)).abs().max() < 1e-9
    few = rotation(source[:5], source[:5] + 1)
    assert (few[:-1] - torch.eye(64)).abs().max() < 1e-9


def test_every_task_has_a_recipe():
    assert gru("icu_stay_over_3_days").settings()["layers"] == 2
    assert gru("in_hospital_mortality").settings()["layers"] == 3
    assert gru("sepsis3").settings()["layers"] == 3
    assert encoder_class("gru") is Gru and encoder_class("moment") is Moment


def test_folds_are_of_patients_and_even():
    folds = np.array([fold_of(subject) for subject in range(10_000_000, 10_005_000)])
    assert np.bincount(folds).min() > 900 and set(folds) == set(range(FOLDS))
