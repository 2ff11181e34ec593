"""``hammingway collection`` does what the library does, with files."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from hammingway import Codes, Collection
from hammingway.cli.collection_inputs import SHELL_REMEDIES
from hammingway.code_files import write_codes
from hammingway.collection.remedies import Remedy

MAIN = "from hammingway.cli.main import main; main()"
WHERE = '{"year": {"$gte": 2150}}'


def parsed(lines: str) -> list[dict]:
    return [json.loads(line) for line in lines.splitlines()]


def ok(result):
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def beside(tmp_path):
    """Return a folder with ids and metadata of the 300 vectors of ``files``."""
    (tmp_path / "ids.txt").write_text("".join(f"item {i}: é\n" for i in range(300)), encoding="utf-8")
    np.save(tmp_path / "ids.npy", np.arange(300) * 7)
    lines = [json.dumps({"year": 2000 + i}) if i % 3 else "null" for i in range(300)]
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.fixture(params=["integer", "string"])
def filled(request, run, files, beside):
    """Return the path of a collection filled from the shell, in batches of 70."""
    path = beside / request.param
    ok(
        run(
            "collection",
            "create",
            path,
            "--model",
            files / "itq.model",
            "--id-type",
            request.param,
            "--originals",
            "float32",
        )
    )
    ids = beside / ("ids.npy" if request.param == "integer" else "ids.txt")
    command = ["collection", "add", path, files / "vectors.npy", "--ids", ids, "--metadata", beside / "metadata.jsonl"]
    counts = {"n_added": 300, "n_replaced": 0, "n_items": 300}
    assert json.loads(ok(run(*command, "--batch", 70, "--json"))) == {"path": str(path), **counts}
    return path


@pytest.mark.parametrize(
    ("typed", "options"),
    [
        ([], {}),
        (["--where", WHERE], {"where": json.loads(WHERE)}),
        (["--asymmetric"], {"query_bits": 8}),
        (["--asymmetric", "--query-bits", 4], {"query_bits": 4}),
        (["--rerank", 50, "--metric", "euclidean"], {"rerank": 50, "metric": "euclidean"}),
        (
            ["--rerank", 50, "--asymmetric", "--where", WHERE],
            {"rerank": 50, "query_bits": 8, "where": json.loads(WHERE)},
        ),
    ],
)
def test_search_finds_what_the_library_finds(run, files, filled, typed, options):
    lines = parsed(ok(run("collection", "search", filled, files / "queries.npy", "-k", 6, "--json", *typed)))
    with Collection.open(filled, read_only=True) as collection:
        found = collection.search(np.load(files / "queries.npy"), 6, **options)
    name = "scores" if hasattr(found, "scores") else "distances"
    assert [(line["query"], line["ids"]) for line in lines] == list(enumerate(found.ids.tolist()))
    assert [line[name] for line in lines] == getattr(found, name).tolist()


def test_a_field_that_no_item_has_is_noted_once(run, files, filled, monkeypatch):
    monkeypatch.setattr("hammingway.cli.searching.queries_a_part", lambda *_: 2)
    result = run("collection", "search", filled, files / "queries.npy", "--where", '{"yaer": 2150}', "-k", 1, "--json")
    assert len(parsed(ok(result))) == 7
    assert result.stderr == "Note: no item has the field 'yaer', and none passes the filter. Did you mean 'year'?\n"


def test_search_by_radius_and_as_text(run, files, filled):
    with Collection.open(filled, read_only=True) as collection:
        found = collection.search_radius(np.load(files / "queries.npy"), 3)
    lines = ok(run("collection", "search", filled, files / "queries.npy", "--radius", 3)).splitlines()
    for i, (ids, distances) in enumerate(found):
        pairs = [
            f"{json.dumps(one)}:{distance}" for one, distance in zip(ids.tolist(), distances.tolist(), strict=True)
        ]
        assert lines[i] == " ".join([str(i), *pairs])


def test_results_go_to_a_file(run, files, filled, beside):
    command = ["collection", "search", filled, files / "queries.npy", "-k", 4]
    ok(run(*command, "--out", beside / "found.jsonl"))
    assert (beside / "found.jsonl").read_text() == ok(run(*command, "--json"))
    result = run(*command, "--out", beside / "found.npy")
    if filled.name == "string":
        assert result.exit_code == 2 and "--out a name in .jsonl" in result.stderr
    else:
        ids = [line["ids"] for line in parsed((beside / "found.jsonl").read_text())]
        assert np.load(beside / "found.npy").tolist() == ids


def test_get_prints_items_and_delete_removes_them(run, filled, beside):
    ids = [7 * 5, 7 * 6] if filled.name == "integer" else ["item 5: é", "item 6: é"]
    with Collection.open(filled, read_only=True) as collection:
        items = collection.get(ids)
    lines = parsed(ok(run("collection", "get", filled, *ids, "--vectors")))
    assert [line["id"] for line in lines] == ids
    assert [line["metadata"] for line in lines] == items.metadata == [{"year": 2005}, {}]
    assert [bytes.fromhex(line["code"]) for line in lines] == [code.tobytes() for code in items.codes.packed]
    assert [line["vector"] for line in lines] == items.vectors.tolist()
    (beside / "gone.txt").write_text(f"{ids[1]}\n", encoding="utf-8")
    answer = ok(run("collection", "delete", filled, ids[0], "--ids", beside / "gone.txt", "--json"))
    assert json.loads(answer) == {"path": str(filled), "n_deleted": 2, "n_items": 298}
    assert run("collection", "get", filled, ids[0]).exit_code == 2


def test_info_compact_and_verify_say_what_the_library_says(run, filled):
    ok(run("collection", "delete", filled, 7 if filled.name == "integer" else "item 1: é"))
    before = json.loads(ok(run("collection", "info", filled, "--json")))
    assert (before["n_items"], before["n_dead"], before["id_type"]) == (299, 1, filled.name)
    assert before["n_described"] == 199
    assert "n items         299" in ok(run("collection", "info", filled))
    sizes = json.loads(ok(run("collection", "compact", filled, "--json")))
    after = json.loads(ok(run("collection", "info", filled, "--json")))
    assert (after["n_dead"], after["n_recent"], after["disk_bytes"]) == (0, 0, sizes["after"])
    assert ok(run("collection", "verify", filled)) == f"{filled}: sound.\n"
    (file,) = (filled / "segments").glob("*.planes.npy")
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    result = run("collection", "verify", filled, "--json")
    assert result.exit_code == 2 and file.name in json.loads(result.stdout)["damages"][0]
    assert "has 1 damaged place; restore a copy" in result.stderr


def test_every_remedy_of_the_library_has_its_words_for_the_shell():
    assert set(SHELL_REMEDIES) == set(Remedy.__members__)
    assert not any(told in Remedy.__members__.values() for told in SHELL_REMEDIES.values())


def test_one_item_is_no_items(run, tmp_path):
    write_codes(tmp_path / "one.codes", Codes.from_bits([[1]]))
    assert ok(run("collection", "create", tmp_path / "c", "--bits", 1)).endswith("of 1-bit codes under integer ids.\n")
    assert ok(run("collection", "add", tmp_path / "c", tmp_path / "one.codes")).endswith("added 1 item; it holds 1.\n")
    answer = run("collection", "search", tmp_path / "c", tmp_path / "one.codes", "--out", tmp_path / "found.jsonl")
    assert ok(answer).endswith("results of 1 query.\n")
    assert ok(run("collection", "delete", tmp_path / "c", 0)).endswith("deleted 1 item; it holds 0.\n")


def test_codes_keep_their_ids_and_items_are_replaced(run, beside):
    codes = Codes.from_bits(np.eye(9, dtype=int))
    write_codes(beside / "a.codes", codes, ids=np.arange(9) + 40)
    ok(run("collection", "create", beside / "c", "--bits", 9))
    ok(run("collection", "add", beside / "c", beside / "a.codes"))
    write_codes(beside / "b.codes", codes[::-1], ids=np.arange(9) + 40)
    assert run("collection", "add", beside / "c", beside / "b.codes").exit_code == 2
    ok(run("collection", "add", beside / "c", beside / "b.codes", "--replace"))
    lines = parsed(ok(run("collection", "search", beside / "c", beside / "a.codes", "-k", 1, "--json")))
    assert [line["ids"] for line in lines] == [[48 - i] for i in range(9)]


def test_replacing_tells_how_many_and_which_lost_their_metadata(run, beside):
    codes = Codes.from_bits(np.eye(9, dtype=int))
    for name, first in [("a", 0), ("b", 5), ("c", 20)]:
        write_codes(beside / f"{name}.codes", codes, ids=np.arange(9) + first)
    (beside / "fields.jsonl").write_text('{"year": 1}\n' * 6 + "null\n" * 3)
    ok(run("collection", "create", beside / "c", "--bits", 9))
    command = ["collection", "add", beside / "c"]
    fields = ["--metadata", beside / "fields.jsonl"]

    first = run(*command, beside / "a.codes", *fields)
    assert (ok(first), first.stderr) == (f"{beside / 'c'}: added 9 items; it holds 9.\n", "")
    given = run(*command, beside / "a.codes", *fields, "--replace", "--batch", 4)
    assert (ok(given), given.stderr) == (f"{beside / 'c'}: added 0 items and replaced 9; it holds 9.\n", "")
    one = run(*command, beside / "b.codes", "--replace")
    assert ok(one) == f"{beside / 'c'}: added 5 items and replaced 4; it holds 14.\n"
    why = "items are replaced whole, and --metadata was not given.\n"
    assert one.stderr == f"Note: 1 replaced item had metadata and has none now: {why}"
    many = run(*command, beside / "a.codes", "--replace", "--json", "--batch", 2)
    assert json.loads(ok(many)) == {"path": str(beside / "c"), "n_added": 0, "n_replaced": 9, "n_items": 14}
    assert many.stderr == f"Note: 5 replaced items had metadata and have none now: {why}"
    new = run(*command, beside / "c.codes", "--replace")
    assert (ok(new), new.stderr) == (f"{beside / 'c'}: added 9 items and replaced 0; it holds 23.\n", "")


def test_encoder_is_fitted_on_the_way(run, files, tmp_path):
    command = [
        "collection",
        "create",
        tmp_path / "c",
        "--hasher",
        "itq",
        "--bits",
        13,
        "--train",
        files / "vectors.npy",
    ]
    ok(run(*command))
    with Collection.open(tmp_path / "c", read_only=True) as collection:
        assert collection.encoder.n_bits_ == 13 and type(collection.encoder).__name__ == "ITQ"


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (["create", "new"], "give --model, --hasher with --train, or --bits"),
        (["create", "new", "--hasher", "itq", "--bits", 8], "--hasher and --train go together"),
        (["create", "new", "--model", "itq.model", "--bits", 8], "--model has its own hasher and width"),
        (["create", "c", "--bits", 8], "exists already; choose another path."),
        (["search", "absent", "queries.npy"], "does not exist"),
        (["search", ".", "queries.npy"], "not a collection"),
        (["search", "c", "queries.npy", "--where", "{"], "no JSON"),
        (["search", "c", "queries.npy", "--where", "[]"], "'[]' is no JSON object"),
        (["search", "c", "queries.npy", "--where", '{"a": {"$near": 1}}'], "not an operator"),
        (
            ["search", "c", "queries.npy", "-k", 5, "--rerank", 2],
            "--rerank is how many candidates are put in order, from -k 5; got 2",
        ),
        (["search", "c", "queries.npy", "--radius", 2, "--asymmetric"], "--radius counts bits"),
        (["search", "c", "queries.npy", "-k", 2, "--radius", 2], "exclude each other"),
        (
            ["search", "c", "queries.codes", "--asymmetric"],
            "--asymmetric ranks by the scores that the stored encoder gives query vectors; give QUERIES as vectors, "
            "to a collection that was created with --model or --hasher.",
        ),
        (
            ["search", "c", "queries.codes", "-k", 2, "--rerank", 5],
            "--rerank needs the queries' vectors; give QUERIES as vectors, or the vectors by --vectors FILE.",
        ),
        (["search", "c", "queries.npy", "--vectors", "queries.npy"], "--vectors is for --rerank; add --rerank N"),
        (
            ["search", "c", "queries.npy", "--query-bits", 8],
            "--query-bits is for --asymmetric; add --asymmetric, or leave --query-bits out.",
        ),
        (
            ["search", "c", "queries.npy", "--asymmetric", "--metric", "cosine"],
            "--metric is for --rerank; add --rerank N, or leave --metric out.",
        ),
        (["add", "c", "plain"], "'plain' is a collection, where a file is wanted"),
        (["search", "plain", "queries.npy"], "stores no encoder; give a file of codes, as 'hammingway encode' writes."),
        (["add", "plain", "queries.npy"], "stores no encoder; give a file of codes"),
        (["add", "plain", "queries.codes", "--vectors", "queries.npy"], "create one with --originals float32."),
        (["add", "c", "queries.codes"], "keeps vectors as float32; give them by --vectors FILE."),
        (
            ["add", "c", "queries.npy", "--ids", "first.txt"],
            "id 0 already in the collection; --replace replaces items.",
        ),
        (["add", "named", "queries.npy"], "names its items by strings; give --ids FILE, an id a row."),
        (["search", "c", "itq3.codes"], "3 bits"),
        (["add", "c", "queries.npy", "--ids", "five.txt"], "--ids has 5 rows for 7 rows of DATA"),
        (["add", "c", "queries.npy", "--ids", "words.txt"], "whole numbers from 0, below 2**63; got 'one'"),
        (["add", "c", "queries.npy", "--metadata", "words.txt"], "line 1: no JSON"),
        (["add", "c", "queries.npy", "--metadata", "numbers.txt"], "line 1: expected a JSON object or null"),
        (["add", "c", "queries.npy", "--replace"], "give --ids"),
        (["add", "c", "queries.npy", "--ids", "scores.npy"], "should hold integer ids"),
        (["add", "c", "queries.npy", "--ids", "text.npy"], "no array in .npy format"),
        (["delete", "c"], "No ids were given"),
        (["delete", "c", "1000"], "id 1000 not in the collection"),
        (["get", "c", "9" * 5000], "below 2**63; got '999"),
        (["get", "c", str(2**63)], "below 2**63; got '9223372036854775808'"),
        (["get", "c", "x"], "whole numbers from 0, below 2**63; got 'x'"),
        (["nonsense"], "No such command 'nonsense'"),
    ],
)
def test_failure_is_a_sentence_with_the_remedy(refused, run, files, tmp_path, monkeypatch, typed, sentence):
    monkeypatch.chdir(tmp_path)
    for name in ("queries.npy", "queries.codes", "itq.model"):
        (tmp_path / name).write_bytes((files / name).read_bytes())
    write_codes("itq3.codes", Codes.from_bits([[1, 0, 1]]))
    (tmp_path / "five.txt").write_text("1\n2\n3\n4\n5\n")
    (tmp_path / "first.txt").write_text("".join(f"{i * 9}\n" for i in range(7)))
    (tmp_path / "numbers.txt").write_text("1\n" * 7)
    (tmp_path / "words.txt").write_text("one\n" * 7)
    (tmp_path / "text.npy").write_text("1\n2\n")
    np.save("scores.npy", np.ones(7))
    ok(run("collection", "create", "c", "--model", "itq.model", "--originals", "float32"))
    ok(run("collection", "create", "plain", "--bits", 13))
    ok(run("collection", "create", "named", "--model", "itq.model", "--id-type", "string"))
    ok(run("collection", "add", "c", "queries.npy"))
    assert sentence in refused("collection", *typed)


def test_commands_work_as_processes_and_a_second_writer_is_refused(files, tmp_path):
    def shell(*arguments):
        command = [sys.executable, "-c", MAIN, "collection", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)

    assert shell("create", "c", "--model", files / "itq.model").returncode == 0
    added = shell("add", "c", files / "vectors.npy")
    assert (added.returncode, added.stdout, added.stderr) == (0, "c: added 300 items; it holds 300.\n", "")
    with Collection.open(tmp_path / "c"):
        refused = shell("delete", "c", 3)
        assert refused.returncode == 2 and "open for writing elsewhere" in refused.stderr
        found = shell("search", "c", files / "vectors.npy", "-k", 1, "--json")
        assert found.returncode == 0 and len(parsed(found.stdout)) == 300
