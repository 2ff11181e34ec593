"""Filters of signals on a graph, each in the form of the paper that defines it.

A graph is given by its normalised adjacency ``Â = D^-½ A D^-½`` (n, n), symmetric, with ones on the diagonal of A; its
Laplacian is ``L = I - Â``, with eigenvalues in [0, 2]. Graphs are constants here: no gradient passes into Â.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

__all__ = [
    "FILTERS",
    "ChebyshevFilter",
    "ConvolutionFilter",
    "FilterName",
    "FourierFilter",
    "LanczosFilter",
    "SplineFilter",
    "lanczos",
    "normalized_adjacency",
    "spline_basis",
]

FilterName = Literal["gcn", "fourier", "spline", "chebyshev", "lanczos"]

_DEGREE = 3
_RESPONSE_WIDTH = 32
_BREAKDOWN = 1e-6  # of a unit vector, in float32


def normalized_adjacency(similarities: Tensor) -> Tensor:
    """Return Â of the graph whose edges are the positive similarities, with a self-loop of weight 1 at each node.

    Parameters
    ----------
    similarities : float (n, n), symmetric; negative ones are no edges, the diagonal is not looked at.
    """
    adjacency = similarities.clamp(min=0)
    adjacency = adjacency - torch.diag(adjacency.diagonal()) + torch.eye(len(adjacency), device=adjacency.device)
    scale = adjacency.sum(dim=1).rsqrt()
    return scale[:, None] * adjacency * scale


def spline_basis(values: Tensor, n_functions: int) -> Tensor:
    """Return the cubic B-splines on clamped uniform knots over [0, 2] at each value, float (n, n_functions).

    Parameters
    ----------
    values : float (n,) in [0, 2].
    n_functions : >= 4.
    """
    inner = torch.linspace(0, 2, n_functions - _DEGREE + 1, device=values.device, dtype=values.dtype)
    knots = torch.cat([inner[:1].expand(_DEGREE), inner, inner[-1:].expand(_DEGREE)])
    # The interval of each value, the last one closed: the splines of degree 0.
    place = torch.searchsorted(inner, values.contiguous(), right=True).clamp(max=len(inner) - 1) + _DEGREE - 1
    basis = torch.nn.functional.one_hot(place, len(knots) - 1).to(values.dtype)
    for degree in range(1, _DEGREE + 1):
        left, right = knots[: -degree - 1], knots[degree + 1 :]
        rise = (values[:, None] - left) / (knots[degree:-1] - left).clamp(min=1e-12)
        fall = (right - values[:, None]) / (right - knots[1:-degree]).clamp(min=1e-12)
        basis = rise * basis[:, :-1] + fall * basis[:, 1:]
    return basis


def lanczos(matrix: Tensor, start: Tensor, n_steps: int) -> tuple[Tensor, Tensor]:
    """Return T (m, m), tridiagonal, and V (n, m), orthonormal, with ``Vᵀ matrix V = T``.

    Full reorthogonalisation; it ends before ``n_steps`` where the Krylov space of ``start`` is exhausted.

    Parameters
    ----------
    matrix : float (n, n), symmetric.
    start : float (n,), not zero.
    n_steps : >= 1; at most n are done.
    """
    basis = [start / start.norm()]
    diagonal, beside = [], []
    for _ in range(min(n_steps, len(matrix))):
        image = matrix @ basis[-1]
        diagonal.append(basis[-1] @ image)
        known = torch.stack(basis, dim=1)
        for _twice in range(2):  # once leaves errors of the size of what was removed
            image = image - known @ (known.T @ image)
        length = image.norm()
        if length < _BREAKDOWN or len(diagonal) == min(n_steps, len(matrix)):
            break
        beside.append(length)
        basis.append(image / length)
    tridiagonal = torch.diag(torch.stack(diagonal))
    if beside:
        tridiagonal = tridiagonal + torch.diag(torch.stack(beside), 1) + torch.diag(torch.stack(beside), -1)
    return tridiagonal, torch.stack(basis, dim=1)


class ConvolutionFilter(nn.Module):
    """``Â Z W + b``: T. Kipf, M. Welling, "Semi-supervised classification with graph convolutional
    networks", ICLR 2017.

    The paper's activation is the one with which HAGCN's decoder begins.
    """

    def __init__(self, n_dims: int, order: int) -> None:
        super().__init__()
        self.mix = nn.Linear(n_dims, n_dims)

    def forward(self, adjacency: Tensor, signal: Tensor) -> Tensor:
        """Return the filtered signal (n, n_dims)."""
        filtered: Tensor = self.mix(adjacency @ signal)
        return filtered


class FourierFilter(nn.Module):
    """``U_k diag(θ) U_kᵀ Z W + b``, U_k the eigenvectors of the k smallest eigenvalues of L, θ learnt.

    J. Bruna, W. Zaremba, A. Szlam, Y. LeCun, "Spectral networks and locally connected networks on graphs", ICLR 2014. A
    graph of fewer than k nodes uses as many of θ as it has nodes.
    """

    def __init__(self, n_dims: int, order: int) -> None:
        super().__init__()
        self.response = nn.Parameter(torch.ones(order))
        self.mix = nn.Linear(n_dims, n_dims)

    def forward(self, adjacency: Tensor, signal: Tensor) -> Tensor:
        """Return the filtered signal (n, n_dims)."""
        # The smallest of L = I - Â are the largest of Â, which come last.
        vectors = torch.linalg.eigh(adjacency).eigenvectors.flip(1)[:, : len(self.response)]
        response = self.response[: vectors.shape[1], None]
        filtered: Tensor = self.mix(vectors @ (response * (vectors.T @ signal)))
        return filtered


class SplineFilter(nn.Module):
    """``U diag(B(λ) c) Uᵀ Z W + b``: the response is a cubic spline of the eigenvalues of L, its coefficients c learnt.

    The same paper as :class:`FourierFilter`, its smooth spectral multipliers; the knots are fixed over [0, 2], where
    all eigenvalues lie, so that a coefficient means the same in every batch.
    """

    def __init__(self, n_dims: int, order: int) -> None:
        super().__init__()
        self.coefficients = nn.Parameter(torch.ones(order))  # splines sum to one: the identity to begin with
        self.mix = nn.Linear(n_dims, n_dims)

    def forward(self, adjacency: Tensor, signal: Tensor) -> Tensor:
        """Return the filtered signal (n, n_dims)."""
        values, vectors = torch.linalg.eigh(adjacency)
        response = spline_basis((1 - values).clamp(0, 2), len(self.coefficients)) @ self.coefficients
        filtered: Tensor = self.mix(vectors @ (response[:, None] * (vectors.T @ signal)))
        return filtered


class ChebyshevFilter(nn.Module):
    """``Σ_{j<K} T_j(L̃) Z W_j + b`` with ``L̃ = L - I``, as the largest eigenvalue of L is taken for 2.

    M. Defferrard, X. Bresson, P. Vandergheynst, "Convolutional neural networks on graphs with fast localized spectral
    filtering", NeurIPS 2016.
    """

    def __init__(self, n_dims: int, order: int) -> None:
        super().__init__()
        self.mix = nn.Linear(order * n_dims, n_dims)
        nn.init.xavier_uniform_(self.mix.weight)

    def forward(self, adjacency: Tensor, signal: Tensor) -> Tensor:
        """Return the filtered signal (n, n_dims)."""
        n_terms = self.mix.in_features // signal.shape[1]
        terms = [signal, -adjacency @ signal]
        while len(terms) < n_terms:
            terms.append(-2 * adjacency @ terms[-1] - terms[-2])
        filtered: Tensor = self.mix(torch.cat(terms[:n_terms], dim=1))
        return filtered


class LanczosFilter(nn.Module):
    """``Q f(Θ) Qᵀ Z W + b``, Q and Θ the Ritz vectors and values of Â after k steps, f a small network.

    R. Liao, Z. Zhao, R. Urtasun, R. Zemel, "LanczosNet: multi-scale deep graph convolutional networks", ICLR 2019. The
    start vector is drawn from a fixed seed, so that a batch has one result; the vectors are orthogonalised in full.
    """

    def __init__(self, n_dims: int, order: int) -> None:
        super().__init__()
        self.order = order
        self.response = nn.Sequential(nn.Linear(1, _RESPONSE_WIDTH), nn.GELU(), nn.Linear(_RESPONSE_WIDTH, 1))
        self.mix = nn.Linear(n_dims, n_dims)

    def forward(self, adjacency: Tensor, signal: Tensor) -> Tensor:
        """Return the filtered signal (n, n_dims)."""
        start = torch.randn(len(adjacency), generator=torch.Generator().manual_seed(0)).to(adjacency)
        tridiagonal, basis = lanczos(adjacency, start, self.order)
        values, rotation = torch.linalg.eigh(tridiagonal)
        ritz = basis @ rotation
        filtered: Tensor = self.mix(ritz @ (self.response(values[:, None]) * (ritz.T @ signal)))
        return filtered


FILTERS: dict[FilterName, type[nn.Module]] = {
    "gcn": ConvolutionFilter,
    "fourier": FourierFilter,
    "spline": SplineFilter,
    "chebyshev": ChebyshevFilter,
    "lanczos": LanczosFilter,
}
"""Each is made of the dimensions of the signal and an order (eigenvectors, splines, terms or steps)."""
