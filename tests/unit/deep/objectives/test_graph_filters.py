import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.interpolate import BSpline

from hammingway.deep.objectives.graph_filters import FILTERS, lanczos, normalized_adjacency, spline_basis


def numbers(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def graph(n, seed=0):
    units = torch.nn.functional.normalize(numbers(n, 4, seed=seed), dim=1)
    return normalized_adjacency(units @ units.T)


def made(name, n_dims, order):
    torch.manual_seed(0)
    one = FILTERS[name](n_dims, order).double()
    for parameter in one.parameters():
        torch.nn.init.normal_(parameter)
    return one


@pytest.mark.parametrize("n", [1, 2, 9])
def test_adjacency_is_normalised_with_one_self_loop_each(n):
    similarities = numbers(n, n)
    similarities = similarities + similarities.T
    A = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            A[i, j] = 1.0 if i == j else max(similarities[i, j].item(), 0)
    expected = [[A[i, j] / np.sqrt(A[i].sum() * A[j].sum()) for j in range(n)] for i in range(n)]
    found = normalized_adjacency(similarities)
    assert_allclose(found, expected, rtol=1e-9)
    values = np.linalg.eigvalsh(np.eye(n) - found.numpy())
    assert values.min() > -1e-9 and values.max() < 2 + 1e-9


@pytest.mark.parametrize("n_functions", [4, 5, 18])
def test_spline_basis_is_that_of_scipy_and_sums_to_one_up_to_both_ends(n_functions):
    values = np.concatenate([[0, 2], np.linspace(0, 2, 40), np.random.default_rng(0).uniform(0, 2, 20)])
    basis = spline_basis(torch.from_numpy(values), n_functions)
    knots = np.concatenate([[0] * 3, np.linspace(0, 2, n_functions - 2), [2] * 3])
    assert_allclose(basis, BSpline.design_matrix(values, knots, 3).toarray(), atol=1e-12)
    assert_allclose(basis.sum(dim=1), 1.0)


@pytest.mark.parametrize(("n", "n_steps"), [(1, 5), (6, 1), (30, 6), (30, 30), (30, 99)])
def test_lanczos_reduces_the_matrix_in_an_orthonormal_basis(n, n_steps):
    matrix, start = graph(n), numbers(n)
    T, V = lanczos(matrix, start, n_steps)
    assert V.shape[1] <= min(n, n_steps)
    assert_allclose(V.T @ V, np.eye(V.shape[1]), atol=1e-10)
    assert_allclose(V.T @ matrix @ V, T, atol=1e-8)


def test_lanczos_stops_where_the_space_is_exhausted():
    T, V = lanczos(torch.diag(torch.tensor([1.0, 1, 1, 2, 2, 2]).double()), numbers(6), 6)
    assert T.shape == (2, 2)
    assert_allclose(torch.linalg.eigvalsh(T), [1, 2], rtol=1e-9)
    assert torch.isfinite(V).all()


def eigen(adjacency):
    values, vectors = np.linalg.eigh(np.eye(len(adjacency)) - adjacency.numpy())
    return values, vectors


def weights(one):
    return one.mix.weight.detach().numpy(), one.mix.bias.detach().numpy()


def test_gcn_mixes_neighbours():
    adjacency, signal, one = graph(9), numbers(9, 5), made("gcn", 5, 3)
    W, b = weights(one)
    assert_allclose(one(adjacency, signal).detach(), adjacency.numpy() @ signal.numpy() @ W.T + b, rtol=1e-9)


@pytest.mark.parametrize("order", [1, 4, 9, 20])
def test_fourier_weighs_the_lowest_frequencies(order):
    adjacency, signal, one = graph(9), numbers(9, 5), made("fourier", 5, order)
    (W, b), (_, U) = weights(one), eigen(adjacency)
    k = min(order, 9)
    kernel = U[:, :k] @ np.diag(one.response.detach()[:k]) @ U[:, :k].T
    assert_allclose(one(adjacency, signal).detach(), kernel @ signal.numpy() @ W.T + b, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("order", [4, 8])
def test_spline_weighs_each_frequency_by_a_smooth_response(order):
    adjacency, signal, one = graph(9), numbers(9, 5), made("spline", 5, order)
    (W, b), (values, U) = weights(one), eigen(adjacency)
    knots = np.concatenate([[0] * 3, np.linspace(0, 2, order - 2), [2] * 3])
    response = BSpline(knots, one.coefficients.detach().numpy(), 3)(np.clip(values, 0, 2))
    kernel = U @ np.diag(response) @ U.T
    assert_allclose(one(adjacency, signal).detach(), kernel @ signal.numpy() @ W.T + b, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("order", [1, 2, 3, 6])
def test_chebyshev_sums_polynomials_of_the_laplacian(order):
    adjacency, signal, one = graph(9), numbers(9, 5), made("chebyshev", 5, order)
    W, b = weights(one)
    values, U = eigen(adjacency)
    expected = np.zeros((9, 5)) + b
    for j in range(order):
        T_j = U @ np.diag(np.cos(j * np.arccos(np.clip(values - 1, -1, 1)))) @ U.T
        expected += T_j @ signal.numpy() @ W[:, 5 * j : 5 * (j + 1)].T
    assert_allclose(one(adjacency, signal).detach(), expected, rtol=1e-6, atol=1e-7)


def test_lanczos_filter_with_all_steps_is_the_response_of_the_whole_spectrum():
    adjacency, signal, one = graph(9), numbers(9, 5), made("lanczos", 5, 9)
    W, b = weights(one)
    values, U = np.linalg.eigh(adjacency.numpy())
    response = one.response(torch.from_numpy(values)[:, None]).detach().numpy()
    expected = U @ (response * (U.T @ signal.numpy())) @ W.T + b
    assert_allclose(one(adjacency, signal).detach(), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("n", [1, 2, 9])
def test_order_of_the_rows_does_not_matter_to_exact_filters_and_gradients_are_finite(name, n):
    adjacency, signal, one = graph(n), numbers(n, 5), made(name, 5, 9)
    result = one(adjacency, signal)
    result.square().sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in one.parameters() if parameter.grad is not None)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    permuted = one(adjacency[order][:, order], signal[order])
    assert_allclose(permuted.detach(), result[order].detach(), rtol=1e-5, atol=1e-6)
