import numpy as np
import pytest

from hammingway.bench.quality import code_health, label_quality, recall_quality
from hammingway.codes import Codes


def test_recall_counts_the_true_neighbours_among_the_first_results():
    truth = np.array([[0, 1], [5, 6]])
    ids = np.array([[0, 9, 1, 8], [7, 5, 8, -1]])
    quality, curves = recall_quality(ids, truth, k=4)
    assert quality == {"r1@1": 0.5, "r2@2": 0.5, "r2@4": 0.75}
    assert curves["recall"] == [(1.0, 0.25), (2.0, 0.5), (3.0, 0.75), (4.0, 0.75)]


def test_recall_beyond_the_results_is_left_out():
    quality, curves = recall_quality(np.array([[3]]), np.array([[3, 4, 5]]), k=1)
    assert quality == {"r1@1": 1.0, "r3@1": pytest.approx(1 / 3)}
    assert curves["recall"] == [(1.0, pytest.approx(1 / 3))]


def test_perfect_codes_have_perfect_label_quality():
    labels = np.repeat([0, 1], 8)
    codes = Codes.from_bits(np.repeat([[0, 0, 0], [1, 1, 1]], 8, axis=0))
    quality, _, curves = label_quality(codes[::8], codes, (labels[::8], labels))
    assert quality["mAP@all"] == 1
    assert quality["P@r<=2"] == 1
    assert "mAP@1000" not in quality
    assert curves["precision-recall"][0] == (pytest.approx(1 / 8), pytest.approx(1.0))
    assert curves["precision-recall"][-1] == (pytest.approx(1.0), pytest.approx(0.5))


def test_codes_that_are_all_alike_score_the_share_of_relevant_items():
    labels = np.repeat([0, 1], 50)
    codes = Codes.from_bits(np.zeros((100, 5), np.uint8))
    quality, _, _ = label_quality(codes[:1], codes, (labels[:1], labels))
    assert quality["P@10"] == pytest.approx(0.5)
    assert quality["P@r<=2"] == pytest.approx(0.5)


def test_one_bit_codes_are_looked_up_within_one_bit():
    codes = Codes.from_bits([[0], [1]])
    quality, _, _ = label_quality(codes, codes, (np.array([0, 1]), np.array([0, 1])))
    assert quality["P@r<=1"] == 0.5


def test_queries_without_a_relevant_item_are_counted():
    codes = Codes.from_bits(np.zeros((20, 5), np.uint8))
    quality, undefined, _ = label_quality(codes[:3], codes, (np.array([1, 7, 8]), np.repeat([0, 1], 10)))
    assert quality["mAP@all"] > 0
    assert undefined["mAP@all"] == 2
    assert "P@10" not in undefined
    assert quality["P@10"] == pytest.approx(0.5 / 3)


def test_metrics_undefined_for_every_query_are_left_out_and_counted():
    codes = Codes.from_bits([[0, 1], [1, 1]])
    quality, undefined, curves = label_quality(codes, codes, (np.array([7, 7]), np.array([1, 2])))
    assert "mAP@all" not in quality
    assert undefined["mAP@all"] == 2
    assert curves["precision-recall"] == []


def test_health_of_distinct_balanced_codes():
    health = code_health(Codes.from_bits([[0, 0], [0, 1], [1, 0], [1, 1]]))
    assert health == {
        "bit balance": 1.0,
        "entropy bits": 2.0,
        "distinct share": 1.0,
        "largest bucket share": 0.25,
    }
