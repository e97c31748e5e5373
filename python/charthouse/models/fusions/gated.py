"""A network that weighs the modalities that a stay has.

After gated multimodal units (Arevalo et al. 2017, ICLR workshop) and ModDrop (Neverova et al. 2016,
IEEE Transactions on Pattern Analysis and Machine Intelligence). Each encoder has a branch of its
own, each branch a hidden state and a gate; the state of the stay is the sum of the branches that it
has, weighted by the softmax of their gates. An absent vector is in no sum, so its zeros are never
read. While the network learns, vectors that are present are hidden at random: it must not
lean on one modality alone, and has seen each combination before it meets it in a stay.

For each fold a network is trained on the others, and the fold decides when it stops. A stay that
was fitted on is scored by the network of its own fold, which took no step on it, every other stay
by the mean probability of all networks. Vectors are standardised on the stays that the network
learns from, anew for each. Two things follow:

- scores of fitted stays are slightly too good, since their fold chose the epoch;
- scores of other stays are a little less extreme than those of fitted ones, since several networks
  are averaged.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from charthouse.core.errors import CharthouseError
from charthouse.models.fusions.base import MODEL, Component, Fitting, Fused, Fusion
from charthouse.models.fusions.block import Block
from charthouse.models.training import early_stopping, reproducible

WIDTH = 64
INPUT_DROPOUT = 0.5
DROPOUT = 0.2
HIDE = 0.3
NEVER_HIDDEN = "demographics"  # every stay has them
CLIP_INPUT = 10.0  # deviations: a number that hardly ever moves must not drown the others
BATCH = 512  # at most
STEPS = 20  # an epoch, at least, as long as batches keep SMALLEST_BATCH rows
SMALLEST_BATCH = 16
EPOCHS = 30  # at most
PATIENCE = 3
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.1
CLIP_GRADIENT = 1.0
SCORE_BATCH = 2048


@dataclass(frozen=True, eq=False)
class Inputs:
    """What the networks read: standardised vectors, of the stays that have them and no others."""

    values: list[torch.Tensor]  # for each of k branches, [stays that have it, d] float32
    place: torch.Tensor  # [n, k], the row in `values` of each stay's vector, -1 where it has none
    hideable: torch.Tensor  # [k] bool, whether the branch may be hidden

    @classmethod
    def of(cls, blocks: Sequence[Block], learned: np.ndarray) -> "Inputs":
        """Of the blocks that some stay has of those [n] to learn from: others tell nothing."""
        known = [block for block in blocks if (block.present & learned).any()]
        place = np.full((len(learned), len(known)), -1)
        for branch, block in enumerate(known):
            place[block.present, branch] = np.arange(block.present.sum())
        return cls(
            values=[_standardised(block, learned) for block in known],
            place=torch.from_numpy(place),
            hideable=torch.tensor(
                [block.modality != NEVER_HIDDEN for block in known], dtype=torch.bool
            ),
        )

    def vectors(self, rows: torch.Tensor, seen: torch.Tensor) -> list[torch.Tensor]:
        """For each branch, the vectors of the rows [batch] that `seen` [batch, k] marks."""
        return [
            values[self.place[rows[seen[:, branch]], branch]]
            for branch, values in enumerate(self.values)
        ]


class Branch(nn.Module):
    """One encoder's hidden state and gate."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.state = nn.Sequential(
            nn.Dropout(INPUT_DROPOUT), nn.Linear(inputs, WIDTH), nn.LayerNorm(WIDTH), nn.GELU()
        )
        self.gate = nn.Linear(WIDTH, 1)

    def forward(self, vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """States [m, WIDTH] and gates [m] of vectors [m, inputs]."""
        states = self.state(vectors)
        return states, self.gate(states).squeeze(-1)


class Network(nn.Module):
    """Branches, their gated sum, and a head that also sees which of them there were.

    The weights of a stay sum to the number of its branches, not to 1: an average would say no more
    of two modalities that agree than of one. Of a stay without any the head sees zeros alone: its
    biases hold the prior. `inputs` [k] are the lengths of the branches' vectors; `prior` are log
    odds to start from, so that a rare outcome costs no steps to find.
    """

    def __init__(self, inputs: Sequence[int], prior: torch.Tensor) -> None:
        super().__init__()
        self.branches = nn.ModuleList(Branch(size) for size in inputs)
        score = nn.Linear(WIDTH, 1)
        nn.init.constant_(score.bias, prior.item())
        self.head = nn.Sequential(
            nn.Linear(WIDTH + len(inputs), WIDTH), nn.GELU(), nn.Dropout(DROPOUT), score
        )

    def forward(self, vectors: Sequence[torch.Tensor], seen: torch.Tensor) -> torch.Tensor:
        """Logits [batch] of the vectors of each branch, for the rows that seen [batch, k] marks."""
        shape = seen.shape
        states = torch.zeros(*shape, WIDTH)
        gates = torch.zeros(shape)
        for branch, (network, present) in enumerate(zip(self.branches, vectors, strict=True)):
            rows = seen[:, branch]
            states[rows, branch], gates[rows, branch] = network(present)
        # a finite mask, so that a stay without any gets 0, not NaN
        shares = torch.softmax(gates.masked_fill(~seen, -1e9), dim=1) * seen
        weights = shares * seen.sum(dim=1, keepdim=True)
        fused = (weights[..., None] * states).sum(dim=1)
        return self.head(torch.cat([fused, seen.float()], dim=1)).squeeze(-1)


class Gated(Fusion):
    """Cross-fitted gated networks.

    Reproducible: it runs on one thread of a CPU, and what it learns depends on the stays, in order
    of stay_id, and on the seed: not on the number of threads, nor on the state of torch's global
    generator, which is left as it was. Another version of torch or another kind of processor may
    round differently.
    """

    version = 2

    def fit(self, fitting: Fitting) -> Fused:
        """Trains a network for each fold that has both classes, as have the others together.

        Stays of any other fold have no network that never saw them: their score is NaN.

        Raises:
            CharthouseError: no fold is such a fold, or a vector is not finite.
        """
        labels = torch.zeros(len(fitting.folds))
        labels[fitting.fitted_on] = torch.from_numpy(
            fitting.y_true[fitting.fitted_on].astype(np.float32)
        )
        fitted = torch.from_numpy(fitting.fitted_on)
        folds = torch.from_numpy(np.where(fitting.fitted_on, fitting.folds, -1))
        numbers = np.unique(fitting.folds[fitting.fitted_on])
        others = (~fitted).nonzero().squeeze(1)

        y_score = np.full(len(fitted), np.nan)
        totals = np.zeros(len(others))
        trained: list[Trained] = []
        with reproducible():
            for number in numbers:
                held_out = (folds == number).nonzero().squeeze(1)
                learned = (fitted & (folds != number)).nonzero().squeeze(1)
                if min(len(labels[rows].unique()) for rows in (held_out, learned)) < 2:
                    continue
                inputs = Inputs.of(fitting.blocks, fitting.fitted_on & (fitting.folds != number))
                _seed(fitting.seed, number)
                done = _train(inputs, labels, learned, held_out)
                trained.append(done)
                y_score[held_out] = _score(done.network, inputs, held_out)
                totals += _score(done.network, inputs, others)
        if not trained:
            raise CharthouseError(
                f"Fusion 'gated' cannot learn from {fitting.fitted_on.sum()} stays: in none of"
                f" {len(numbers)} folds are there both outcomes, and in the others together too."
                " Name another fusion, or build a larger cohort."
            )
        y_score[others] = totals / len(trained)
        return Fused(y_score, [_component(fitting, trained, len(numbers))])


@dataclass(frozen=True, eq=False)
class Trained:
    """A network, in the state of its best epoch."""

    network: Network
    epochs: int
    stopped: bool  # since its held-out fold got no better, not because time was up


def _component(fitting: Fitting, trained: Sequence[Trained], folds: int) -> Component:
    reasons = []
    if len(trained) < folds:
        reasons.append(f"{folds - len(trained)} of {folds} folds without both outcomes")
    if not all(done.stopped for done in trained):
        reasons.append(f"stopped after {EPOCHS} epochs")
    return Component(
        name=MODEL,
        fitted_on=fitting.fitted_on,
        features=sum(
            block.vectors.shape[1]
            for block in fitting.blocks
            if (block.present & fitting.fitted_on).any()
        ),
        converged=not reasons,
        reason="; ".join(reasons) or None,
        iterations=sum(done.epochs for done in trained),
    )


def _standardised(block: Block, learned: np.ndarray) -> torch.Tensor:
    """[stays that have it, d] by mean and deviation of those learned from; 0 if all equal."""
    values = block.vectors[block.present]
    if not np.isfinite(values).all():
        raise CharthouseError(
            f"A vector of {block.encoder} is not finite: a network would score every stay NaN. Make"
            f" it anew: charthouse embed --encoder {block.encoder}."
        )
    rows = learned[block.present][:, None]
    values -= values.mean(axis=0, dtype=np.float64, where=rows).astype(np.float32)
    variance = np.square(values).mean(axis=0, dtype=np.float64, where=rows)
    values *= np.divide(
        1, np.sqrt(variance), out=np.zeros_like(variance), where=variance > 0
    ).astype(np.float32)
    return torch.from_numpy(np.clip(values, -CLIP_INPUT, CLIP_INPUT, out=values))


def _train(
    inputs: Inputs, labels: torch.Tensor, learned: torch.Tensor, held_out: torch.Tensor
) -> Trained:
    """Trains on the rows `learned` until the loss of the held-out rows falls no more for 3 epochs.

    Of the labels [n] only those of the rows are looked at.
    """
    has = inputs.place >= 0
    network = Network(
        inputs=[values.shape[1] for values in inputs.values],
        prior=labels[learned].mean().logit(),
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    loss_of = nn.BCEWithLogitsLoss()
    batch = min(BATCH, max(SMALLEST_BATCH, len(learned) // STEPS))

    def epoch() -> float:
        network.train()
        for rows in learned[torch.randperm(len(learned))].split(batch):
            seen = _hidden_at_random(has[rows], inputs.hideable)
            optimizer.zero_grad()
            loss_of(network(inputs.vectors(rows, seen), seen), labels[rows]).backward()
            nn.utils.clip_grad_norm_(network.parameters(), CLIP_GRADIENT)
            optimizer.step()
        loss = loss_of(_logits(network, inputs, held_out), labels[held_out])
        return float(loss)

    epochs, stopped = early_stopping(network, epoch, epochs=EPOCHS, patience=PATIENCE)
    return Trained(network, epochs, stopped)


def _hidden_at_random(has: torch.Tensor, hideable: torch.Tensor) -> torch.Tensor:
    """What is still seen [batch, k] of what there is; all of it where nothing would be left."""
    seen = has & ~(hideable & (torch.rand(has.shape) < HIDE))
    return torch.where(seen.any(dim=1, keepdim=True), seen, has)


@torch.inference_mode()
def _logits(network: Network, inputs: Inputs, rows: torch.Tensor) -> torch.Tensor:
    """[rows], with all that they have."""
    network.eval()
    logits = [torch.zeros(0)]
    for some in rows.split(SCORE_BATCH):
        seen = inputs.place[some] >= 0
        logits.append(network(inputs.vectors(some, seen), seen))
    return torch.cat(logits)


def _score(network: Network, inputs: Inputs, rows: torch.Tensor) -> np.ndarray:
    """Probabilities [rows] float64."""
    return _logits(network, inputs, rows).double().sigmoid().numpy()


def _seed(seed: int, fold: int) -> None:
    """Sets what `reproducible` gives back: for weights, order, what is hidden and dropout."""
    torch.manual_seed(int(np.random.SeedSequence([seed, fold]).generate_state(1)[0]))
