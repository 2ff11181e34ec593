"""The training loop: one step after the other, from top to bottom.

A step scores a batch, takes the objective's loss of the scores, and sends its gradient back. The graph is cut at
the scores: network and objective meet there alone. So a batch may go through the network in micro-batches, or be spread
over several processes, and the gradient is still that of the whole batch, for any function of the scores.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from hammingway.deep.augmenting import Augmentation
from hammingway.deep.batches import Batch
from hammingway.deep.checkpoint import Best, Checkpoint, EpochStatistics, State
from hammingway.deep.config import Training
from hammingway.deep.distributed import Group, first_says, summed
from hammingway.deep.interruption import Interruption
from hammingway.deep.log import Log
from hammingway.deep.model import Model
from hammingway.deep.optimizing import clip, rate_at, set_rate
from hammingway.deep.sampling import Sampler, parts
from hammingway.deep.seeds import generator, seeded
from hammingway.deep.validation import Part, Validation
from hammingway.errors import TrainingError

__all__ = ["Run", "train"]


@dataclass
class Run:
    """What a run consists of, all but where it stands.

    Parameters
    ----------
    checkpoint : None to keep none.
    on_step : told (steps done, steps in all) after each.
    """

    model: Model
    optimizer: torch.optim.Optimizer
    part: Part
    sampler: Sampler
    augmentation: Augmentation | None
    validation: Validation | None
    config: Training
    seed: int
    device: torch.device
    group: Group
    log: Log
    checkpoint: Checkpoint | None
    on_step: Callable[[int, int], None]

    @property
    def total_steps(self) -> int:
        return self.config.steps or self.config.epochs * self.sampler.steps_per_epoch


def train(run: Run, state: State) -> None:
    """Take the steps from where ``state`` is to the last, or until it stops early; the best weights stay in the model.

    Raises
    ------
    TrainingError : the loss is not finite, or the code collapsed.
    KeyboardInterrupt : Ctrl-C; where there is a checkpoint, and one process, it keeps the step that was under way.
    """
    started, worked = time.perf_counter() - state.seconds, summed(time.process_time()) - state.processor_seconds
    with Interruption(wanted=run.checkpoint is not None and run.group.size == 1) as interruption:
        while state.step < run.total_steps and not state.stopped:
            rate = take_step(run, state)
            state.seconds, state.processor_seconds = time.perf_counter() - started, summed(time.process_time()) - worked
            if state.step % run.sampler.steps_per_epoch == 0 or state.step == run.total_steps:
                times = {"seconds": round(state.seconds, 3), "processor_seconds": round(state.processor_seconds, 3)}
                finish_epoch(run, state, {"learning_rate": rate, **times})
            ends = interruption.waits or state.step == run.total_steps or state.stopped
            if run.checkpoint is not None and run.group.rank == 0 and (ends or run.checkpoint.is_due()):
                run.checkpoint.save(state, run.model, run.optimizer)
                if interruption.waits:
                    raise KeyboardInterrupt(f"{run.checkpoint.folder} keeps step {state.step} of {run.total_steps}")
            run.on_step(state.step, run.total_steps)
    if state.best is not None:
        run.model.load_state_dict(state.best.weights)


def take_step(run: Run, state: State) -> float:
    """Change the weights by the next batch, count the step, and return its learning rate."""
    batch = next_batch(run, state.step)
    rate = rate_at(run.config, state.step, run.total_steps, run.sampler.steps_per_epoch)
    set_rate(run.optimizer, rate)
    loss, scores = gradients(run, batch)
    if run.config.clip_norm is not None:
        clip(run.model, run.config.clip_norm)
    run.optimizer.step()
    state.step += 1
    state.statistics.add(loss, run.model.objective.terms, scores)
    return rate


def next_batch(run: Run, step: int) -> Batch:
    """Return the batch of this step, augmented, on the device."""
    drawn = run.sampler.draw(step)
    x = run.part.rows[drawn.rows]
    if run.augmentation is not None:
        x = run.augmentation(x, generator(run.seed, "augmentation", step))
    labels = None if run.part.labels is None else run.part.labels[drawn.rows].to(run.device)
    neighbors = None if drawn.neighbors is None else drawn.neighbors.to(run.device)
    rows, epoch = drawn.rows.to(run.device), step // run.sampler.steps_per_epoch
    return Batch(rows, x.to(run.device), labels, neighbors, step, epoch, run.total_steps)


def gradients(run: Run, batch: Batch) -> tuple[float, Tensor]:
    """Leave the gradient of the batch's loss in the parameters; return the loss and the scores (n, n_bits)."""
    network, objective = run.model.network, run.model.objective
    run.model.train()
    run.optimizer.zero_grad(set_to_none=True)
    own = run.group.share(len(batch.x))
    places = micro_batches(own, run.config.micro_batch_size)
    at_once = len(places) == 1
    before = None if at_once else {name: buffer.clone() for name, buffer in network.named_buffers()}
    with torch.set_grad_enabled(at_once):
        outputs = [score(run, batch, place) for place in places]
    scores = run.group.gather(torch.cat(outputs).detach(), len(batch.x)).requires_grad_()  # (n, n_bits)
    with seeded(run.seed, "objective", batch.step, device=run.device):
        loss = objective(scores, batch)
    check_finite(run, batch, loss.detach())
    torch.autograd.backward(loss)
    slopes = torch.zeros_like(scores) if scores.grad is None else scores.grad
    if before is not None:  # the first pass was only to know the scores; its running statistics do not count
        for name, buffer in network.named_buffers():
            buffer.copy_(before[name])
    for number, place in enumerate(places):
        output = outputs[0] if at_once else score(run, batch, places[number])
        torch.autograd.backward(output, slopes[place])
    run.group.join_gradients(network, objective)
    run.group.average_buffers(network)
    return float(loss.detach()), scores.detach()


def micro_batches(own: slice, size: int | None) -> list[slice]:
    """Return the places that go through the network together: nearly equal parts, none larger than ``size``."""
    length = own.stop - own.start
    pieces = parts(length, -(-length // size)) if size is not None else [slice(0, length)]
    return [slice(own.start + piece.start, own.start + piece.stop) for piece in pieces]


def score(run: Run, batch: Batch, place: slice) -> Tensor:
    """Return the scores, float32, of the examples at ``place``; the same in every pass, dropout included."""
    reduced = run.config.precision == "bfloat16"
    with (
        seeded(run.seed, "network", batch.step, place.start, device=run.device),
        torch.autocast(run.device.type, torch.bfloat16, enabled=reduced),
    ):
        output: Tensor = run.model.network(batch.x[place])
    return output.float()


def check_finite(run: Run, batch: Batch, loss: Tensor) -> None:
    """Raise TrainingError unless the loss is a finite number."""
    if math.isfinite(float(loss)):
        return
    terms = ", ".join(f"{name} {float(value):g}" for name, value in run.model.objective.terms.items())
    raise TrainingError(
        f"the loss became {float(loss):g} in step {batch.step + 1}{f' ({terms})' if terms else ''}; take a smaller "
        "learning_rate, or set clip_norm."
    )


def finish_epoch(run: Run, state: State, facts: dict[str, float]) -> None:
    """Log the epoch, validate it if it is its turn, remember the best, and decide whether to stop."""
    epoch = -(-state.step // run.sampler.steps_per_epoch)
    if state.statistics.is_collapsed():
        raise TrainingError(
            f"the code collapsed: in epoch {epoch} every example had the same scores. Take a smaller learning_rate, "
            "or check that the training rows differ."
        )
    entry = {"epoch": epoch, "step": state.step, **state.statistics.summary(), **facts}
    state.statistics = EpochStatistics(run.model.network.n_bits)
    if run.validation is not None and (epoch % run.config.validate_every == 0 or state.step == run.total_steps):
        measured = validated(run, run.validation)
        entry["validation"] = measured
        remember(run.validation, run.model, state, measured[run.validation.select])
        state.stopped = run.config.patience is not None and state.stale >= run.config.patience
    run.log.write(entry)


def validated(run: Run, validation: Validation) -> dict[str, float]:
    """Return what the first process measures, under its names."""
    names = validation.select, "bit_entropy"
    measured = dict.fromkeys(names, 0.0)
    if run.group.rank == 0:
        measured = validation.measure(run.model.network, run.model.objective, run.device)
    return dict(zip(names, first_says([measured[name] for name in names]), strict=True))


def remember(validation: Validation, model: Model, state: State, value: float) -> None:
    """Keep a copy of the model if it is the best so far."""
    if not math.isfinite(value):
        raise TrainingError(f"the validation gave {value:g}; give more validation rows, or another training.select.")
    if state.best is not None and not validation.is_better(value, state.best.value):
        state.stale += 1
        return
    weights = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
    state.best, state.stale = Best(value, state.step, weights), 0
