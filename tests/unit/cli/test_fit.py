"""``hammingway fit`` saves what the library would have fitted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from hammingway import ITQ, Distilled, RandomHyperplanes, SupervisedITQ, load_hasher
from hammingway.code_files import read_codes
from hammingway.sole_use import sole_use


def test_saved_hasher_is_the_one_that_python_fits(run, files, vectors, tmp_path):
    result = run("fit", files / "vectors.npy", "--hasher", "itq", "--bits", 13, "--seed", 7, "--out", tmp_path / "m")
    assert result.exit_code == 0, result.output
    expected = ITQ(13, random_state=7).fit(vectors)
    assert load_hasher(tmp_path / "m").fingerprint() == expected.fingerprint()
    assert result.stdout == f"{tmp_path / 'm'}: itq of 13 bits, fitted on 300 x 24.\n"


def test_parameters_reach_the_hasher(run, files, tmp_path):
    parameters = ["--param", "n_iterations=3", "--param", "max_training_rows=100"]
    run("fit", files / "vectors.npy", "--hasher", "itq", "--bits", 4, "--out", tmp_path / "m", *parameters)
    hasher = load_hasher(tmp_path / "m")
    assert (hasher.n_iterations, hasher.max_training_rows, hasher.random_state) == (3, 100, 0)


def test_a_parameter_may_be_a_list(run, files, vectors, tmp_path):
    options = ["--hasher", "distilled", "--bits", 16, "--param", "n_steps=3", "--param", "prefix_bits=[4, 8]"]
    assert run("fit", files / "vectors.npy", *options, "--out", tmp_path / "m").exit_code == 0
    expected = Distilled(16, random_state=0, n_steps=3, prefix_bits=[4, 8]).fit(vectors)
    assert load_hasher(tmp_path / "m").fingerprint() == expected.fingerprint()


def test_labels_reach_a_supervised_hasher(run, files, vectors, tmp_path):
    options = ["--hasher", "cca-itq", "--bits", 5, "--out", tmp_path / "m", "--labels", files / "labels.npy"]
    assert run("fit", files / "vectors.npy", *options).exit_code == 0
    expected = SupervisedITQ(5, random_state=0).fit(vectors, np.arange(300) % 3)
    assert load_hasher(tmp_path / "m").fingerprint() == expected.fingerprint()


def test_key_chooses_the_array_of_an_archive(run, vectors, tmp_path):
    np.savez(tmp_path / "two.npz", a=vectors[:, :5], b=vectors)
    options = ["--hasher", "lsh", "--bits", 8, "--out", tmp_path / "m", "--key", "b"]
    assert run("fit", tmp_path / "two.npz", *options).exit_code == 0
    assert load_hasher(tmp_path / "m").n_features_in_ == 24


def test_width_that_is_not_given_is_the_hashers_own(run, files, tmp_path):
    run("fit", files / "vectors.npy", "--hasher", "sign", "--out", tmp_path / "sign")
    run("fit", files / "vectors.npy", "--hasher", "lsh", "--out", tmp_path / "lsh")
    assert load_hasher(tmp_path / "sign").n_bits_ == 24
    assert load_hasher(tmp_path / "lsh").n_bits_ == RandomHyperplanes().n_bits


def test_json_says_what_was_fitted(run, files, tmp_path):
    out = tmp_path / "m"
    result = run("fit", files / "vectors.npy", "--hasher", "lsh", "--bits", 9, "--out", out, "--json")
    assert json.loads(result.stdout) == {
        "hasher": "lsh",
        "n_bits": 9,
        "n": 300,
        "d": 24,
        "seed": 0,
        "fingerprint": load_hasher(out).fingerprint(),
        "out": str(out),
    }


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        ("absent.npy", ["--hasher", "itq"], ["'DATA'", "absent.npy", "does not exist"]),
        ("truncated.npy", ["--hasher", "itq"], ["truncated.npy", "truncated or damaged"]),
        ("text.txt", ["--hasher", "itq"], ["text.txt", "no known format", ".npy"]),
        ("nan.npy", ["--hasher", "lsh"], ["NaN", "200"]),
        ("vectors.npy", ["--hasher", "iqt"], ["'--hasher'", "No hashers named 'iqt'. Did you mean 'itq'?"]),
        ("vectors.npy", [], ["Missing option '--hasher'"]),
        ("vectors.npy", ["--hasher", "itq", "--bits", 0], ["'--bits'", "0 is not in the range 1<=x<=4096"]),
        ("vectors.npy", ["--hasher", "itq", "--bits", 4097], ["'--bits'", "4097"]),
        ("vectors.npy", ["--hasher", "itq", "--bits", "many"], ["'--bits'", "'many' is not a valid integer"]),
        ("vectors.npy", ["--hasher", "itq", "--bits", 25], ["--bits 25 is too many", "[lsh]"]),
        ("vectors.npy", ["--hasher", "itq", "--seed", -1], ["'--seed'", "-1"]),
        ("vectors.npy", ["--hasher", "itq", "--key", "x"], ["the --key 'x' has no meaning"]),
        (
            "vectors.npy",
            ["--hasher", "itq", "--param", "n_iteration=5"],
            ["'itq' has no --param 'n_iteration'. Did you mean 'n_iterations'?"],
        ),
        ("vectors.npy", ["--hasher", "itq", "--param", "5"], ["'--param'", "key=value"]),
        (
            "vectors.npy",
            ["--hasher", "itq", "--param", "n_bits=5"],
            ["--param cannot set 'n_bits'; give it as --bits."],
        ),
        (
            "vectors.npy",
            ["--hasher", "itq", "--param", "random_state=5"],
            ["--param cannot set 'random_state'; give it as --seed."],
        ),
        ("vectors.npy", ["--hasher", "itq", "--bits", 8, "--param", "n_iterations=0"], ["n_iterations", "got 0"]),
        ("vectors.npy", ["--hasher", "cca-itq", "--bits", 8], ["--labels"]),
        ("vectors.npy", ["--hasher", "lsh", "--labels", "absent.npy"], ["'--labels'", "does not exist"]),
        ("vectors.npy", ["--hasher", "lsh", "--hashr", "x"], ["No such option '--hashr'. Did you mean '--hasher'?"]),
    ],
)
def test_wrong_input_is_refused_in_one_sentence_and_nothing_is_written(refused, files, tmp_path, data, options, words):
    sentence = refused("fit", files / data, *options, "--out", tmp_path / "m")
    assert [word for word in words if word not in sentence] == []
    assert list(tmp_path.iterdir()) == []


def test_labels_of_another_length_are_refused(refused, files, tmp_path):
    np.save(tmp_path / "few.npy", np.arange(299))
    options = ["--hasher", "cca-itq", "--bits", 5, "--labels", tmp_path / "few.npy", "--out", tmp_path / "m"]
    sentence = refused("fit", files / "vectors.npy", *options)
    assert "299" in sentence
    assert "300" in sentence


def test_output_that_exists_is_kept_without_force_and_replaced_with_it(run, refused, files, tmp_path):
    out = tmp_path / "m"
    out.write_text("precious")
    command = ["fit", files / "vectors.npy", "--hasher", "lsh", "--bits", 8, "--out", out]
    assert "exists; add --force to replace it." in refused(*command)
    assert out.read_text() == "precious"
    assert run(*command, "--force").exit_code == 0
    assert load_hasher(out).n_bits == 8


def test_output_folder_that_is_missing_is_named_before_any_work(refused, files, tmp_path):
    sentence = refused("fit", files / "truncated.npy", "--hasher", "lsh", "--out", tmp_path / "absent" / "m")
    assert f"the folder {str(tmp_path / 'absent')!r} does not exist; create it first." in sentence


def test_deep_hasher_takes_its_options_by_path(run, files, vectors, tmp_path):
    arguments = ("fit", files / "vectors.npy", "--hasher", "dsh", "--bits", 13, "--labels", files / "labels.npy")
    settings = ("--set", "training.epochs=1", "--set", "objective.margin=4.5", "--set", "network.hidden=[8]")
    result = run(*arguments, *settings, "--out", tmp_path / "m", "--run-dir", tmp_path / "run")
    assert result.exit_code == 0, result.output
    from hammingway.deep import DSH

    expected = DSH(13, objective={"margin": 4.5}, network={"hidden": [8]}, training={"epochs": 1}, random_state=0).fit(
        vectors, np.arange(300) % 3
    )
    assert load_hasher(tmp_path / "m").fingerprint() == expected.fingerprint()
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"log.jsonl", "checkpoint.safetensors"}


def test_interrupted_fit_says_which_step_its_folder_keeps(run, files, tmp_path, ctrl_c_in_third_step):
    folder = tmp_path / "run"
    arguments = ("fit", files / "vectors.npy", "--hasher", "dsh", "--bits", 8, "--labels", files / "labels.npy")
    settings = ("--set", "training.steps=9", "--run-dir", folder, "--out", tmp_path / "m")
    result = run(*arguments, *settings)
    assert (result.exit_code, result.stdout) == (130, "")
    sentence = f"Error: Interrupted; {folder} keeps step 3 of 9, and the same command goes on from there.\n"
    assert result.stderr == sentence
    assert not (tmp_path / "m").exists()
    result = run(*arguments, *settings)
    assert result.exit_code == 0, result.output


def test_folder_of_another_fit_is_refused_in_one_sentence(refused, files, tmp_path):
    options = ("--hasher", "dsh", "--bits", 8, "--labels", files / "labels.npy", "--run-dir", tmp_path / "run")
    with sole_use(tmp_path / "run" / ".lock", work="training"):
        sentence = refused("fit", files / "vectors.npy", *options, "--out", tmp_path / "m")
    assert f"{tmp_path / 'run'} is in use by another training; wait until it ends, or give another folder." in sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("hasher", "arguments", "said"),
    [
        ("dsh", ("--set", "training.epoch=1"), "Did you mean 'epochs'"),
        (
            "dsh",
            ("--set", "trainin.epochs=1"),
            "has no 'trainin' for --set. Did you mean hammingway fit --set training.epochs=...?",
        ),
        ("dsh", ("--set", "trainin.epoch=1"), "Did you mean 'training'"),
        (
            "dsh",
            ("--set", "epochs=2"),
            "has no 'epochs' for --set. Did you mean hammingway fit --set training.epochs=...?",
        ),
        (
            "dsh",
            ("--param", "epochs=2"),
            "has no --param 'epochs'. Did you mean hammingway fit --set training.epochs=...?",
        ),
        ("dsh", ("--set", "margin=4"), "Did you mean hammingway fit --set objective.margin=...?"),
        ("dsh", ("--set", "hidden=[8]"), "Did you mean hammingway fit --set network.hidden=...?"),
        ("dsh", ("--param", "imageshape=[2,2,6]"), "Did you mean 'image_shape'?"),
        ("itq", ("--set", "epochs=2"), "has no 'epochs' for --set. Known:"),
        ("dsh", ("--set", "training.learning_rate=NaN"), "training, learning_rate is nan; give a finite number"),
        ("dsh", ("--set", "objective.margin=Infinity"), "objective, margin is inf; give a finite number"),
        ("dsh", ("--set", "training"), "is not of the form path=value"),
        ("dsh", ("--set", "n_bits=3"), "has no 'n_bits' for --set"),
        ("itq", ("--set", "training.epochs=1"), "has no 'training' for --set"),
        ("itq", ("--run-dir", "run"), "leave --run-dir out"),
        ("dsh", ("--tensorboard",), "--tensorboard writes to the folder of the run; add --run-dir"),
    ],
)
def test_setting_that_cannot_be_used_is_refused(refused, files, tmp_path, hasher, arguments, said):
    fit = ("fit", files / "vectors.npy", "--hasher", hasher, "--labels", files / "labels.npy", "--out", tmp_path / "m")
    assert said in refused(*fit, *arguments)


@pytest.mark.parametrize("hasher", ["cca-itq", "dsh"])
@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (None, "learns from classes; give --labels FILE, a whole number for each row of DATA."),
        (np.zeros(299, int), "--labels labels.npy has 299 labels for 300 rows of DATA."),
        (np.zeros(1, int), "--labels labels.npy has 1 label for 300 rows of DATA."),
        (np.linspace(0, 1, 300), "--labels FILE holds a whole number a row: labels.npy holds values of type float64"),
        (
            np.zeros((300, 3), int),
            "--labels FILE holds a whole number a row: labels.npy holds an array of shape (300, 3)",
        ),
        (np.zeros(300, int), "--labels holds only one class"),
    ],
)
def test_labels_that_are_missing_or_wrong_are_told_in_one_sentence(
    refused, files, tmp_path, monkeypatch, hasher, labels, sentence
):
    if hasher == "dsh":
        pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    options = ["--hasher", hasher, "--bits", 2, "--out", "m"]
    if labels is not None:
        np.save("labels.npy", labels)
        options += ["--labels", "labels.npy"]
    told = refused("fit", files / "vectors.npy", *options)
    assert sentence in told and "y is" not in told and "n_samples" not in told
    assert not (tmp_path / "m").exists()


def test_a_collection_is_not_created_with_a_hasher_that_needs_labels(refused, files, tmp_path):
    options = ["--hasher", "cca-itq", "--bits", 2, "--train", files / "vectors.npy"]
    assert "fit it by 'hammingway fit --labels FILE'" in refused("collection", "create", tmp_path / "c", *options)


@pytest.fixture
def class_folders(vectors, tmp_path):
    """Return a folder with 20 vectors of each of three classes, a file each, and all of them in order."""
    for row in range(60):
        folder = tmp_path / "root" / str(row // 20)
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{row}.npy", vectors[row])
    return tmp_path / "root", vectors[:60], np.arange(60) // 20


def test_folder_of_class_folders_is_fitted_and_encoded_as_an_array_of_its_vectors(run, class_folders, tmp_path):
    from hammingway.deep import HAGCN

    root, X, _ = class_folders
    fit = ("fit", root, "--hasher", "hagcn", "--bits", 9, "--set", "training.epochs=2", "--out", tmp_path / "m")
    result = run(*fit)
    assert result.exit_code == 0, result.output
    expected = HAGCN(9, training={"epochs": 2}, random_state=0).fit(X)
    assert load_hasher(tmp_path / "m").fingerprint() == expected.fingerprint()
    assert run("encode", tmp_path / "m", root, "--out", tmp_path / "c").exit_code == 0
    assert_array_equal(read_codes(tmp_path / "c").codes.packed, expected.encode(X).packed)


def test_folder_of_class_folders_has_its_own_labels(run, class_folders, tmp_path):
    root, X, y = class_folders
    result = run("fit", root, "--labels", root, "--hasher", "cca-itq", "--bits", 2, "--out", tmp_path / "m")
    assert result.exit_code == 0, result.output
    assert load_hasher(tmp_path / "m").fingerprint() == SupervisedITQ(2, random_state=0).fit(X, y).fingerprint()
