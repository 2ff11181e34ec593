import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from hammingway.deep.batches import Batch, Rows
from hammingway.deep.objectives.base import TaskShape
from hammingway.deep.objectives.graph_filters import FILTERS, normalized_adjacency
from hammingway.deep.objectives.hagcn import HAGCNObjective, HAGCNOptions, similarity_loss
from hammingway.deep.objectives.published_hagcn import (
    published_adjacency,
    published_lanczos,
    published_spline_basis,
)
from hammingway.errors import InvalidInputError

N, D, BITS, ORDER = 10, 8, 6, 5


def numbers(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def objective_of(**options):
    torch.manual_seed(0)
    objective = HAGCNObjective(HAGCNOptions(order=ORDER, **options), TaskShape(BITS, (D,), N, None))
    objective.prepare(Rows(numbers(N, D).numpy() * 3 + 1), None, torch.Generator())
    return objective


def batch_of(x):
    return Batch(rows=torch.arange(len(x)), x=x, labels=None)


@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 65])
def test_similarity_loss_is_the_mean_over_all_pairs(n_bits):
    codes, similarities = torch.tanh(numbers(5, n_bits)), numbers(5, 5, seed=1)
    total = 0.0
    for i in range(5):
        for j in range(5):
            total += (float(codes[i] @ codes[j]) - n_bits * float(similarities[i, j])) ** 2
    assert_allclose(similarity_loss(codes, similarities), total / 25, rtol=1e-4)


@pytest.mark.parametrize("name", FILTERS)
def test_loss_is_reconstruction_from_filtered_codes_plus_similarity(name):
    objective, scores, x = objective_of(filter=name), numbers(N, BITS, seed=1), numbers(N, D) * 3 + 1
    data = x.numpy().astype(float)
    scaled = torch.from_numpy((data - data.mean(axis=0)) / np.sqrt(((data - data.mean(axis=0)) ** 2).mean())).float()
    units = scaled / scaled.norm(dim=1, keepdim=True)
    codes = torch.tanh(scores / 2)
    signal = torch.nn.functional.gelu(objective.lift(codes))
    decoded = objective.decoder(objective.filter(normalized_adjacency(units @ units.T), signal))
    expected = (decoded - scaled).square().mean() + 1e-4 * similarity_loss(codes, units @ units.T)
    assert_allclose(objective(scores, batch_of(x)).item(), expected.item(), rtol=1e-4)


@pytest.mark.parametrize("name", FILTERS)
def test_reconstruction_trains_the_code(name):
    objective, scores = objective_of(filter=name, similarity=0.0), numbers(N, BITS).requires_grad_()
    objective(scores, batch_of(numbers(N, D))).backward()
    assert scores.grad.abs().max() > 0


def test_without_the_graph_every_row_stands_alone():
    objective, scores, x = objective_of(graph="none", similarity=0.0), numbers(N, BITS), numbers(N, D)
    losses = [objective(scores[i : i + 1], batch_of(x[i : i + 1])).item() for i in range(N)]
    assert_allclose(objective(scores, batch_of(x)).item(), np.mean(losses), rtol=1e-5)
    with_graph = objective_of(similarity=0.0)
    alone = [with_graph(scores[i : i + 1], batch_of(x[i : i + 1])).item() for i in range(N)]
    assert abs(with_graph(scores, batch_of(x)).item() - np.mean(alone)) > 1e-4


def test_equal_rows_are_scaled_by_one():
    objective = HAGCNObjective(HAGCNOptions(), TaskShape(BITS, (D,), N, None))
    objective.prepare(Rows(np.ones((N, D))), None, torch.Generator())
    assert torch.isfinite(objective(numbers(N, BITS), batch_of(torch.ones(N, D))))


def cox_de_boor(i, degree, x, knots):
    if degree == 0:
        return float(knots[i] <= x < knots[i + 1])
    value = 0.0
    if knots[i + degree] - knots[i] > 1e-10:
        value += (x - knots[i]) / (knots[i + degree] - knots[i] + 1e-10) * cox_de_boor(i, degree - 1, x, knots)
    if knots[i + degree + 1] - knots[i + 1] > 1e-10:
        width = knots[i + degree + 1] - knots[i + 1] + 1e-10
        value += (knots[i + degree + 1] - x) / width * cox_de_boor(i + 1, degree - 1, x, knots)
    return value


@pytest.mark.parametrize("n_functions", [4, 5, 9])
def test_published_splines_are_the_recursion_with_a_last_entry_of_one(n_functions):
    values = np.sort(np.random.default_rng(0).normal(size=n_functions))
    inner = np.linspace(values[0], values[-1], n_functions - 2)
    knots = np.concatenate([[values[0]] * 3, inner, [values[-1]] * 3])
    expected = np.array([[cox_de_boor(i, 3, x, knots) for i in range(n_functions)] for x in values])
    expected[-1, -1] = 1
    assert_allclose(published_spline_basis(torch.from_numpy(values), n_functions), expected, atol=1e-9)


def published_reference(objective, x, start):
    """Return the program's reconstruction and similarities in NumPy, written from its formulas."""

    def linear(layer, value):
        return value @ layer.weight.detach().double().numpy().T + layer.bias.detach().double().numpy()

    def gelu(value):
        return torch.nn.functional.gelu(torch.from_numpy(value)).numpy()

    part = objective.published
    Z = gelu(linear(part.embed, x))
    S = Z @ Z.T / len(x)
    A = 1 + S
    scale = np.diag(1 / np.sqrt(A.sum(axis=1)))
    L = scale @ A @ scale
    # The same routine, as the published result depends on the arbitrary signs of eigenvectors.
    values, vectors = (found.numpy() for found in torch.linalg.eigh(torch.from_numpy(L)))
    values, U = values[:ORDER], vectors[:, :ORDER]
    if part.filter == "gcn":
        mixed = linear(part.mix, L @ Z)
        centred = mixed - mixed.mean(axis=1, keepdims=True)
        out = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    elif part.filter == "fourier":
        out = linear(part.mix, U) @ U.T @ Z
    elif part.filter == "spline":
        out = linear(part.mix, U @ published_spline_basis(torch.from_numpy(values), ORDER).numpy()) @ U.T @ Z
    elif part.filter == "chebyshev":
        everything, U_all = np.linalg.eigh(L)
        gains = sum(np.cos(j * np.arccos(np.clip(everything, -1, 1))) for j in range(ORDER + 1))
        out = U_all @ np.diag(gains) @ U_all.T @ Z
    else:
        out = published_lanczos_by_loops(L, start) @ Z
    for layer in part.decoder:
        out = linear(layer, out) if isinstance(layer, torch.nn.Linear) else gelu(out)
    return out, S


def published_lanczos_by_loops(L, start):
    V, alphas, betas = [start / np.linalg.norm(start)], [], []
    for i in range(ORDER):
        w = L @ V[-1]
        alphas.append(V[-1] @ w)
        w = w - alphas[-1] * V[-1] - (betas[-1] * V[-2] if i else 0)
        betas.append(np.linalg.norm(w))
        V.append(w / betas[-1])
    T = np.diag(alphas)
    for i in range(ORDER - 1):
        T[i, i + 1] = T[i + 1, i] = betas[i + 1]
    basis = np.stack(V[:-1], axis=1)
    return basis @ T @ basis.T


@pytest.mark.parametrize("name", FILTERS)
def test_faithful_loss_is_the_published_arithmetic(name):
    objective = objective_of(filter=name, faithful=True).double()
    scores, x = numbers(N, BITS, seed=1).double(), numbers(N, D, seed=2).double() * 2
    torch.manual_seed(7)
    start = torch.randn(N).double().numpy()
    torch.manual_seed(7)
    loss = objective(scores, batch_of(x)).item()
    decoded, S = published_reference(objective, x.numpy(), start)
    codes = 2 / (1 + np.exp(-scores.numpy())) - 1
    expected = np.mean((decoded - x.numpy()) ** 2) + 1e-4 * np.mean((codes @ codes.T - BITS * S) ** 2)
    assert_allclose(loss, expected, rtol=1e-6)


@pytest.mark.parametrize("name", FILTERS)
def test_in_the_published_arithmetic_reconstruction_does_not_train_the_code(name):
    objective, scores = objective_of(filter=name, similarity=0.0, faithful=True), numbers(N, BITS).requires_grad_()
    objective(scores, batch_of(numbers(N, D))).backward()
    assert scores.grad.abs().max() == 0


def test_published_adjacency_adds_one_to_every_entry_and_may_be_nan():
    S = np.array([[0.5, -0.2], [-0.2, 1.0]])
    A = 1 + S
    expected = A / np.sqrt(np.outer(A.sum(axis=1), A.sum(axis=1)))
    assert_allclose(published_adjacency(torch.from_numpy(S)), expected)
    assert torch.isnan(published_adjacency(torch.tensor([[-3.0]]))).all()


def test_published_lanczos_is_off_by_one_beside_the_diagonal():
    matrix = numbers(N, N).double()
    matrix = matrix + matrix.T
    T, V = published_lanczos(matrix, numbers(N, seed=1).double(), 4)
    true = (V.T @ matrix @ V).numpy()
    assert_allclose(np.diag(T), np.diag(true), rtol=1e-6)
    assert_allclose(np.diag(T, 1)[:2], np.diag(true, 1)[1:], rtol=1e-6)


def test_options_that_contradict_each_other_are_refused():
    for options in ({"faithful": True, "graph": "none"}, {"faithful": True, "hidden": 4}):
        with pytest.raises(InvalidInputError, match="leave graph and hidden"):
            objective_of(**options)
    with pytest.raises(InvalidInputError, match="order >= 4"):
        HAGCNObjective(HAGCNOptions(filter="spline", order=3), TaskShape(BITS, (D,), N, None))
    with pytest.raises(InvalidInputError, match="raise batch_size"):
        objective_of(filter="fourier", faithful=True)(numbers(3, BITS), batch_of(numbers(3, D)))
