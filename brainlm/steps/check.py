"""Step: say what a config will run, before anything runs."""

from pathlib import Path

import torch
import yaml

from brainlm.checks import decoded_protocols
from brainlm.config import SCHEMA, fill_config
from brainlm.errors import ConfigError
from brainlm.workflow import Plan


def check(*, config: Path) -> None:
    """Read the config and the data set it names; print what will run, or the first fault in one line."""
    if not config.is_file():
        raise ConfigError(f"--config: expected a YAML file, found none at {config}.")
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{config}: expected YAML, got {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{config}: expected keys with values, got {type(content).__name__}.")
    plan = Plan.of(fill_config(content, SCHEMA), dry_run=True)
    print(f"data set: {plan.config['bids_root']}{' (to be simulated)' if plan.must_simulate else ''}")
    print(f"subjects: {', '.join(plan.subjects())}")
    counts = plan.table.groupby(["modality", "task", "use"]).size()
    for (modality, task, use), n in counts.items():
        print(f"{modality} {task} ({use}): {n} recordings")
    for protocol in sorted({name for names in decoded_protocols(plan.config).values() for name in names}):
        print(f"decoding, {protocol}: {len(plan.scores('', protocol))} subject x modality x seed")
    print(f"networks to train: {len(plan.networks('', ''))}")
    print(f"GPU: {torch.cuda.get_device_name() if torch.cuda.is_available() else 'none found'}")
