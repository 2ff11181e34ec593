"""Recall of table codes against probes and against candidates, re-ranked by the original vectors.

    hammingway train benchmarks/quality/autohash.toml --data-dir DATA --out results/autohash
    hammingway train benchmarks/quality/autohash-tuning.toml --data-dir DATA --out results/autohash-tuning
    python benchmarks/quality/autohash.py results/autohash --tuning results/autohash-tuning --data-dir DATA

Measures the hashers that the first command trained, tells what the second found, and writes
docs/benchmarks/autohash.json, the tables of autohash.md and docs/images/autohash.svg. Queries are looked up in a
:class:`TableIndex` on all bits: in order of confidence, up to so many buckets or so many candidates; or all buckets
within a radius, as the published program does. Times are processor times of one thread, one query at a time. A hasher
that autohash.json knows is not measured again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tables import insert, line

from hammingway import Codes, Hasher, TableIndex, load_hasher, metrics, rerank
from hammingway.bench.data import open_data
from hammingway.bench.evaluate import Setting, prepare
from hammingway.bench.training import HASHER_NAME, RESULT_NAME
from hammingway.bench.variants import read_training_plan
from hammingway.storage import atomic_writer

HERE = Path(__file__).parent
PLAN = HERE / "autohash.toml"
DOCS = HERE.parents[1] / "docs"
RESULTS = DOCS / "benchmarks" / "autohash.json"
PROBES = (1, 4, 16, 64, 256, 1024)
CANDIDATES = (30, 100, 300, 1000)
RADII = (0, 1, 2, 3, 4)
N_TIMED = 50
K = 10


def limits() -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Yield what is limited, the limit, and the arguments of the index."""
    for n_probes in PROBES:
        yield "probes", n_probes, {"max_probes": n_probes}
    for n_candidates in CANDIDATES:
        yield "candidates", n_candidates, {"max_probes": 2**62, "max_candidates": n_candidates}
    for radius in RADII:
        yield "radius", radius, {"max_probes": 2**62, "max_flips": radius}


def found_by(index: TableIndex, queries: Codes, scores: NDArray[np.float32] | None) -> Any:
    """Return everything in the buckets that the limits let the index look up."""
    return index.search_radius(queries, index.n_bits, scores=scores)


def padded(found: Any) -> NDArray[np.int64]:
    """Return the ids found, int64 (n_queries, most found), -1 where a query has fewer."""
    table = np.full((len(found), max(1, int(found.counts.max()))), -1, np.int64)
    table[np.arange(table.shape[1]) < found.counts[:, np.newaxis]] = found.ids
    return table


def point(index: TableIndex, queries: Codes, scores: NDArray[np.float32] | None, setting: Setting) -> dict[str, Any]:
    """Return recall, probes, candidates and time under the limits of ``index``.

    Re-ranked by the metric of the truth, a true neighbour among the candidates is among the first ten: the recall of
    all queries is the share of the truth among the candidates, and that of those timed is compared with it.
    """
    found = found_by(index, queries, scores)
    candidates = padded(found)
    recalls = metrics.recall_at_k(candidates, setting.truth, k=candidates.shape[1])
    timed, seconds = ask_singly(index, queries, scores, setting)
    if not np.allclose(timed, recalls[:N_TIMED]):
        raise SystemExit("re-ranking lost a true neighbour")
    return {
        "recall": float(np.mean(recalls)),
        "probes": float(np.mean(found.certificate.probes)),
        "candidates": float(np.mean(found.certificate.candidates)),
        "milliseconds": 1000 * seconds,
    }


def ask_singly(
    index: TableIndex, queries: Codes, scores: NDArray[np.float32] | None, setting: Setting
) -> tuple[NDArray[np.float64], float]:
    """Return recall@10 of the first queries, and the median processor time of looking one up and re-ranking."""
    answers, seconds = [], []
    for row in range(N_TIMED):
        one = slice(row, row + 1)
        started = time.thread_time()
        found = found_by(index, queries[one], None if scores is None else scores[one])
        best = rerank(
            padded(found), setting.data.queries[one], setting.data.database, K, metric="inner-product", n_threads=1
        )
        seconds.append(time.thread_time() - started)
        answers.append(best.ids)
    recalls = metrics.recall_at_k(np.concatenate(answers), setting.truth[:N_TIMED], k=K)
    return recalls, float(np.median(seconds))


def measure(name: str, hasher: Hasher, result: dict[str, Any], setting: Setting) -> dict[str, Any]:
    """Return all points of a hasher, how its codes fill buckets, and what it cost."""
    database = hasher.encode(setting.data.database)
    started = time.process_time()
    scores = hasher.project(setting.data.queries)
    encoding = (time.process_time() - started) / len(scores)
    queries = Codes.from_scores(scores)
    occupancy = metrics.bucket_occupancy(database)
    points = []
    for what, limit, arguments in limits():
        index = TableIndex(database.n_bits, n_threads=1, **arguments).add(database)
        by = None if what == "radius" else scores
        points.append({"limited": what, "limit": limit, **point(index, queries, by, setting)})
        print(name, what, limit, points[-1]["recall"], flush=True)
    return {
        "name": name,
        "hasher": result["hasher"],
        "n_bits": database.n_bits,
        "params": result["record"]["spec"]["hasher"]["params"],
        "fit_processor_seconds": result["record"]["costs"]["fit_processor_seconds"],
        "steps": result["training"].get("step"),
        "encode_microseconds": 1e6 * encoding,
        "buckets": occupancy.n_buckets,
        "largest_bucket": round(occupancy.largest_share * occupancy.n_codes),
        "entropy_bits": metrics.code_entropy(database),
        "points": points,
    }


def tables(results: dict[str, Any]) -> str:
    """Return the tables of the page."""
    runs, machine = results["runs"], results["machine"]
    return "\n\n".join(
        [
            "Probed in order of confidence, so many buckets a query:",
            recalls(runs, "probes", results["n_database"]),
            "Probed in order of confidence, so many candidates a query:",
            recalls(runs, "candidates", results["n_database"]),
            "All buckets within a radius, as the published program probes: 1, 23, 254, 1,794 and 9,109 of them.",
            recalls(runs, "radius", results["n_database"]),
            "How the database fills its buckets, and costs:",
            buckets(runs),
            f"{results['description']} Exact neighbours by inner product; seed 0. {machine['cpu']}, one thread; "
            f"hammingway {machine['hammingway']}, torch {machine['torch']}, kernel {machine['kernel']}. Data digest "
            f"`{results['digest']}`.",
        ]
    )


def recalls(runs: list[dict[str, Any]], limited: str, n_database: int) -> str:
    """Return recall under each limit, beside what was not limited and the time, three rows a hasher."""
    limits_shown = [point["limit"] for point in runs[0]["points"] if point["limited"] == limited]
    lines = [line([f"{limited}, at most", *(f"{limit:,}" for limit in limits_shown)])]
    lines.append("|---|" + "---:|" * len(limits_shown))
    for run in runs:
        points = [point for point in run["points"] if point["limited"] == limited]
        lines.append(line([f"`{run['name']}`, recall@10", *(f"**{point['recall']:.3f}**" for point in points)]))
        if limited == "candidates":
            lines.append(line(["probes", *(_rounded(point["probes"]) for point in points)]))
        else:
            shares = [f" ({100 * point['candidates'] / n_database:.2g} %)" for point in points]
            counts = [_rounded(point["candidates"]) for point in points]
            lines.append(line(["candidates", *(map("".join, zip(counts, shares, strict=True)))]))
        lines.append(line(["ms CPU a query", *(f"{point['milliseconds']:.2f}" for point in points)]))
    return "\n".join(lines)


def buckets(runs: list[dict[str, Any]]) -> str:
    """Return how full buckets are and what a hasher cost, one row each."""
    heads = ["", "buckets occupied", "rows in the largest", "entropy, bits", "steps", "fit, CPU s", "encode, µs CPU"]
    lines = [line(heads), "|---|" + "---:|" * (len(heads) - 1)]
    for run in runs:
        cells = [f"{run['buckets']:,}", str(run["largest_bucket"]), f"{run['entropy_bits']:.1f}"]
        cells += [f"{run['steps']:,}" if run["steps"] else "", f"{run['fit_processor_seconds']:.1f}"]
        lines.append(line([f"`{run['name']}`", *cells, f"{run['encode_microseconds']:.0f}"]))
    return "\n".join(lines)


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def read_results(plan: Path, folder: Path) -> Iterator[tuple[str, Path, dict[str, Any]]]:
    """Yield name, folder and result of every run of a plan."""
    for run in read_training_plan(plan).runs():
        own = folder / run.name
        yield run.name, own, json.loads((own / RESULT_NAME).read_text())


def tuning(folder: Path) -> list[dict[str, Any]]:
    """Return name, validation recall and processor time of each variant that was tried."""
    return [
        {
            "name": name,
            "validation_recall": result["training"]["validation"]["recall"],
            "fit_processor_seconds": result["record"]["costs"]["fit_processor_seconds"],
        }
        for name, _, result in read_results(HERE / "autohash-tuning.toml", folder)
    ]


def tuning_table(tried: list[dict[str, Any]]) -> str:
    """Return one row a variant, with what it was chosen by."""
    lines = [line(["variant", "validation recall", "fit, CPU s"]), "|---|---:|---:|"]
    for one in tried:
        cells = [f"{one['validation_recall']:.3f}", f"{one['fit_processor_seconds']:.1f}"]
        lines.append(line([one["name"].replace("-", " "), *cells]))
    return "\n".join(lines)


def known_runs(digest: str) -> dict[str, dict[str, Any]]:
    """Return what was measured on the same data, by the fingerprint of the hasher."""
    if not RESULTS.is_file():
        return {}
    results = json.loads(RESULTS.read_text())
    return {run["hasher"]: run for run in results["runs"]} if results["digest"] == digest else {}


def chart(results: dict[str, Any]) -> str:
    """Return the two curves as SVG."""
    import altair as alt
    import vl_convert

    from hammingway.reports.charts import COLORS, SHAPES

    names = [run["name"] for run in results["runs"]]
    values = [{"hasher": run["name"], **one} for run in results["runs"] for one in run["points"]]
    color = alt.Color("hasher:N", scale=alt.Scale(domain=names, range=list(COLORS[: len(names)])), title=None)
    shape = alt.Shape("hasher:N", scale=alt.Scale(domain=names, range=list(SHAPES[: len(names)])), title=None)
    panels = []
    for what, title in (("probes", "buckets probed"), ("candidates", "candidates looked at, mean")):
        shown = [one for one in values if one["limited"] == what]
        x = alt.X(
            f"{what}:Q", scale=alt.Scale(type="log", nice=False), title=title, axis=alt.Axis(format="~s", tickCount=6)
        )
        y = alt.Y("recall:Q", title="recall@10 after re-ranking", scale=alt.Scale(domain=[0, 1]))
        base = alt.Chart(alt.InlineData(values=shown)).encode(x=x, y=y, color=color)
        panels.append(base.mark_line() + base.mark_point(filled=True, size=45, opacity=1).encode(shape=shape))
    both = alt.hconcat(*(panel.properties(width=330, height=260) for panel in panels)).configure(background="white")
    svg: str = vl_convert.vegalite_to_svg(both.to_dict(validate=False))
    return svg


def write(path: Path, text: str) -> None:
    with atomic_writer(path) as file:
        file.write(text.encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="folder of hammingway train")
    parser.add_argument("--tuning", type=Path, required=True, help="folder of hammingway train")
    parser.add_argument("--data-dir", type=Path)
    arguments = parser.parse_args()
    plan = read_training_plan(PLAN)
    setting = prepare(open_data(plan.data, data_dir=arguments.data_dir), plan)
    results: dict[str, Any] = {
        "description": f"{setting.facts.protocol} {setting.facts.training}",
        "digest": setting.facts.digest,
        "n_database": setting.facts.n_database,
        "machine": setting.machine,
        "tuning": tuning(arguments.tuning),
        "runs": [],
    }
    known = known_runs(setting.facts.digest)
    for name, folder, result in read_results(PLAN, arguments.runs):
        run = known.get(result["hasher"]) or measure(name, load_hasher(folder / HASHER_NAME), result, setting)
        results["runs"].append(run)
        write(RESULTS, json.dumps(results, indent=1) + "\n")
    page = DOCS / "benchmarks" / "autohash.md"
    insert(page, tables(results))
    insert(page, tuning_table(results["tuning"]), name="tuning")
    write(DOCS / "images" / "autohash.svg", chart(results))


if __name__ == "__main__":
    main()
