"""Scores of examples, each a function of its example alone.

Matrix products round differently for matrices of different shapes, and on different numbers of threads. So
every example is scored in a block of one constant shape, filled up with zeros, on one thread. That a row's result does
not depend on its place within the block is tried out, for this network on this machine, before a size is taken;
a block of one row, where there is nothing to depend on, is the last resort.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

import torch
from torch import Tensor

from hammingway.deep.batches import Rows
from hammingway.deep.networks.base import Network
from hammingway.deep.seeds import generator

__all__ = ["Scorer", "one_thread", "scores_of_rows"]

_BLOCK_SIZES = (64, 16, 4)  # tried in this order
_BLOCK_VALUES = 2**22  # of input at most: 16 images of 224 x 224, whose first layers take a hundred times that
_one_at_a_time = RLock()


@contextmanager
def one_thread() -> Iterator[None]:
    """Give a context in which torch computes on one thread; calls from several threads take turns.

    The number of torch's threads is the process's own, so two who set and restore it must not overlap. Threads
    that are started within work side by side, each on one.
    """
    with _one_at_a_time:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


class Scorer:
    """Applies a network, in evaluation mode, block by block.

    Parameters
    ----------
    network : trained; it is put into evaluation mode.
    device : where to compute.
    """

    def __init__(self, network: Network, device: torch.device) -> None:
        self._network = network.to(device).eval()
        self._device = device
        with one_thread():
            self.block_rows = next((size for size in _sizes(network) if self._place_does_not_matter(size)), 1)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the scores, float32 (n, n_bits) on the CPU, of x, float32 (n, \\*input_shape)."""
        scores = torch.empty(len(x), self._network.n_bits)
        with torch.no_grad():
            for start in range(0, len(x), self.block_rows):
                block = x[start : start + self.block_rows]
                scores[start : start + len(block)] = self._block(block, self.block_rows)
        return scores

    def _block(self, x: Tensor, size: int) -> Tensor:
        filled = torch.zeros(size, *x.shape[1:])
        filled[: len(x)] = x
        result: Tensor = self._network(filled.to(self._device))
        return result[: len(x)].float().cpu()

    def _place_does_not_matter(self, size: int) -> bool:
        """Return whether random examples get the same scores wherever in a block they stand, and whoever beside."""
        x = torch.randn(size, *self._network.input_shape, generator=generator(0, "probe"))
        with torch.no_grad():
            expected = self._block(x, size)
            shifted = all(
                torch.equal(self._block(x.roll(shift, 0), size).roll(-shift, 0), expected)
                for shift in (1, size // 2, size - 1)
            )
            return shifted and torch.equal(self._block(x[:1], size), expected[:1])


def scores_of_rows(network: Network, rows: Rows, places: Tensor, device: torch.device) -> Tensor:
    """Return the scores, float32 (n, n_bits) on the CPU, of the examples at ``places``, int64 (n,), block by block.

    For use during a training: the network is left in evaluation mode, and torch's own threads are used.
    """
    network.eval()
    scores = torch.empty(len(places), network.n_bits)
    size = _sizes(network)[0]
    with torch.no_grad():
        for start in range(0, len(places), size):
            scores[start : start + size] = network(rows[places[start : start + size]].to(device)).float().cpu()
    return scores


def _sizes(network: Network) -> list[int]:
    """Return the sizes of a block to be tried, the largest that memory is likely to be there for first."""
    n_values = torch.Size(network.input_shape).numel()
    return [size for size in _BLOCK_SIZES if size * n_values <= _BLOCK_VALUES] or [1]
