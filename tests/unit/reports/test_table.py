import io
import json

from rich.console import Console

from hammingway.reports.table import legend, markdown, notes, refusals, rich_table, summary


def rendered(table, width=80):
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(table)
    return console.file.getvalue()


def test_markdown_marks_the_best_of_each_width(record):
    text = markdown(
        [record("lsh", recall=0.2), record("itq", recall=0.6), record("lsh", 64, recall=0.7)], metrics=["r10@10"]
    )
    lines = text.splitlines()
    assert lines[0].startswith("| hasher | bits | bytes | r10@10 | fit s |")
    assert lines[2].startswith("| lsh | 32 | 4 | 0.200 |")
    assert lines[3].startswith("| itq | 32 | 4 | **0.600** |")
    assert lines[4].startswith("| lsh | 64 | 8 | 0.700 |")


def test_equal_printed_values_are_marked_alike(record):
    text = markdown([record("lsh", recall=0.6), record("itq", recall=0.6001)], metrics=["r10@10"])
    assert text.count("**0.600**") == 2


def test_markdown_shows_every_metric_by_default(record):
    header = markdown([record(quality={"r1@1": 0.1, "odd one": 0.2})]).splitlines()[0]
    assert "r1@1" in header
    assert "odd one" in header


def test_a_metric_that_a_run_lacks_is_a_dash(record):
    text = markdown(
        [record("lsh", quality={"r1@1": 0.1}), record("itq", quality={"mAP@all": 0.2})], metrics=["mAP@all"]
    )
    assert text.splitlines()[2].startswith("| lsh | 32 | 4 | - |")


def test_refused_runs_stand_below_the_table_with_their_reason(record, refused):
    records = [record(), refused("pcah", 65)]
    assert refusals(records) == ["pcah at 65 bits: too many bits for 64 features."]
    assert markdown(records).endswith("\nNot run: pcah at 65 bits: too many bits for 64 features.\n")


def test_a_refusal_of_every_seed_is_told_once(refused):
    assert refusals([refused("pcah", 65, seed=seed) for seed in (0, 1)] + [refused("pcah", 66)]) == [
        "pcah at 65 bits: too many bits for 64 features.",
        "pcah at 66 bits: too many bits for 64 features.",
    ]


def test_the_terminal_table_fits_eighty_columns_whole(record):
    text = rendered(rich_table([record("cca-itq", 128), record("lsh", 4096)], title="Title"))
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert "r10@100" in text


def test_the_terminal_table_goes_width_by_width(record):
    text = rendered(rich_table([record("lsh", 16), record("lsh", 32), record("itq", 16)]))
    names = [line.split()[:2] for line in text.splitlines()[1:] if line.strip()]
    assert names == [["lsh", "16"], ["itq", "16"], ["lsh", "32"]]


def test_brackets_in_parameters_are_printed_as_they_are(record):
    assert "lsh(a=[red])" in rendered(rich_table([record("lsh", params={"a": "[red]"})]), 120)


def test_a_summary_is_json_with_the_run_and_its_numbers(record, refused):
    flat = json.loads(json.dumps(summary(record("lsh", seed=3))))
    assert (flat["hasher"], flat["n_bits"], flat["seed"], flat["status"]) == ("lsh", 32, 3, "measured")
    assert flat["quality"]["mAP@all"] == 0.7
    assert flat["index_bytes"] == 2048
    assert summary(refused())["reason"] == "too many bits for 64 features"


def test_the_legend_tells_what_was_measured_on_and_what_the_columns_mean(record):
    assert legend([record(metric="cosine"), record(n_bits=64, metric="cosine")]) == [
        "1,000 vectors of 64 dimensions, 10 queries; exact neighbours by cosine similarity.",
        "r10@10: share of the 10 exact neighbours among 10 results.",
        "r10@100: share of the 10 exact neighbours among 100 results.",
        "mAP@all: mean average precision of the whole ranking by class label.",
    ]


def test_the_legend_stands_below_a_markdown_table_as_it_does_on_a_terminal(record, refused):
    records = [record(metric="cosine"), refused()]
    _, below, note = markdown(records).removesuffix("\n").split("\n\n")
    assert below.splitlines() == legend(records)
    assert note.startswith("Not run: ")


def test_the_legend_explains_only_what_the_table_shows(record, refused):
    text = "".join(legend([record(quality={"r10@10": 0.5}), refused()]))
    assert "r10@10:" in text
    assert "r10@100" not in text
    assert "mAP" not in text
    assert legend([refused()]) == []


def test_queries_left_out_of_a_mean_are_told(record):
    records = [record("lsh", undefined={"mAP@all": 3, "P@10": 1}), record("itq", undefined={"mAP@all": 3})]
    n_queries = records[0].data.n_queries
    assert notes(records) == [
        f"{name}: {n} of {n_queries} queries have no relevant item in the database and are left out of the mean."
        for name, n in (("mAP@all", 3), ("P@10", 1))
    ]
    assert markdown(records).endswith(notes(records)[1] + "\n")
    assert summary(records[0])["undefined"] == {"mAP@all": 3, "P@10": 1}


def test_a_row_is_one_line_whatever_the_file_of_a_model_is_called(record, from_file):
    table = markdown([record(), from_file("a\nb\x1b[31m|.hwh")])
    assert table.splitlines()[3].startswith(r"| itq(model=a\nb\x1b[31m\|.hwh) | 32 |")
    assert "\x1b" not in table


def test_models_are_said_to_have_been_fitted_before_on_unknown_rows(record, from_file):
    records = [record(), from_file("a.hwh"), from_file("b.hwh", model="b2:two")]
    sentence = (
        "itq(model=a.hwh), itq(model=b.hwh): fitted before, on rows that are not known; the queries may have been "
    )
    assert notes(records) == [f"{sentence}among them."]
    assert markdown(records).endswith(f"\n{sentence}among them.\n")
    assert notes([record()]) == []


def test_rankings_that_read_the_originals_are_said_to(record, ranking):
    rankings = {name: ranking() for name in ("asymmetric-8", "rerank-100", "asymmetric-8+rerank-50")}
    sentence = "With rerank-100, asymmetric-8+rerank-50 the originals are read, too, 256 bytes each."
    assert notes([record(rankings=rankings), record("lsh", rankings=rankings)]) == [sentence]
    assert notes([record(rankings={"asymmetric-8": ranking()})]) == []


def test_the_time_of_a_fit_that_was_elsewhere_is_a_dash(from_file):
    header, _, line = markdown([from_file()], metrics=[]).splitlines()[:3]
    cells = dict(zip(header.split(" | "), line.split(" | "), strict=True))
    assert cells["fit s"] == "-"
    flat = summary(from_file())
    assert (flat["model"], flat["model_file"], flat["fit_seconds"]) == ("b2:one", "h.hwh", None)
    assert "None" not in rendered(rich_table([from_file()]))


def test_a_title_in_brackets_is_no_markup(record):
    assert "a[/b] :cat:" in rendered(rich_table([record()], title="a[/b] :cat:"))


def test_a_bar_in_a_parameter_does_not_split_a_cell(record):
    line = markdown([record("lsh", params={"a": "x|y"})], metrics=[]).splitlines()[2]
    assert line.startswith(r"| lsh(a=x\|y) | 32 |")
