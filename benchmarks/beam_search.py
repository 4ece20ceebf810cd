"""Batched beam search beside transformers' ``generate``: same network, same width, same texts.

A decoder of the demo's size whose n-grams and vocabulary weigh nothing, so that both search the transformer alone; ours
still looks both up, which counts against it. It learns the demo's text first; texts may not end early, as the likeliest
text of all is short. Random features; alternating runs of both in one process, medians. The texts of the two must be
equal. Writes benchmarks/results/beam_search.json.

    make demo; python benchmarks/beam_search.py [--width 200] [--items 4] [--characters 60] [--repeats 3]
"""

import argparse
import json
import platform
import statistics
import subprocess
import time
from functools import wraps
from pathlib import Path

import torch
import yaml

from brainlm.config import SCHEMA, fill_config
from brainlm.decoding.characters import END, START
from brainlm.decoding.decoder import CharacterDecoder, length_of
from brainlm.decoding.language_model import pretrain
from brainlm.decoding.search import beam_search
from brainlm.steps.train_language_model import build_decoder, learn_text

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "beam_search.json"


def search_ours(decoder: CharacterDecoder, features: torch.Tensor, width: int, longest: int) -> list[str]:
    """Texts of the package's search."""
    masses = decoder.vocabulary.masses(features[..., :-1])
    numbers = beam_search(decoder, decoder.memory(features), masses, length_of(features), width, 0.0, longest)
    return [decoder.alphabet.decode(row) for row in numbers.tolist()]


def search_theirs(decoder: CharacterDecoder, features: torch.Tensor, width: int, longest: int) -> list[str]:
    """Texts of ``generate`` with beams, without any bonus for length."""
    numbers = decoder.transformer.generate(
        torch.full((len(features), 1), START),
        attention_mask=torch.ones(len(features), 1, dtype=torch.long),
        encoder_hidden_states=decoder.memory(features),
        num_beams=width,
        do_sample=False,
        length_penalty=0.0,
        max_new_tokens=longest,
        pad_token_id=END,
    )
    return [decoder.alphabet.decode(row) for row in numbers[:, 1:].tolist()]


def learn() -> CharacterDecoder:
    """The transformer alone, taught the demo's text."""
    torch.manual_seed(0)
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    options = fill_config(config, SCHEMA)["decoder"]
    lesson = learn_text(ROOT / "data" / "demo", options, 0)
    decoder = build_decoder(lesson, options)
    decoder.weights.requires_grad_(False).zero_()
    for row in pretrain(decoder, lesson.draw, lesson.unseen, 200, lesson.random, 16, options["learning_rate"]):
        print(f"{row['validation']:.3f} nats a character", flush=True)
    never_end(decoder.transformer)
    return decoder.eval()


def never_end(transformer: torch.nn.Module) -> None:
    """Take the end mark out of what it may write, whoever searches."""
    forward = transformer.forward

    @wraps(forward)
    def endless(*given: object, **named: object) -> object:
        found = forward(*given, **named)
        found.logits[..., END] -= 1e4
        return found

    transformer.forward = endless


@torch.inference_mode()
def compare(asked: argparse.Namespace, decoder: CharacterDecoder) -> dict:
    """Seconds of both, and whether they write the same."""
    torch.manual_seed(1)
    features = torch.randn(asked.items, decoder.parts, decoder.read_content.in_features + 1)
    features[..., -1] = asked.characters
    seconds: dict[str, list[float]] = {"ours": [], "generate": []}
    texts: dict[str, list[str]] = {}
    for _ in range(asked.repeats):
        for name, search in (("ours", search_ours), ("generate", search_theirs)):
            start = time.perf_counter()
            texts[name] = search(decoder, features, asked.width, asked.characters)
            seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        "seconds": median,
        "ratio": median["generate"] / median["ours"],
        "equal_texts": sum(a == b for a, b in zip(texts["ours"], texts["generate"], strict=True)),
        "example": texts["ours"][0],
    }


def main() -> None:
    """Run both in turn, compare texts, print and write the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("width", 200), ("items", 4), ("characters", 60), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    found = {
        "commit": commit,
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        **vars(asked),
        **compare(asked, learn()),
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
