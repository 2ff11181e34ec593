import json
import re
from html.parser import HTMLParser

import msgspec
import pytest

from hammingway.errors import InvalidInputError
from hammingway.reports.html import write_report


class Page(HTMLParser):
    """Collects what a browser would see: elements with attributes, chart specifications, text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.specs, self._open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._open.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        tag, attributes = self._open[-1] if self._open else ("", {})
        if tag == "script" and attributes.get("type") == "application/json":
            self.specs.append(json.loads(data))
        elif tag not in ("script", "style"):
            self.texts.append(data)


@pytest.fixture
def page(tmp_path):
    def write(records, **options):
        return Page(write_report(records, tmp_path / "report.html", **options).read_text())

    return write


def points(spec):
    """Return what a chart draws."""
    return [point for values in spec["datasets"].values() for point in values]


@pytest.fixture
def records(record, refused):
    return [record(h, b) for h in ("lsh", "itq") for b in (8, 16, 32)] + [refused()]


def test_the_page_loads_nothing(page, records):
    elements = page(records).elements
    for tag, attributes in elements:
        assert not {"src", "href", "srcset", "data", "action"} & set(attributes), (tag, attributes)
    assert "link" not in {tag for tag, _ in elements}
    policy = next(a["content"] for tag, a in elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy


def test_styles_fetch_nothing(tmp_path, records):
    text = write_report(records, tmp_path / "report.html").read_text()
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert styles
    assert not any("url(" in style or "@import" in style for style in styles)


def test_every_chart_has_its_place_and_data(page, records):
    result = page(records)
    places = [a for tag, a in result.elements if a.get("class") == "chart"]
    assert len(places) == len(result.specs) == 4 + 3 + 3
    assert all(all(spec["datasets"].values()) for spec in result.specs)


def test_the_table_has_a_row_a_run_and_refusals_below(page, records):
    result = page(records)
    cells = [a for tag, a in result.elements if tag == "td" and "data-sort" in a]
    rows = [tag for tag, _ in result.elements if tag == "tr"]
    assert len(rows) == 1 + 6
    assert {"lsh", "itq"} <= {a["data-sort"] for a in cells}
    assert "Not run: pcah at 65 bits: too many bits for 64 features." in result.texts


def test_hostile_names_are_escaped(page, record):
    evil = "<script>alert(1)</script>"
    result = page([record(evil, dataset=evil)], title=evil)
    assert evil in "".join(result.texts)
    assert [a for tag, a in result.elements if tag == "script"].count({}) == 2
    assert result.specs[0]["layer"][0]["encoding"]["color"]["scale"]["domain"] == [evil]


def test_each_data_set_has_its_section_with_the_same_colours(page, record):
    result = page([record("lsh"), record("itq"), record("itq", dataset="mnist"), record("lsh", dataset="mnist")])
    assert [text for text in result.texts if text in ("digits", "mnist")] == ["digits", "mnist"]
    scales = [spec["layer"][0]["encoding"]["color"]["scale"] for spec in result.specs]
    assert all(scale == scales[0] for scale in scales)


def test_the_page_says_how_to_reproduce_it(page, record):
    text = "".join(page([record("lsh", 8), record("itq", 16)]).texts)
    assert "hammingway evaluate digits --hasher lsh,itq --bits 8,16 --metric euclidean --k 100 --seed 0" in text
    assert "A fine processor" in text
    assert "hammingway demo" in "".join(page([record()], command="hammingway demo").texts)


def test_models_are_named_in_the_command_and_their_seeds_are_not(page, record, from_file):
    both = "".join(page([record("lsh", 8, seed=3), from_file("a b.hwh")]).texts)
    assert "evaluate digits --hasher lsh --bits 8 --model 'a b.hwh' --metric euclidean --k 100 --seed 3" in both
    assert "fitted before, on rows that are not known" in both
    alone = page([from_file(seed=7)]).texts
    assert "hammingway evaluate digits --model h.hwh --metric euclidean --k 100 --seed 0" in alone
    assert "Seeds" not in alone
    assert "Seeds" in page([record()]).texts


def test_with_models_only_the_page_speaks_of_no_training_rows_and_no_fit(page, record, from_file):
    def protocol(records):
        return "".join(page(records).texts).partition("Protocol")[2].partition("Machine")[0]

    alone = protocol([from_file("a.hwh"), from_file("b.hwh", model="b2:two")])
    assert "ten held out" in alone and "10 queries, 1,000 database" in alone and "encode once;" in alone
    assert "training" not in alone and "fit" not in alone
    both = protocol([from_file(), record()])
    assert "The database is the training part, too." in both
    assert "1,000 training" in both and "fit and encode once each" in both


def test_unlabelled_data_show_the_short_list_instead_of_map(page, record):
    quality = {"r1@1": 0.2, "r10@10": 0.5, "r10@100": 0.8}
    texts = page([record(quality=quality, curves={"recall": [(1, 0.2), (100, 0.8)]})]).texts
    assert "Recall of a short list against bytes" in texts
    assert "mAP against bits" not in texts
    assert "Precision and recall" not in texts


def test_without_neighbours_sought_the_page_goes_by_map(page, record):
    def by_labels(hasher, n_bits):
        one = record(hasher, n_bits, quality={"mAP@all": 0.7, "P@10": 0.8}, curves={"precision-recall": [(0.1, 0.9)]})
        spec = msgspec.structs.replace(one.spec, n_true=0)
        return msgspec.structs.replace(one, spec=spec, run_id=spec.run_id)

    result = page([by_labels("lsh", 8), by_labels("itq", 16)])
    text = " ".join(result.texts)
    assert "Queries a second against mAP" in text
    assert "mAP@all, the best here" in text
    assert "neighbours" not in text and "Recall" not in text
    assert len(result.specs) == 3 + 2


def test_what_reads_the_originals_is_not_sold_at_the_bytes_of_a_code(page, record, ranking):
    rankings = {"asymmetric-8": ranking(0.6), "rerank-100": ranking(0.968)}
    result = page([record("itq", 16, recall=0.5, rankings=rankings), record("itq", 32, recall=0.55)])
    assert "r10@10, the best of codes alone: itq asymmetric-8 at 2 bytes" in result.texts
    assert "r10@10, the best that reads originals, too: itq rerank-100" in result.texts
    assert "256 bytes a vector against 2 bytes a code" in result.texts
    assert not any("rerank-100 at 2" in text for text in result.texts)
    assert sum("Rankings that read the originals, too, are left out." in text for text in result.texts) == 1
    by_bytes, by_rate = result.specs[0], result.specs[2]
    assert {point["hasher"] for point in points(by_bytes)} == {"itq", "itq asymmetric-8"}
    assert {point["hasher"] for point in points(by_rate)} == {"itq", "itq asymmetric-8", "itq rerank-100"}


def test_without_rankings_that_read_the_originals_nothing_is_said_of_them(page, record, ranking):
    text = " ".join(page([record(rankings={"asymmetric-8": ranking()})]).texts)
    assert "r10@10, the best here: itq asymmetric-8 at 4 bytes" in text
    assert "originals" not in text


def test_many_widths_give_four_small_multiples(page, record):
    texts = page([record("lsh", n_bits) for n_bits in (8, 16, 24, 32, 48, 64, 128)]).texts
    captions = [text for text in texts if re.fullmatch(r"\d+ bits", text)]
    assert captions == ["8 bits", "24 bits", "48 bits", "128 bits"] * 2


def test_without_a_measured_run_there_is_no_report(tmp_path, refused):
    with pytest.raises(InvalidInputError, match="no measured run"):
        write_report([refused()], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_where_all_codes_are_distinct_the_latency_is_shown_instead(page, record):
    texts = page([record(health={"distinct share": 0.99}), record("lsh", health={"distinct share": 1.0})]).texts
    assert "One query against bits" in texts
    assert "Distinct codes against bits" not in texts


def test_runs_of_differing_searches_are_not_compared(page, record):
    other = record("lsh", quality={"r1@1": 0.4, "r10@5": 0.5})
    spec = msgspec.structs.replace(other.spec, k=5)
    text = page([record("itq"), msgspec.structs.replace(other, spec=spec, run_id=spec.run_id)])
    assert sum(tag == "section" for tag, _ in text.elements) == 2


def test_queries_left_out_of_a_mean_are_told(page, record):
    text = " ".join(page([record(undefined={"mAP@all": 3})]).texts)
    assert "mAP@all: 3 of 10 queries have no relevant item in the database" in text
