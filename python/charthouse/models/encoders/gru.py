"""A GRU trained on a time series of the cohort, for each task anew.

The paper's recurrent baseline (Yu et al.; Cho et al. 2014, EMNLP): standardised values, a mask of
what was measured, relative time; a binary cross-entropy. Its last hidden state goes through a
projection to 1,024 that is trained with it; what comes out of the projection is the embedding.

A network remembers the stays that it was trained on: its own score of those is too good, and a
logistic regression that is fitted on such features trusts them too much. So no stay of the train
split goes through a recurrent network that has seen its patient (through the projection of one it
does, see below):

- patients are dealt into 5 folds by a hash; for each fold a network is trained on the others;
- a train stay is encoded by the network of its patient's fold, any other stay by the final
  network, which is trained on the whole train split.

The 64 numbers of two networks' hidden states do not mean the same, even when both start from the
same weights, and a regression fitted on the one can be nonsense on the other. Each fold's hidden
states are therefore turned onto the final network's, by the rotation and shift that fit best on the
stays that both were trained on (orthogonal Procrustes: Schoenemann 1966, Psychometrika); the final
network's projection does the rest for all. Not by a regression: the final network has seen every
label, and regressing onto it hands them on (synthetic demo, in-hospital mortality, AUROC within
folds: 0.72 by the fold networks themselves and by rotation, 0.77 by ridge regression).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from charthouse.models.encoders.base import (
    Context,
    Encoded,
    Events,
    FittedEncoder,
    NothingToFit,
    Skipped,
    Stay,
)
from charthouse.models.encoders.charted_rows import charted_rows
from charthouse.models.training import early_stopping, reproducible


@dataclass(frozen=True)
class Recipe:
    """What the paper's code tunes for each task."""

    layers: int
    batch: int
    epochs: int  # at most


RECIPES = {
    "in_hospital_mortality": Recipe(layers=3, batch=32, epochs=50),
    "icu_stay_over_3_days": Recipe(layers=2, batch=64, epochs=20),
}
"""By task; the others are trained like mortality."""

HIDDEN = 64
DROPOUT = 0.25
LEARNING_RATE = 1e-3
CLIP = 1.0
PATIENCE = 3
FOLDS = 5
PRIOR = 1e-3  # of the mean variance of a hidden unit
ENCODE_BATCH = 256


class Network(nn.Module):
    """GRU, projection and score."""

    def __init__(self, inputs: int, layers: int, dimension: int) -> None:
        super().__init__()
        self.gru = nn.GRU(inputs, HIDDEN, layers, dropout=DROPOUT if layers > 1 else 0.0)
        self.projection = nn.Linear(HIDDEN, dimension)
        self.dropout = nn.Dropout(DROPOUT)
        self.score = nn.Linear(dimension, 1)

    def hidden(self, sequences: PackedSequence) -> torch.Tensor:
        """The top layer's state [stays, 64] at the last real step of each."""
        _, last = self.gru(sequences)
        return last[-1]

    def embed(self, hidden: torch.Tensor) -> torch.Tensor:
        """The embedding [stays, dimension] of hidden states."""
        return nn.functional.gelu(self.projection(hidden))

    def forward(self, sequences: PackedSequence) -> torch.Tensor:
        """Logits [stays]."""
        return self.score(self.dropout(self.embed(self.hidden(sequences)))).squeeze(-1)


class Gru(FittedEncoder[Events]):
    """A time series as it was charted, one step for each time at which anything was measured.

    A step holds, for each variable, the last value so far (standardised on the train split; 0,
    its mean, before the first) and whether it was measured then; and the hours since intime over
    the length of the window, negative before intime: 27 numbers for the 13
    vital signs.

    Reproducible: on a CPU the fit runs on one thread, and what it learns depends on the stays and
    the seed alone: neither on the order of stays, the number of threads, nor the state of torch's
    global generator, which is left as it was. Another version of torch or another kind of processor
    may round differently, and a GPU gives no such promise. Vectors of a stay encoded in other
    batches agree within 1e-5, not bit for bit.

    Validation decides when to stop; without it nothing would, so a cohort without is not fitted.
    """

    reads = "events"
    per_task = True
    fits_on = ("train", "validation")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._recipe = RECIPES.get(context.task or "", RECIPES["in_hospital_mortality"])
        self._window = float(
            context.variables["window_end_hours"] - context.variables["window_start_hours"]
        )

    def settings(self) -> dict[str, Any]:
        """Whatever changes the vectors besides the stays."""
        return {
            "layers": self._recipe.layers,
            "batch": self._recipe.batch,
            "epochs": self._recipe.epochs,
            "hidden": HIDDEN,
            "dropout": DROPOUT,
            "learning_rate": LEARNING_RATE,
            "clip": CLIP,
            "patience": PATIENCE,
            "folds": FOLDS,
            "alignment": "rotation",
            "window_hours": self._window,
            "seed": self.context.seed,
        }

    def fit(self, stays: Iterable[Stay[Events]]) -> dict[str, np.ndarray]:
        """Trains the final network and one for each fold.

        Returns:
            mean and deviation [variables]; weights as final.<name> and fold<k>.<name>; fold<k>.map
            [65, 64], from a fold's hidden state and 1 to the final one.

        Raises:
            NothingToFit: train or validation holds no stay, or of one class only.
        """
        known = [stay for stay in stays if stay.label is not None and len(stay.content.hours)]
        known.sort(key=lambda stay: stay.stay_id)
        by_split = {
            split: [stay for stay in known if stay.split == split] for split in self.fits_on
        }
        for split, members in by_split.items():
            self._require_both_classes(members, f"the {split} split")
        train = by_split["train"]
        folds = np.array([fold_of(stay.subject_id) for stay in train])
        for fold in range(FOLDS):
            seen = [stay for stay, own in zip(train, folds, strict=True) if own != fold]
            self._require_both_classes(seen, f"the train split without fold {fold} of patients")

        self._mean, self._deviation = self._scale(train)
        rows, validation = self._rows(train), self._rows(by_split["validation"])
        with reproducible(self.context.device):
            final = self._trained(rows, validation)
            target = self._hidden(final, rows.sequences)
            learned = {"mean": self._mean, "deviation": self._deviation} | _arrays("final", final)
            for fold in range(FOLDS):
                others = np.flatnonzero(folds != fold)
                network = self._trained(rows.at(others), validation)
                source = self._hidden(network, rows.at(others).sequences)
                learned |= _arrays(f"fold{fold}", network)
                learned[f"fold{fold}.map"] = rotation(source, target[others]).numpy()
        return learned

    def restore(self, learned: Mapping[str, np.ndarray]) -> None:
        """Builds the networks from what fit returned."""
        self._mean, self._deviation = learned["mean"], learned["deviation"]
        self._final = self._network(learned, "final")
        self._folds = [self._network(learned, f"fold{fold}") for fold in range(FOLDS)]
        self._maps = [torch.from_numpy(learned[f"fold{fold}.map"]) for fold in range(FOLDS)]

    def encode(self, stays: Sequence[Stay[Events]]) -> Encoded:
        """Encodes stays: those of the train split out of fold, by the hash of their patient.

        Returns:
            Vectors [stays, 1024] float32; a stay without any measurement is skipped, and why.
        """
        kept = [stay for stay in stays if len(stay.content.hours)]
        skipped = [
            Skipped(stay.stay_id, None, f"no {self.context.spec.modality.item} in the window")
            for stay in stays
            if not len(stay.content.hours)
        ]
        final = -1
        used = np.array(
            [fold_of(stay.subject_id) if stay.split == "train" else final for stay in kept]
        )
        hidden = torch.empty(len(kept), HIDDEN)
        with reproducible(self.context.device):
            for number in np.unique(used):
                members = np.flatnonzero(used == number)
                sequences = [self._sequence(kept[member].content) for member in members]
                if number == final:
                    hidden[members] = self._hidden(self._final, sequences)
                else:
                    found = self._hidden(self._folds[number], sequences).double()
                    ones = torch.ones(len(found), 1)  # for the shift
                    turned = torch.cat([found, ones], dim=1).matmul(self._maps[number])
                    hidden[members] = turned.float()
            with torch.inference_mode():
                vectors = self._final.embed(hidden.to(self.context.device)).cpu().numpy()
        return Encoded(np.array([stay.stay_id for stay in kept], dtype=np.int64), vectors, skipped)

    def _require_both_classes(self, stays: Sequence[Stay[Events]], where: str) -> None:
        labels = {stay.label for stay in stays}
        if len(labels) < 2:
            held = f"only stays with label {labels.pop()}" if labels else "no stay"
            raise NothingToFit(f"{where} holds {held} for task {self.context.task}")

    def _scale(self, stays: Sequence[Stay[Events]]) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation [variables] over all measurements; 0 and 1 where there are none."""
        variable = np.concatenate([stay.content.variable for stay in stays])
        value = np.concatenate([stay.content.value for stay in stays]).astype(np.float64)
        size = len(self.context.channels)
        count = np.maximum(np.bincount(variable, minlength=size), 1)
        mean = np.bincount(variable, value, minlength=size) / count
        square = np.bincount(variable, (value - mean[variable]) ** 2, minlength=size) / count
        return mean, np.where(square > 0, np.sqrt(square), 1.0)

    def _sequence(self, events: Events) -> torch.Tensor:
        """The steps [steps, 2 * variables + 1] of a stay."""
        scaled = (events.value - self._mean[events.variable]) / self._deviation[events.variable]
        rows = charted_rows(events, scaled, len(self.context.channels))
        carried, since = np.nan_to_num(rows.values), rows.hours[:, None] / self._window
        steps = np.concatenate([carried, rows.measured, since], axis=1)
        return torch.from_numpy(steps.astype(np.float32))

    def _rows(self, stays: Sequence[Stay[Events]]) -> "Rows":
        return Rows(
            [self._sequence(stay.content) for stay in stays],
            torch.tensor([float(stay.label or 0) for stay in stays]),
        )

    def _new_network(self) -> Network:
        """With weights that depend on torch's global generator, as all layers of torch do."""
        assert self.context.spec.dimension is not None
        inputs = 2 * len(self.context.channels) + 1
        network = Network(inputs, self._recipe.layers, self.context.spec.dimension)
        return network.to(self.context.device)

    def _network(self, learned: Mapping[str, np.ndarray], name: str) -> Network:
        weights = {
            key.removeprefix(f"{name}."): torch.from_numpy(array)
            for key, array in learned.items()
            if key.startswith(f"{name}.") and key != f"{name}.map"
        }
        with reproducible(self.context.device):
            network = self._new_network()
        network.load_state_dict(weights)
        return network.eval()

    def _trained(self, rows: "Rows", validation: "Rows") -> Network:
        """A network trained from the seed's initial weights, the same for every fold."""
        torch.manual_seed(self.context.seed)  # for the weights and for dropout
        network = self._new_network()
        return train(network, rows, validation, self._recipe, self.context.seed)

    @torch.inference_mode()
    def _hidden(self, network: Network, sequences: Sequence[torch.Tensor]) -> torch.Tensor:
        """Last hidden states [stays, 64], in the order of the sequences."""
        hidden = torch.empty(len(sequences), HIDDEN)
        for batch in by_length(sequences, ENCODE_BATCH):
            packed = _packed([sequences[row] for row in batch], network)
            hidden[batch] = network.hidden(packed).cpu()
        return hidden


@dataclass(frozen=True)
class Rows:
    """Stays to train on or to validate with."""

    sequences: list[torch.Tensor]  # each [steps, inputs]
    labels: torch.Tensor  # [stays] float32, 0 or 1

    def at(self, rows: np.ndarray) -> "Rows":
        """Some of them."""
        return Rows([self.sequences[row] for row in rows], self.labels[rows])


def fold_of(subject_id: int) -> int:
    """The fold of a patient, 0 to 4: a hash, so it never depends on who else is in the cohort."""
    digest = hashlib.md5(f"fold:{subject_id}".encode(), usedforsecurity=False).hexdigest()
    return int(digest[:8], 16) % FOLDS


def train(network: Network, rows: Rows, validation: Rows, recipe: Recipe, seed: int) -> Network:
    """Trains until the validation loss has not fallen for 3 epochs; the best weights are kept.

    Adam, batches of about equal length, gradients clipped: as in the paper's code. The seed is of
    the order of batches; dropout takes torch's global generator. Returns the same network, in
    evaluation mode.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    loss_of = nn.BCEWithLogitsLoss()

    def epoch() -> float:
        network.train()
        for batch in shuffled_batches(rows.sequences, recipe.batch, generator):
            packed = _packed([rows.sequences[row] for row in batch], network)
            optimizer.zero_grad()
            loss_of(network(packed), rows.labels[batch].to(packed.data.device)).backward()
            nn.utils.clip_grad_norm_(network.parameters(), CLIP)
            optimizer.step()
        network.eval()
        return validation_loss(network, validation)

    early_stopping(network, epoch, epochs=recipe.epochs, patience=PATIENCE)
    return network


@torch.inference_mode()
def validation_loss(network: Network, rows: Rows) -> float:
    """Mean binary cross-entropy of the rows, in nats a stay, the network in evaluation mode."""
    total = 0.0
    for batch in by_length(rows.sequences, ENCODE_BATCH):
        logits = network(_packed([rows.sequences[row] for row in batch], network)).cpu()
        total += nn.functional.binary_cross_entropy_with_logits(
            logits, rows.labels[batch], reduction="sum"
        ).item()
    return total / len(rows.labels)


def by_length(sequences: Sequence[torch.Tensor], size: int) -> list[np.ndarray]:
    """Positions (int64) of sequences [steps, inputs] in batches of at most `size`, each once.

    Sequences of a batch are of about the same length, so that little is padded.
    """
    order = np.argsort([len(sequence) for sequence in sequences], kind="stable")
    return [order[first : first + size] for first in range(0, len(order), size)]


def shuffled_batches(
    sequences: Sequence[torch.Tensor], size: int, generator: torch.Generator
) -> list[np.ndarray]:
    """As `by_length`, at random: sorted by length only within pools of 16 batches.

    The generator's state moves on.
    """
    shuffled = torch.randperm(len(sequences), generator=generator).numpy()
    batches: list[np.ndarray] = []
    for first in range(0, len(shuffled), 16 * size):
        pool = shuffled[first : first + 16 * size]
        batches += [pool[batch] for batch in by_length([sequences[row] for row in pool], size)]
    return [batches[turn] for turn in torch.randperm(len(batches), generator=generator)]


def rotation(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The rotation and shift [65, 64], float64, that bring source nearest to target, both [n, 64].

    Where the rows say nothing (fewer rows than units, units that never move) a slight preference
    leaves directions as they are: both networks started from the same weights.
    """
    source, target = source.double(), target.double()
    mean, target_mean = source.mean(dim=0), target.mean(dim=0)
    centred = source - mean
    agreement = centred.T @ (target - target_mean)
    agreement.diagonal().add_(PRIOR * centred.square().sum(dim=0).mean())
    left, _, right = torch.linalg.svd(agreement)
    turned = left @ right
    return torch.cat([turned, (target_mean - mean @ turned)[None]])


def _packed(sequences: Sequence[torch.Tensor], network: Network) -> PackedSequence:
    """Packed, so that no padded step is ever computed or read."""
    device = network.score.weight.device
    return pack_sequence([each.to(device) for each in sequences], enforce_sorted=False)


def _arrays(name: str, network: Network) -> dict[str, np.ndarray]:
    return {f"{name}.{key}": value.cpu().numpy() for key, value in network.state_dict().items()}
