"""Registered metrics."""

import inspect

import numpy as np
import pytest

from hammingway import metrics, registry
from hammingway.metrics import DistanceCounts, Metric

ARGUMENTS = {
    "counts": (DistanceCounts(np.array([[1, 1, 0], [0, 0, 1]]), np.array([[1, 2, 1], [2, 1, 1]])),),
    "ids": (np.array([[3, 4], [5, 6]]), np.array([[3], [7]])),
    "distances": (np.array([[1, 2], [3, 4]]), np.array([[1, 1], [3, 4]])),
}


@pytest.mark.parametrize("name", registry.names("metrics"))
def test_a_registered_metric_gives_one_value_a_query(name):
    metric = registry.load("metrics", name)
    assert isinstance(metric, Metric) and metric.name == name
    parameters = {} if metric.parameter is None else {metric.parameter: 2}
    values = metric.function(*ARGUMENTS[metric.reads], **parameters)
    assert values.shape == (2,) and values.dtype == np.float64
    if metric.unit == "fraction":
        assert np.all((values >= 0) & (values <= 1))


def test_every_metric_of_a_ranking_is_registered_under_its_function_name():
    """Functions that return one value a query are those whose first argument is a ranking."""
    public = {name: getattr(metrics, name) for name in metrics.__all__}
    rankings = {
        name.replace("_", "-")
        for name, value in public.items()
        if inspect.isfunction(value)
        and next(iter(inspect.signature(value).parameters)) in ("counts", "ids", "distances")
        and not name.startswith("precision_recall")
    }
    assert rankings == set(registry.names("metrics"))
