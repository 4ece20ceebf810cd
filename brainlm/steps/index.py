"""Step: write the run table of a data set (the workflow does this itself, but for data that it has yet to make)."""

from pathlib import Path

from brainlm.io.bids import index_recordings
from brainlm.io.store import save_index


def index(*, config: dict, out: Path) -> None:
    """Write index.tsv for the whole ``config``; every header, event and pointer fault stops it."""
    save_index(out, index_recordings(config))
