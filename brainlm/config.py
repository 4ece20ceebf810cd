"""A config: its defaults filled in, its faults found, and the parts of it that steps are told."""

import difflib
import json
from pathlib import Path

import jsonschema
import yaml

from brainlm.errors import ConfigError, choose
from brainlm.learning import LEARNING_RULES

SCHEMA = Path(__file__).parents[1] / "workflow" / "schemas" / "config.schema.yaml"


def as_json(settings: dict) -> str:
    """Settings as one compact line with sorted keys: equal settings, equal text."""
    return json.dumps(settings, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def pick(config: dict, *keys: str) -> str:
    """Sections of the config, or keys of them (``section.key``), as JSON: what one step reads, and no more."""
    chosen: dict = {}
    for key in keys:
        section, _, name = key.partition(".")
        if name:
            chosen.setdefault(section, {})[name] = config[section][name]
        else:
            chosen[section] = config[section]
    return as_json(chosen)


def leave_out(section: dict, *names: str) -> dict:
    """A section without the keys that its step does not read."""
    return {name: value for name, value in section.items() if name not in names}


def fill_config(config: dict, schema_path: Path) -> dict:
    """The config with the schema's defaults; one clear line for the first fault.

    Raises
    ------
    ConfigError
        If a key is unknown, missing, or its value is not allowed.
    """
    schema = yaml.safe_load(schema_path.read_text(encoding="utf-8"))
    filled = _with_defaults(_typed(config, schema), schema)
    faults = sorted(jsonschema.Draft202012Validator(schema).iter_errors(filled), key=lambda fault: list(fault.path))
    if faults:
        raise ConfigError(_explain(faults[0]))
    for key in ("bids_root", "results_dir"):
        _check_place(key, filled[key])
    for rule in filled["learning"]["learning_rules"]:
        choose("learning rule", rule, LEARNING_RULES)
    return filled


def _check_place(key: str, path: str) -> None:
    """Snakemake reads braces as wildcards; programs read a leading dash as an option."""
    if not path or path.startswith("-") or not path.isprintable() or set(path) & set("{}"):
        raise ConfigError(
            f"{key}: expected a folder without braces, line breaks or a leading dash, got {path!r}. Rename it."
        )


def _with_defaults(config: dict, schema: dict) -> dict:
    for name, part in schema.get("properties", {}).items():
        if name not in config and "default" in part:
            config[name] = part["default"]
        if isinstance(config.get(name), dict) and "properties" in part:
            config[name] = _with_defaults(dict(config[name]), part)
    return config


def _typed(value: object, schema: dict) -> object:
    """Numbers and truths that Snakemake's ``--config`` hands over as text, where the schema wants no text."""
    if isinstance(value, dict):
        parts = schema.get("properties", {})
        return {name: _typed(part, parts.get(name, {})) for name, part in value.items()}
    if isinstance(value, list):
        return [_typed(part, schema.get("items", {})) for part in value]
    if isinstance(value, str) and "type" in schema and "string" not in schema["type"]:
        return yaml.safe_load(value)
    return value


def _explain(fault: jsonschema.ValidationError) -> str:
    where = ".".join(str(part) for part in fault.path) or "config"
    if fault.validator == "additionalProperties":
        known = sorted(fault.schema.get("properties", {}))
        unknown = sorted(set(fault.instance) - set(known))[0]
        close = difflib.get_close_matches(unknown, known, n=1, cutoff=0)
        return f"{where}: unknown key {unknown!r}; did you mean {close[0]!r}?" if close else f"{where}: {fault.message}"
    if fault.validator == "type" and "string" in str(fault.validator_value) and isinstance(fault.instance, int):
        return (
            f"{where}: expected text, got the number {fault.instance}: a label such as 01 loses its zero. "
            f"Write '{fault.instance:02d}' in quotes."
        )
    return f"{where}: {fault.message} ({fault.schema.get('description', 'see config/README.md')})"
