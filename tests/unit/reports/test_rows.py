import pytest

from hammingway.reports.rows import of_codes_alone, over_seeds, quality_names, rows_from_records


def test_rates_come_from_the_median_repeat(record):
    (row,) = rows_from_records([record()])
    assert row.batch_rate == pytest.approx(10 / 0.2)
    assert row.single_ms == pytest.approx(2.5)
    assert row.encode_rate == pytest.approx(4000)
    assert row.compression == 64


def test_refused_runs_have_no_row(record, refused):
    assert [row.hasher for row in rows_from_records([refused(), record("lsh")])] == ["lsh"]


def test_seeds_are_averaged_and_other_parameters_kept_apart(record):
    rows = over_seeds(
        rows_from_records(
            [
                record("lsh", seed=0, recall=0.2),
                record("lsh", seed=1, recall=0.4),
                record("lsh", params={"center": True}, recall=0.9),
                record("lsh", 64, recall=0.8),
            ]
        )
    )
    assert [(row.hasher, row.n_bits, row.n_runs, row.seed) for row in rows] == [
        ("lsh", 32, 2, None),
        ("lsh(center=True)", 32, 1, 0),
        ("lsh", 64, 1, 0),
    ]
    assert [row.quality["r10@10"] for row in rows] == pytest.approx([0.3, 0.9, 0.8])


def test_a_file_that_held_two_models_has_two_rows_and_no_time_of_a_fit(from_file):
    rows = over_seeds(rows_from_records([from_file(model="b2:one"), from_file(model="b2:two")]))
    assert [(row.hasher, row.n_runs, row.fit_seconds) for row in rows] == 2 * [("itq(model=h.hwh)", 1, None)]


def test_usual_metrics_come_first_and_none_is_lost(record):
    quality = {"odd": 0.1, "mAP@all": 0.2, "r10@10": 0.3}
    assert quality_names(rows_from_records([record(quality=quality)])) == ["r10@10", "mAP@all", "odd"]


def test_a_metric_that_a_seed_lacks_has_no_mean(record):
    rows = rows_from_records([record(seed=0), record(seed=1, quality={"r10@10": 0.1})])
    assert over_seeds(rows)[0].quality == {"r10@10": pytest.approx(0.3)}


def test_every_other_ranking_is_a_row_of_its_own(record, ranking):
    other = ranking(recall=0.75)
    rows = rows_from_records(
        [record(rankings={"asymmetric-8": other}), record(seed=1, rankings={"asymmetric-8": other})]
    )
    plain, ranked = over_seeds(rows)
    assert (plain.hasher, ranked.hasher) == ("itq", "itq asymmetric-8")
    assert (plain.quality["r10@10"], ranked.quality) == (0.5, other.quality)
    assert ranked.batch_rate == pytest.approx(10 / 0.4)
    assert ranked.single_ms == pytest.approx(6.0)
    assert (ranked.code_bytes, ranked.fit_seconds, ranked.n_runs) == (plain.code_bytes, plain.fit_seconds, 2)


def test_only_rankings_that_rerank_read_more_than_codes(record, ranking):
    names = ("asymmetric-8", "rerank-100", "asymmetric-8+rerank-100")
    records = [record(seed=seed, rankings={name: ranking() for name in names}) for seed in (0, 1)]
    rows = rows_from_records(records)
    assert [row.hasher for row in of_codes_alone(rows)] == 2 * ["itq", "itq asymmetric-8"]
    assert [row.hasher for row in of_codes_alone(over_seeds(rows))] == ["itq", "itq asymmetric-8"]
