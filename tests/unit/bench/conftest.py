import pytest

from hammingway.bench.spec import Component, DataSpec, RunSpec
from hammingway.bench.store import Costs, DataFacts, Record


@pytest.fixture
def record():
    """Return a maker of measured records."""

    def make(*, hasher="itq", n_bits=32, seed=0, digest="b2:data", **changes):
        spec = RunSpec(data=DataSpec(dataset="digits"), hasher=Component(name=hasher), n_bits=n_bits, seed=seed)
        facts = DataFacts(
            digest=digest,
            protocol="held out",
            n_queries=10,
            n_database=100,
            n_training=100,
            d=64,
            vector_bytes=256,
            labelled=True,
        )
        costs = Costs(
            fit_seconds=0.5,
            encode_seconds=0.25,
            encode_rows=100,
            batch_seconds=(0.2, 0.1),
            batch_queries=10,
            single_seconds=((0.01, 0.02), (0.03, 0.04)),
            code_bytes=-(-n_bits // 8),
            index_bytes=4096,
        )
        values = {
            "status": "measured",
            "data": facts,
            "environment": {"kernel": "numpy"},
            "started_at": "2026-01-01T00:00:00+00:00",
            "quality": {"r10@10": 0.5},
            "curves": {"recall": [(1, 0.1), (10, 0.5)]},
            "costs": costs,
        }
        return Record(run_id=spec.run_id, spec=spec, **{**values, **changes})

    return make
