import math

import pytest

from hammingway.reports import charts
from hammingway.reports.rows import rows_from_records


@pytest.fixture
def rows(record):
    return rows_from_records([record(h, b) for h in ("lsh", "itq") for b in (8, 16, 32)])


def encodings(spec):
    return spec["layer"][0]["encoding"]


def test_every_chart_uses_one_colour_a_hasher_whatever_it_shows(rows):
    hashers = ["lsh", "itq", "sh"]
    specs = [
        charts.metric_against_size(rows, "r10@10", hashers=hashers),
        charts.lookup_curve(rows[:1], hashers=hashers),
        charts.recall_curve(rows[3:4], hashers=hashers, top=1, n_true=10),
        charts.rate_against_quality(rows, "r10@10", hashers=hashers),
        charts.distinct_against_bits(rows, hashers=hashers),
    ]
    scales = [encodings(spec)["color"]["scale"] for spec in specs]
    assert all(scale == {"domain": hashers, "range": list(charts.COLORS[:3])} for scale in scales)


def test_sizes_are_the_ticks_of_a_logarithmic_axis(rows):
    x = encodings(charts.metric_against_size(rows, "r10@10", hashers=["lsh", "itq"]))["x"]
    assert x["axis"]["values"] == [1, 2, 4]
    assert (x["scale"]["type"], x["scale"]["base"]) == ("log", 2)
    assert x["scale"]["domain"][0] < 1 < 4 < x["scale"]["domain"][1]


def test_rate_ticks_are_round_and_inside_the_axis(rows):
    y = encodings(charts.rate_against_quality(rows, "r10@10", hashers=["lsh", "itq"]))["y"]
    low, high = y["scale"]["domain"]
    assert low <= 50 <= high
    assert all(low <= tick <= high for tick in y["axis"]["values"])
    assert all(round(tick / 10 ** math.floor(math.log10(tick))) in (1, 2, 5) for tick in y["axis"]["values"])


def test_colours_and_shapes_are_distinct():
    assert len(set(charts.COLORS)) == len(charts.COLORS)
    assert len(set(charts.SHAPES)) == len(charts.SHAPES) == len(charts.COLORS)


def test_more_hashers_than_colours_start_over(record):
    names = [f"h{number}" for number in range(10)]
    spec = charts.metric_against_size(rows_from_records([record("h9")]), "r10@10", hashers=names)
    assert encodings(spec)["color"]["scale"]["range"][8] == charts.COLORS[0]


def test_a_specification_names_no_address(rows):
    assert "http" not in str(charts.metric_against_size(rows, "r10@10", hashers=["lsh", "itq"]))


@pytest.mark.parametrize(
    ("value", "down", "up"), [(1, 1, 1), (3, 2, 5), (7, 5, 10), (99_999, 50_000, 100_000), (0.3, 0.2, 0.5)]
)
def test_axis_ends_are_the_nearest_one_two_five_steps(value, down, up):
    assert charts._step_down(value) == pytest.approx(down)
    assert charts._step_up(value) == pytest.approx(up)


def test_specifications_are_valid_vega_lite(rows):
    import altair

    for spec in (
        charts.metric_against_size(rows, "r10@10", hashers=["lsh", "itq"]),
        charts.rate_against_quality(rows, "r10@10", hashers=["lsh", "itq"]),
        charts.lookup_curve(rows[:1], hashers=["lsh", "itq"]),
    ):
        altair.Chart.from_dict(spec, validate=True)


@pytest.mark.parametrize("top", [0.1, 0.2, 0.3, 0.4, 0.7, 0.8, 1.0])
def test_tick_labels_of_shares_are_all_different(record, top):
    spec = charts.metric_against_size(rows_from_records([record(recall=top - 0.01)]), "r10@10", hashers=["itq"])
    y = encodings(spec)["y"]
    labels = [format(tick, y["axis"]["format"].removeprefix("~")) for tick in y["axis"]["values"]]
    assert y["scale"]["domain"] == [0, pytest.approx(top)]
    assert len(set(labels)) == len(labels) >= 3
    assert y["axis"]["values"][-1] <= top + 1e-9


def test_an_axis_of_one_rate_still_has_two_ends(record):
    costs = record().costs
    rows = rows_from_records([record(costs=type(costs)(**{**vars_of(costs), "batch_seconds": (0.1,)}))])
    low, high = encodings(charts.rate_against_quality(rows, "r10@10", hashers=["itq"]))["y"]["scale"]["domain"]
    assert low == 100 < high


def vars_of(struct):
    return {name: getattr(struct, name) for name in struct.__struct_fields__}
