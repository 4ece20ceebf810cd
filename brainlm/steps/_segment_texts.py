"""The texts of segments as the step segment_texts wrote them."""

from pathlib import Path

import pandas as pd

from brainlm.io.transcripts import read_table

NUMBERS = ("length", "frequency", "word_rate")


def load_texts(path: Path) -> pd.DataFrame:
    """Segments that hold a word; one without is no stimulus of a network that reads."""
    table = read_table(path, "condition", "tokens", "text", *NUMBERS)
    table = table[table["tokens"].astype(int) > 0].reset_index(drop=True)
    return table.astype(dict.fromkeys(NUMBERS, float))
