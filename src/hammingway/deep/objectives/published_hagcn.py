"""HAGCN with the arithmetic of its published program, errors included, for comparison only."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hammingway.deep.objectives.graph_filters import FilterName
from hammingway.errors import InvalidInputError

__all__ = ["PublishedGraph", "published_adjacency", "published_lanczos", "published_spline_basis"]

_DEGREE = 3
_TINY = 1e-10  # the program's guard of divisions


def published_adjacency(similarities: Tensor) -> Tensor:
    """Return ``D^-½ (1 + S) D^-½``: one is added to every entry, not to the diagonal.

    NaN where a row sum is negative, as the similarities are not kept from it.
    """
    adjacency = 1 + similarities
    scale = adjacency.sum(dim=1).pow(-0.5)
    return scale[:, None] * adjacency * scale


def published_spline_basis(values: Tensor, n_functions: int) -> Tensor:
    """Return cubic B-splines at ascending values, (n, n_functions), on knots clamped to their own range.

    The splines of degree 0 are half open, so all are zero at the largest value, where the program sets the last to one.
    """
    low, high = values.min(), values.max()
    ends = (low.item(), high.item())
    inner = torch.linspace(*ends, n_functions - _DEGREE + 1, dtype=values.dtype, device=values.device)
    knots = torch.cat([low.expand(_DEGREE), inner, high.expand(_DEGREE)])
    basis = ((values[:, None] >= knots[:-1]) & (values[:, None] < knots[1:])).to(values.dtype)
    for degree in range(1, _DEGREE + 1):
        left, right = knots[: -degree - 1], knots[degree + 1 :]
        widths, next_widths = knots[degree:-1] - left, right - knots[1:-degree]
        rise = (values[:, None] - left) / (widths + _TINY) * (widths.abs() > _TINY)
        fall = (right - values[:, None]) / (next_widths + _TINY) * (next_widths.abs() > _TINY)
        basis = rise * basis[:, :-1] + fall * basis[:, 1:]
    last = torch.zeros_like(basis)
    last[-1, -1] = 1
    return torch.where(last > 0, last, basis)


def published_lanczos(matrix: Tensor, start: Tensor, n_steps: int) -> tuple[Tensor, Tensor]:
    """Return T and V of the program's Lanczos: no reorthogonalisation, and beside the diagonal β of the following step.

    T carries no gradient, V does; nothing stops it where β is next to zero.
    """
    basis = [start / start.norm()]
    alphas: list[Tensor] = []
    betas: list[Tensor] = []
    for step in range(n_steps):
        image = matrix @ basis[-1]
        alpha = basis[-1] @ image
        alphas.append(alpha.detach())
        image = image - alpha * basis[-1]
        if step > 0:
            image = image - betas[-1] * basis[-2]
        beta = image.norm()
        betas.append(beta.detach())
        basis.append(image / beta)
    shifted = torch.stack(betas)[1:]
    tridiagonal = torch.diag(torch.stack(alphas)) + torch.diag(shifted, 1) + torch.diag(shifted, -1)
    return tridiagonal, torch.stack(basis[:-1], dim=1)


class PublishedGraph(nn.Module):
    """W₁, the graph, the filter and the decoder as the program has them.

    ``Z = GELU(W₁ x)``, ``S = Z Zᵀ / n`` (n the batch size), Â by :func:`published_adjacency`; the filters are
    'gcn' ``LayerNorm(W Â Z)``; 'fourier' ``(U Wᵀ + b) Uᵀ Z`` with the eigenvectors of the k smallest eigenvalues of Â,
    the highest frequencies; 'spline' the same with ``U B`` for the first U; 'chebyshev' ``Σ_{j=0..k} T_j(Â) Z``, its
    weights never used; 'lanczos' ``V T Vᵀ Z`` from a random start, its weights never used either.
    """

    def __init__(self, n_features: int, filter: FilterName, order: int) -> None:
        super().__init__()
        self.filter, self.order = filter, order
        self.embed = nn.Linear(n_features, n_features)
        if filter == "gcn":
            self.mix: nn.Module = nn.Linear(n_features, n_features)
            self.norm = nn.LayerNorm(n_features)
        elif filter in ("fourier", "spline"):
            self.mix = nn.Linear(order, order)
        self.decoder = nn.Sequential(
            nn.Linear(n_features, n_features),
            nn.GELU(),
            nn.Linear(n_features, n_features),
            nn.GELU(),
            nn.Linear(n_features, n_features),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the reconstruction of x (n, n_features) and S (n, n).

        Raises
        ------
        InvalidInputError : the batch has fewer rows than the filter takes eigenvectors.
        """
        signal = functional.gelu(self.embed(x))
        similarities = signal @ signal.T / len(signal)
        adjacency = published_adjacency(similarities)
        if self.filter in ("fourier", "spline") and len(x) < self.order:
            raise InvalidInputError(
                f"HAGCN's published {self.filter} filter takes {self.order} eigenvectors of a batch of {len(x)} rows; "
                "lower order or raise batch_size."
            )
        return self.decoder(self._filtered(adjacency, signal)), similarities

    def _filtered(self, adjacency: Tensor, signal: Tensor) -> Tensor:
        if self.filter == "gcn":
            normal: Tensor = self.norm(self.mix(adjacency @ signal))
            return normal
        if self.filter == "chebyshev":
            return self._chebyshev(adjacency, signal)
        if self.filter == "lanczos":
            start = torch.randn(len(adjacency)).to(adjacency)
            tridiagonal, basis = published_lanczos(adjacency, start, self.order)
            return basis @ (tridiagonal @ (basis.T @ signal))
        values, vectors = torch.linalg.eigh(adjacency)
        vectors = vectors[:, : self.order]
        left = vectors
        if self.filter == "spline":
            left = vectors @ published_spline_basis(values[: self.order], self.order)
        filtered: Tensor = self.mix(left) @ (vectors.T @ signal)
        return filtered

    def _chebyshev(self, adjacency: Tensor, signal: Tensor) -> Tensor:
        terms = [signal, adjacency @ signal]
        for _ in range(2, self.order + 1):
            terms.append(2 * adjacency @ terms[-1] - terms[-2])
        return torch.stack(terms).sum(dim=0)
