"""Batched beam search beside transformers' ``generate``: same network, same width, same texts.

The demo's decoder without its n-grams and vocabulary (weights 0), so that both search the transformer alone; ours still
looks both up, which counts against it. Random features of the demo's shape; alternating runs of both in one process,
medians. The texts of the two must be equal. Writes benchmarks/results/beam_search.json.

    make demo; python benchmarks/beam_search.py [--width 200] [--items 4] [--characters 60] [--repeats 3]
"""

import argparse
import json
import platform
import statistics
import subprocess
import time
from pathlib import Path

import torch

from brainlm.decoding.characters import END, START
from brainlm.decoding.decoder import CharacterDecoder, length_of
from brainlm.decoding.search import beam_search
from brainlm.steps._language import load_language

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


@torch.inference_mode()
def main() -> None:
    """Run both in turn, compare texts, print and write the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("width", 200), ("items", 4), ("characters", 60), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    decoder = load_language(ROOT / "results" / "demo" / "language_model").decoder.eval()
    decoder.weights.zero_()
    features = torch.randn(asked.items, decoder.parts, decoder.read_content.in_features + 1)
    features[..., -1] = asked.characters
    seconds: dict[str, list[float]] = {"ours": [], "generate": []}
    for _ in range(asked.repeats):
        texts = {}
        for name, search in (("ours", search_ours), ("generate", search_theirs)):
            start = time.perf_counter()
            texts[name] = search(decoder, features, asked.width, asked.characters)
            seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    found = {
        "commit": commit,
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        **vars(asked),
        "seconds": median,
        "ratio": median["generate"] / median["ours"],
        "equal_texts": sum(a == b for a, b in zip(texts["ours"], texts["generate"], strict=True)),
        "example": texts["ours"][0],
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
