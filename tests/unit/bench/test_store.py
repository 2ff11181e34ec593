import pytest

from hammingway.bench.store import RecordStore, read_records
from hammingway.config import to_mapping
from hammingway.errors import FileFormatError, FolderInUseError


def test_records_come_back_as_they_were_written(record, tmp_path):
    store = RecordStore(tmp_path / "new" / "folder" / "records.jsonl")
    written = [record(), record(hasher="lsh", n_bits=7, status="refused", reason="too wide", costs=None)]
    for one in written:
        store.append(one)
    assert [to_mapping(one) for one in store] == [to_mapping(one) for one in written]


def test_an_absent_file_holds_no_records(tmp_path):
    assert list(RecordStore(tmp_path / "records.jsonl")) == []


def test_a_run_is_found_by_id_and_data_together(record, tmp_path):
    store = RecordStore(tmp_path / "records.jsonl")
    store.append(record(digest="b2:one"))
    assert store.find(record().run_id, "b2:one") is not None
    assert store.find(record().run_id, "b2:two") is None
    assert store.find(record(seed=1).run_id, "b2:one") is None


@pytest.mark.parametrize("kept_bytes", [1, 30, -2])
def test_the_unfinished_line_of_an_interrupted_run_is_dropped_and_written_over(record, tmp_path, kept_bytes):
    path = tmp_path / "records.jsonl"
    store = RecordStore(path)
    store.append(record(seed=1))
    whole = path.read_bytes()
    store.append(record(seed=2))
    path.write_bytes(whole + path.read_bytes()[len(whole) :][:kept_bytes])
    assert [one.spec.seed for one in store] == [1]
    store.append(record(seed=3))
    assert [one.spec.seed for one in store] == [1, 3]


def test_appending_never_changes_what_is_there(record, tmp_path):
    store = RecordStore(tmp_path / "records.jsonl")
    store.append(record())
    before = store.path.read_bytes()
    store.append(record(seed=1))
    assert store.path.read_bytes().startswith(before)


def test_a_finished_line_that_is_no_record_is_named(record, tmp_path):
    store = RecordStore(tmp_path / "records.jsonl")
    store.append(record())
    with store.path.open("ab") as file:
        file.write(b'{"run_id": 3}\n')
    with pytest.raises(FileFormatError, match=r"records.jsonl, line 2 is not a benchmark record"):
        list(store)


def test_a_record_whose_spec_was_edited_is_refused(record, tmp_path):
    store = RecordStore(tmp_path / "records.jsonl")
    store.append(record(n_bits=32))
    store.path.write_text(store.path.read_text().replace('"n_bits":32', '"n_bits":64'))
    with pytest.raises(FileFormatError, match="line 1"):
        list(store)


def test_reading_a_missing_file_says_so(tmp_path):
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_records(tmp_path / "absent.jsonl")


def test_a_folder_in_use_is_refused_until_its_user_is_done(record, tmp_path):
    one, other = (RecordStore(tmp_path / "out" / "records.jsonl") for _ in range(2))
    with one.exclusive():
        one.append(record())
        with pytest.raises(FolderInUseError, match="in use by another evaluation"), other.exclusive():
            pass
    with other.exclusive():
        other.append(record(seed=1))
    assert [each.spec.seed for each in one] == [0, 1]
