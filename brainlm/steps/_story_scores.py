"""Scores of decoded stories: identification, decoded text, controls and the gain."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.stats import false_discovery_control

from brainlm.decoding import identification as ident
from brainlm.decoding.bertscore import bertscore
from brainlm.decoding.controls import REFERENCES, rate_scores
from brainlm.decoding.metrics import Texts, content_words, distinct_2, each_pair, known_words, pair_metrics, similarity
from brainlm.decoding.statistics import bootstrap_interval, make_blocks, measure_gain
from brainlm.decoding.windows import Timing, brain_windows, usable_starts
from brainlm.errors import DataError
from brainlm.io.store import load_json, load_table
from brainlm.io.text_model import load_text_model
from brainlm.steps._control_texts import control_texts, noise_trained_texts
from brainlm.steps._language import Language
from brainlm.steps._predictions import Predictions, predict, text_nats
from brainlm.steps._runs import Sources, load_model, load_runs, make_timing
from brainlm.steps._split_audit import audit_stories
from brainlm.steps._story_test import SILENT, Test, gather_test
from brainlm.steps._stretches import stretches_of
from brainlm.stimuli.embeddings import tokenize

SMALLER_IS_BETTER = ("cer", "wer")
HEADLINE = "content_word_recall"
TESTED = ("cer", "wer", HEADLINE)  # metrics of text that get a p of their own


def score_stories(
    sources: Sources, units: list[Path], language: Language, settings: dict, seed: int, place: torch.device
) -> list[dict]:
    """Rows of the table decoding for one unit (stories have one fold)."""
    if len(units) != 1:
        raise DataError(f"Stories have one fold; got {len(units)} units.")
    timing = make_timing(sources, settings)
    model, space, facts = load_model(units[0], timing)
    model.to(place)
    split = load_json(units[0] / "split.json")
    runs = load_runs(sources, split["test"], space, language.space, timing, facts["subjects"])
    test = gather_test(sources, runs, timing)
    stamp, overlap = audit_stories(sources, split, facts, test.true.tokens, settings)
    training, validation = (
        load_runs(sources, split[role], space, language.space, timing, facts["subjects"])
        for role in ("training", "validation")
    )
    predicted = [
        predict(model, brain_windows(run, usable_starts(run, timing), timing), run.subject, timing) for run in runs
    ]
    scorer = _Scorer(test, timing, settings, seed, language)
    decoded = read_decoded(units[0] / "decoded.tsv", len(test.story))
    rows = scorer.identification_rows(predicted, decoded)
    texts = control_texts(
        sources, test, timing, model, training, validation, predicted, decoded, language, settings, seed
    )
    if settings["evaluation"]["noise_train_test"]:
        parts = (training, validation, runs)
        texts["noise_train_test"] = noise_trained_texts(
            sources, parts, test, space, timing, language, facts["subjects"], settings, seed, place
        )
    rows += scorer.text_rows(texts)
    rows += scorer.likelihood_rows(predicted)
    rows += [
        {"decoder": "reference", "metric": f"shared_{name}", "value": float(found.max()), "n": len(found)}
        for name, found in (("pairs", overlap.pairs), ("words", overlap.words))
    ]
    rows.append({"decoder": "reference", "metric": SILENT, "value": test.silent, "n": test.silent + len(test.story)})
    if settings["evaluation"]["text_model"]:
        rows += scorer.context_rows(texts, Path(settings["evaluation"]["text_model"]), place)
    minutes = sum(len(run.series) for run in training) * timing.t_r / 60
    base = {"minutes": minutes, "window_s": timing.steps * timing.t_r, "candidates": len(test.story)}
    base |= {"leak_stamp": stamp}
    return [base | row for row in rows]


def read_decoded(path: Path, n_windows: int) -> list[str]:
    """The decoded texts of all test windows.

    Raises
    ------
    DataError
        If they are not as many as the windows, as after a change of the transcripts or of the release.
    """
    decoded = load_table(path)["decoded"].fillna("").tolist()
    if len(decoded) != n_windows:
        raise DataError(
            f"{path}: expected a row for each of {n_windows} test windows, got {len(decoded)}. "
            "Delete it, so that the windows are decoded anew."
        )
    return decoded


class _Scorer:
    """Turns scores of windows into rows with interval, null and p."""

    def __init__(self, test: Test, timing: Timing, settings: dict, seed: int, language: Language) -> None:
        self.test, self.timing, self.seed, self.language = test, timing, seed, language
        self.n_draws = settings["evaluation"]["n_permutations"]
        self.lag = int(np.ceil(settings["evaluation"]["min_lag_s"] / timing.t_r))
        self.window_lag = int(np.ceil(settings["evaluation"]["min_lag_s"] / (timing.steps * timing.t_r)))
        self.space = "PPMI-SVD of " + language.text

    def identification_rows(self, predicted: list, decoded: list[str]) -> list[dict]:
        """Ranks of the brain-text score, of decoded text, and of the predicted number of words."""
        test = self.test
        directions = test.coordinates / np.linalg.norm(test.coordinates, axis=1, keepdims=True).clip(min=1e-9)
        content = [said.coordinates @ directions.T for said in predicted]
        rate = [rate_scores(said.tokens, test.lengths) for said in predicted]
        among = ident.like_length(test.lengths)
        rows = [
            self._rank_row("brainlm", "identification_rank", content, None),
            self._rank_row("brainlm", "identification_rank_matched", content, among),
            self._rank_row("rate_only", "identification_rank", rate, None),
            self._rank_row("rate_only", "identification_rank_matched", rate, among),
        ]
        own = self.test.at_windows(content)
        true = np.arange(len(own))
        for metric, values in (
            ("top1", ident.top_k(own, true, 1)),
            ("top10", ident.top_k(own, true, 10)),
            ("mrr", ident.reciprocal_rank(own, true)),
        ):
            rows.append(self._row("brainlm", metric, values))
        rows.append(self._windows_row(content))
        alike = similarity(self.language.space.coordinates([tokenize(text) for text in decoded]), test.coordinates)
        shifted = [
            ident.shift_ranks(alike[test.rows(k)], np.arange(len(test.rows(k))), test.rows(k), self.window_lag)
            for k in range(len(test.runs))
        ]
        return [*rows, self._row("brainlm", "text_rank", np.concatenate([s.own for s in shifted]), shifted)]

    def text_rows(self, texts: dict[str, list[str]]) -> list[dict]:
        """Metrics of every decoder's text, and the gain of the brain over the best control on the headline metric."""
        test, rows, headline = self.test, [], {}
        metrics = pair_metrics(content_words(list(self.language.shares), list(self.language.shares.values())))
        for decoder, strings in texts.items():
            written = Texts(strings, [tokenize(text) for text in strings])
            for name, metric in metrics.items():
                own = np.array([metric(written, i, test.true, i) for i in range(len(strings))])
                pairs = name in TESTED and decoder == "brainlm"
                stories = [self._pairs(metric, written, test.rows(k)) for k in range(len(test.runs))] if pairs else None
                rows.append(self._row(decoder, name, own, stories, -1 if name in SMALLER_IS_BETTER else 1))
                if name == HEADLINE:
                    headline[decoder] = own
            alike = similarity(self.language.space.coordinates(written.tokens), test.coordinates)
            rows.append(self._row(decoder, "embedding_similarity", np.diag(alike)) | {"space": self.space})
            rows.append({"decoder": decoder, "metric": "distinct_2", "value": distinct_2(written.tokens)})
            for stretches in stretches_of(test, written, self.timing.steps * self.timing.t_r):
                rows += stretches.rows(decoder, metrics, self.seed)
            rows.append(self._row(decoder, "known_words", known_words(written.tokens, set(self.language.shares))))
        rows.append({"decoder": "reference", "metric": "distinct_2", "value": distinct_2(test.true.tokens)})
        return [*rows, self._gain_row(headline)]

    def likelihood_rows(self, predicted: list[Predictions]) -> list[dict]:
        """How likely the true text is to the decoder, with and without brain: nats a character, bits a window.

        A test text that the language model knows shows in few nats without brain.
        """
        parts = self.test.at_windows([said.parts for said in predicted])
        characters = self.test.at_windows([said.characters for said in predicted])
        strings = self.test.true.strings
        given, alone = (text_nats(self.language, said, characters, strings) for said in (parts, np.zeros_like(parts)))
        lengths = np.array([len(text) + 1 for text in strings])  # with the end mark
        return [
            self._row("brainlm", "nats_per_character", given / lengths),
            self._row("lm_only", "nats_per_character", alone / lengths),
            self._row("brainlm", "bits_per_window", (alone - given) / np.log(2)),
        ]

    def context_rows(self, texts: dict[str, list[str]], folder: Path, place: torch.device) -> list[dict]:
        """BERTScore of every decoder's text by the language model in ``folder``."""
        tokenizer, model = load_text_model(folder)
        score = partial(bertscore, tokenizer, model.to(place), true=self.test.true.strings)
        return [
            self._row(decoder, "bertscore", score(decoded=strings)) | {"space": str(folder)}
            for decoder, strings in texts.items()
        ]

    def _gain_row(self, headline: dict[str, np.ndarray]) -> dict:
        controls = {name: values for name, values in headline.items() if name not in ("brainlm", *REFERENCES)}
        window_s = self.timing.steps * self.timing.t_r
        gain = measure_gain(headline["brainlm"], controls, self.test.story, window_s, self.seed)
        return {
            "decoder": "brainlm",
            "metric": "gain",
            "of": HEADLINE,
            "value": gain.value,
            "ci_low": gain.low,
            "ci_high": gain.high,
            "p_gain": gain.p,
            "n": len(self.test.story),
            "n_effective": gain.n_blocks,
            "best_control": gain.control,
            "null": 0.0,
        }

    def _windows_row(self, scores: list[np.ndarray]) -> dict:
        """Share of windows identified above chance, each tested by itself, at a false discovery rate of 5 %."""
        p = false_discovery_control(ident.windows_p(self._shifted_ranks(scores, None)))
        return {"decoder": "brainlm", "metric": "windows_above_chance", "value": float((p < 0.05).mean()), "n": len(p)}

    def _shifted_ranks(self, scores: list[np.ndarray], among) -> list[ident.Shifted]:
        return [
            ident.shift_ranks(score, places, self.test.rows(k), self.lag, among)
            for k, (score, places) in enumerate(zip(scores, self.test.places, strict=True))
        ]

    def _rank_row(self, decoder: str, metric: str, scores: list[np.ndarray], among) -> dict:
        shifted = self._shifted_ranks(scores, among)
        return self._row(decoder, metric, np.concatenate([s.own for s in shifted]), shifted)

    def _pairs(self, metric, written: Texts, rows: np.ndarray) -> ident.Shifted:
        pick = lambda texts: Texts([texts.strings[i] for i in rows], [texts.tokens[i] for i in rows])  # noqa: E731
        return ident.shift_pairs(each_pair(metric, pick(written), pick(self.test.true)), self.window_lag)

    def _row(self, decoder: str, metric: str, values: np.ndarray, shifted=None, sign: int = 1) -> dict:
        row = {"decoder": decoder, "metric": metric, "value": float(np.nanmean(values)) if values.size else np.nan}
        if np.isnan(values).all():
            return row | {"n": 0, "left_out": len(values)}
        blocks = make_blocks(values, self.test.story, self.timing.steps * self.timing.t_r)
        low, high = bootstrap_interval(values, blocks, seed=self.seed)
        kept = ~np.isnan(values)
        row |= {"ci_low": low, "ci_high": high, "n": int(kept.sum()), "left_out": int((~kept).sum())}
        row |= {"n_effective": len(np.unique(blocks[kept]))}
        if shifted is None:
            return row
        turned = [ident.Shifted(sign * s.own, sign * s.at_lags) for s in shifted]
        null = ident.shift_null(turned, self.n_draws, self.seed)
        smallest = 1 / (1 + len(null.draws))
        return row | {
            "null": sign * float(null.draws.mean()),
            "p": null.p,
            "n_null": len(null.draws),
            "p_smallest": smallest,
        }
