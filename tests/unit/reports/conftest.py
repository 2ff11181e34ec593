import pytest
from msgspec.structs import replace

from hammingway.bench.spec import Component, DataSpec, RunSpec
from hammingway.bench.store import Costs, DataFacts, RankingResult, Record

CURVES = {"recall": [(1, 0.1), (10, 0.5), (100, 0.9)], "precision-recall": [(0.1, 0.9), (1.0, 0.2)]}


@pytest.fixture
def record():
    """Return a maker of measured records of made-up numbers."""

    def make(hasher="itq", n_bits=32, *, seed=0, dataset="digits", metric="euclidean", recall=0.5, **changes):
        spec = RunSpec(
            data=DataSpec(dataset=dataset, metric=metric),
            hasher=Component(name=hasher, params=changes.pop("params", {})),
            n_bits=n_bits,
            seed=seed,
        )
        facts = DataFacts(
            digest=f"b2:{dataset}",
            protocol="ten held out",
            n_queries=10,
            n_database=1000,
            n_training=1000,
            d=64,
            vector_bytes=256,
            labelled=True,
            training="The database is the training part, too.",
        )
        costs = Costs(
            fit_seconds=0.5,
            encode_seconds=0.25,
            encode_rows=1000,
            batch_seconds=(0.4, 0.1, 0.2),
            batch_queries=10,
            single_seconds=((0.001, 0.002), (0.003, 0.004)),
            code_bytes=-(-n_bits // 8),
            index_bytes=2048,
        )
        values = {
            "status": "measured",
            "data": facts,
            "environment": {"cpu": "A fine processor", "kernel": "numpy"},
            "started_at": "2026-01-01T00:00:00+00:00",
            "quality": {"r1@1": 0.25, "r10@10": recall, "r10@100": 0.9, "mAP@all": 0.7, "P@10": 0.8},
            "curves": CURVES,
            "health": {"bit balance": 0.9, "distinct share": 0.8},
            "costs": costs,
        }
        return Record(run_id=spec.run_id, spec=spec, **{**values, **changes})

    return make


@pytest.fixture
def ranking():
    """Return a maker of what another ranking of a record's codes found, in made-up numbers."""

    def make(recall=0.75):
        return RankingResult(
            quality={"r1@1": recall, "r10@10": recall, "r10@100": 0.9},
            curves={"recall": [(10, recall)]},
            batch_seconds=(0.5, 0.1, 0.4),
            single_seconds=((0.005, 0.007), (0.006, 0.006)),
        )

    return make


@pytest.fixture
def from_file(record):
    """Return a maker of records of hashers that came from files."""

    def make(file="h.hwh", n_bits=32, *, model="b2:one", **changes):
        plain = record("itq", n_bits, **changes)
        spec = replace(plain.spec, model=model, model_file=file)
        return replace(plain, run_id=spec.run_id, spec=spec, costs=replace(plain.costs, fit_seconds=None))

    return make


@pytest.fixture
def refused(record):
    """Return a maker of refused records."""

    def make(hasher="pcah", n_bits=65, *, seed=0):
        values = {"status": "refused", "reason": "too many bits for 64 features"}
        return record(hasher, n_bits, seed=seed, costs=None, quality={}, curves={}, **values)

    return make
