"""The Tang-style baseline on the demo: what it writes, scored as our decoder is, and its search beside the direct form.

Same training and test stories, same windows of 10 s, same metrics as the demo's own decoder, whose rows are shown
beside. Word times come from the brain; the decoder without information is the same search on the test story's brain
turned by half its length, at the same beam width (theirs was narrower). Speed: what each candidate word adds to the
log-likelihood at 10,000 voxels by G = W P W' and H = W P R', against the definition. Writes
benchmarks/results/tang_style.json.

    make demo; python benchmarks/tang_style.py
"""

import argparse
import json
import os
import platform
import subprocess
import time
from pathlib import Path

import numpy as np
import pandas as pd

from brainlm.decoding.metrics import Texts, content_words, pair_metrics
from brainlm.decoding.tang import DELAYS, Encoding, Likelihood, Story, delayed, fit_encoding, fit_word_rate, lanczos
from brainlm.decoding.windows import separate_starts, window_tokens
from brainlm.decoding.word_search import WordNgrams, search, word_gains
from brainlm.io.language import read_text
from brainlm.io.store import load_json
from brainlm.steps._language import load_language
from brainlm.steps._runs import Sources, common_space, load_runs, load_tokens, make_split, make_timing
from brainlm.stimuli.embeddings import join_tokens, tokenize

ROOT = Path(__file__).parents[1]
RESULTS, BIDS = ROOT / "results" / "demo", ROOT / "data" / "demo"
N_VOXELS, N_RATE_VOXELS, WIDTH = 300, 100, 100
METRICS = ("cer", "wer", "content_word_recall")


def as_story(run, tokens: pd.DataFrame, number: dict[str, int], vectors: np.ndarray, t_r: float) -> Story:
    """Known words of a run's transcript at their middles, from the first sample on."""
    known = tokens[tokens["text"].isin(list(number))]
    times = (known["onset"] + known["duration"] / 2).to_numpy() + run.first_step * t_r
    return Story(vectors[[number[word] for word in known["text"]]], times, run.series)


def decode_subject(sources: Sources, settings: dict, language, subject: str) -> list[dict]:
    """Rows of the baseline and of its twin without information."""
    timing = make_timing(sources, settings)
    split = make_split(sources, subject, "within", settings)
    space = common_space(sources, [*split.training, *split.validation, *split.test])
    load = lambda names: load_runs(sources, names, space, language.space, timing, [subject])  # noqa: E731
    embedding = language.space.embedding
    number = {word: i for i, word in enumerate(embedding.tokens)}
    tokens_of = lambda run: load_tokens(sources.stimuli / f"{run.story}_words.tsv")  # noqa: E731
    training = [
        as_story(run, tokens_of(run), number, embedding.vectors, timing.t_r)
        for run in load([*split.training, *split.validation])
    ]
    encoding = fit_encoding(training, timing.t_r, N_VOXELS)
    rate = fit_word_rate(training, timing.t_r, N_RATE_VOXELS, encoding.scores)
    ngrams = WordNgrams([tokenize(line) for line in read_text(BIDS / settings["decoder"]["text"])], embedding.tokens)
    frequent = content_words(list(language.shares), list(language.shares.values()))
    content = [word in frequent for word in embedding.tokens]
    blank = np.concatenate([story.vectors for story in training]).mean(axis=0)
    texts: dict[str, list[str]] = {"true": [], "tang": [], "tang, brain turned": []}
    for run in load(split.test):
        tokens, starts = tokens_of(run), separate_starts(run, timing)
        turned = np.roll(run.series, len(run.series) // 2, axis=0)
        for name, series in (("tang", run.series), ("tang, brain turned", turned)):
            times = rate.times(series, timing.t_r)
            words = search(
                encoding,
                Likelihood(encoding, series),
                embedding.vectors,
                blank,
                ngrams,
                content,
                times,
                len(series),
                timing.t_r,
                WIDTH,
            )
            table = pd.DataFrame({"onset": times - run.first_step * timing.t_r, "duration": 0.0})
            table["text"] = [embedding.tokens[word] for word in words]
            texts[name] += cut(table, starts, timing)
        texts["true"] += cut(tokens, starts, timing)
    return score(texts, frequent, subject, encoding)


def cut(tokens: pd.DataFrame, starts: np.ndarray, timing) -> list[str]:
    """Text of each window."""
    window_s = timing.steps * timing.t_r
    return [join_tokens(window_tokens(tokens, step * timing.t_r, window_s)) for step in starts]


def score(texts: dict[str, list[str]], frequent, subject: str, encoding: Encoding) -> list[dict]:
    """Means over windows, a row a decoder."""
    metrics = pair_metrics(frequent)
    made = {name: Texts(strings, [tokenize(text) for text in strings]) for name, strings in texts.items()}
    rows = []
    for name in ("tang", "tang, brain turned"):
        row = {"subject": subject, "decoder": name, "windows": len(texts["true"])}
        for metric in METRICS:
            values = [metrics[metric](made[name], i, made["true"], i) for i in range(len(texts["true"]))]
            row[metric] = float(np.nanmean(values))
        rows.append(row | {"example": texts[name][3], "true": texts["true"][3]})
    return rows


def own_rows(subject: str) -> list[dict]:
    """The demo's decoder and its control without brain, as `make demo` scored them."""
    table = pd.read_csv(RESULTS / "tables" / "decoding.tsv", sep="\t", dtype={"subject": str})
    table = table[(table["subject"] == subject) & (table["protocol"] == "within") & (table["modality"] == "fmri")]
    rows = []
    for name in ("brainlm", "lm_only"):
        values = table[table["decoder"] == name].set_index("metric")["value"]
        rows.append({"subject": subject, "decoder": name} | {metric: float(values[metric]) for metric in METRICS})
    return rows


def speed(n_voxels: int = 10_000, n_features: int = 768, n_words: int = 50, n_hypotheses: int = 2) -> dict:
    """What every word adds to the likelihood of every hypothesis: by products of G and H, and by the definition."""
    random, n_samples, t_r = np.random.default_rng(0), 60, 2.0
    mixing = random.normal(size=(n_voxels, 40))
    noise = mixing @ mixing.T / 40
    precision = np.linalg.inv(noise / np.diag(noise).mean() / 3 + np.eye(n_voxels) * 2 / 3)
    weights = random.normal(size=(len(DELAYS) * n_features, n_voxels)) / np.sqrt(len(DELAYS) * n_features)
    encoding = Encoding(weights, np.arange(n_voxels), precision, np.zeros(n_features), np.ones(n_features), np.ones(1))
    series = random.normal(size=(n_samples, n_voxels))
    rows = random.normal(size=(n_hypotheses, n_samples, n_features))
    change = random.normal(size=(n_words, n_features))
    kernel = lanczos(np.array([61.3]), n_samples, t_r)[:, 0]
    prepared_s, likelihood = timed(lambda: Likelihood(encoding, series))
    fast_s, fast = min((timed(lambda: word_gains(likelihood, rows, kernel, change)) for _ in range(3)), key=first)
    touched = np.flatnonzero(delayed(kernel[:, None]).any(axis=1))

    def whole(features: np.ndarray) -> float:
        left = series[touched] - delayed(features)[touched] @ weights
        return -0.5 * float(((left @ precision) * left).sum())

    def define() -> np.ndarray:
        before = [whole(part) for part in rows]
        after = [[whole(part + kernel[:, None] * word) for word in change] for part in rows]
        return np.array(after) - np.array(before)[:, None]

    slow_s, slow = timed(define)
    difference = float(np.abs((fast - slow) / np.abs(slow).max()).max())
    found = {"voxels": n_voxels, "features": n_features, "candidates": fast.size, "direct_s": slow_s}
    found |= {"precomputed_s": fast_s, "ratio": slow_s / fast_s, "prepared_once_s": prepared_s}
    return found | {"max_relative_difference": difference}


def first(pair: tuple) -> float:
    """The seconds of a timed pair."""
    return pair[0]


def timed(work) -> tuple[float, object]:
    """Seconds, and the result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def main() -> None:
    """Print and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", nargs="+", default=["01", "02", "03"])
    subjects = parser.parse_args().subjects
    settings = load_json(RESULTS / "config.json")
    sources = Sources(RESULTS / "index.tsv", RESULTS / "derivatives", RESULTS / "stimuli", BIDS)
    language = load_language(RESULTS / "language_model")
    rows = [row for name in subjects for row in (*decode_subject(sources, settings, language, name), *own_rows(name))]
    print(pd.DataFrame(rows).to_string(float_format="%.3f"))
    fast = speed()
    print(json.dumps(fast))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    facts = {"commit": commit.strip(), "machine": f"{platform.machine()}, {os.cpu_count()} cores", "speed": fast}
    target = ROOT / "benchmarks" / "results" / "tang_style.json"
    target.write_text(json.dumps(facts | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
