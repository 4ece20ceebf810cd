"""config/README.md, made from the config's schema: every key with its default, meaning and allowed values.

python tests/config_page.py writes it.
"""

import json
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "config" / "README.md"
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"
HEAD = """# Every key of the config

Units are in the names (`_s` seconds, `_hz` hertz, `_mm` millimetres). Unknown keys are refused. Labels of subjects are
text: write them in quotes, as 01 without quotes is the number 1. NAME stands for a name of your own. This page is made
from `workflow/schemas/config.schema.yaml` (`python tests/config_page.py`); do not edit it.

| key | default | what it is |
| --- | --- | --- |
"""
LIMITS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}


def render() -> str:
    """The page's text."""
    return HEAD + "".join(_rows(yaml.safe_load(SCHEMA.read_text(encoding="utf-8")), ""))


def _rows(schema: dict, above: str) -> list[str]:
    rows = []
    for name, part in schema.get("properties", {}).items():
        needed = name in schema.get("required", [])
        rows.append(f"| `{above}{name}` | {_default(part, needed)} | {_meaning(part)} |\n")
        rows += _rows(part, f"{above}{name}.")
        for pattern, named in part.get("patternProperties", {}).items():
            rows.append(f"| `{above}{name}.{_example(pattern)}` |  | {_meaning(named)} |\n")
        if isinstance(part.get("additionalProperties"), dict):
            rows += _rows(part["additionalProperties"], f"{above}{name}.NAME.")
        if isinstance(part.get("items"), dict):
            rows += _rows(part["items"], f"{above}{name}[].")
    return rows


def _example(pattern: str) -> str:
    """A pattern of keys as people read it: its numbers as N."""
    return pattern.strip("^$").replace("[1-9][0-9]*", "N")


def _default(part: dict, needed: bool) -> str:
    if needed:
        return "required"
    section = part.get("default") == {} or "default" not in part
    return "" if section else f"`{json.dumps(part['default'], ensure_ascii=False)}`"


def _meaning(part: dict) -> str:
    text = part["description"].replace("|", "\\|")
    allowed = _allowed(part)
    return f"{text} ({allowed})" if allowed else text


def _allowed(part: dict) -> str:
    """Values or limits that the schema gives, of the key itself or of what it lists."""
    for where in (part, *part.get("anyOf", ()), part.get("items", {})):
        listed = where.get("items", {}) if isinstance(where.get("items"), dict) else {}
        for told in (where, listed):
            if "enum" in told:
                return ", ".join("null" if value is None else str(value) for value in told["enum"])
        limits = [f"{word} {where[key]}" for key, word in LIMITS.items() if key in where]
        if limits:
            return " and ".join(limits)
    return ""


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
