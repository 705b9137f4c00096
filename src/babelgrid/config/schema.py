"""Write the JSON schemas and the manual from the settings models: `python -m babelgrid.config.schema`."""

import json
from pathlib import Path
from typing import Any

from babelgrid.config.experiment import Experiment

CONFIG = Path(__file__).parents[3] / "config"


def schema_json() -> str:
    """Return the JSON schema of an experiment, as written to config/schema.json."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Experiment.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def overlay_schema_json() -> str:
    """Return the JSON schema of an overlay, which may contain any part of an experiment: no key is required."""
    return json.dumps(_without_required(json.loads(schema_json())), indent=2, ensure_ascii=False) + "\n"


def _without_required(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _without_required(value) for key, value in schema.items() if key != "required"}
    return [_without_required(value) for value in schema] if isinstance(schema, list) else schema


def manual() -> str:
    """Return config/README.md: its hand-written introduction, then a table of keys for each block."""
    introduction = (CONFIG / "introduction.md").read_text(encoding="utf-8")
    schema = Experiment.model_json_schema()
    tables = [_table("", schema, schema["$defs"])]
    return introduction + "\n" + "\n".join(tables)


def _table(path: str, block: dict[str, Any], blocks: dict[str, Any]) -> str:
    title = f"## `{path}`" if path else "## The experiment"
    lines = [title, "", _one_line(block.get("description", "")), "", "| key | default | meaning |", "|---|---|---|"]
    below = []
    for key, field in block["properties"].items():
        inner = _block_name(field)
        default = "required" if key in block.get("required", []) else _default(field, inner)
        described = field.get("description") or (blocks[inner].get("description", "") if inner else "")
        lines.append(f"| `{key}` | {default} | {_one_line(described)} |")
        if inner:
            suffix = ".<name>" if "additionalProperties" in field else "[]" if field.get("type") == "array" else ""
            below.append(_table(f"{path}.{key}{suffix}".lstrip("."), blocks[inner], blocks))
    return "\n".join([*lines, "", *below])


def _block_name(field: dict[str, Any]) -> str | None:
    """Return the name of the settings block in a key: direct, optional, in a list or in a mapping."""
    candidates = [field, *field.get("anyOf", []), field.get("items", {}), field.get("additionalProperties", {})]
    references = [c["$ref"] for c in candidates if isinstance(c, dict) and "$ref" in c]
    return references[0].rsplit("/", 1)[1] if references else None


def _default(field: dict[str, Any], inner: str | None) -> str:
    if inner and field.get("default") is not None and isinstance(field["default"], dict):
        return "see below"
    return (
        f"`{json.dumps(field['default'], ensure_ascii=False)}`".replace("|", "\\|") if "default" in field else "empty"
    )


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    (CONFIG / "schema.json").write_text(schema_json(), encoding="utf-8")
    (CONFIG / "schema-overlay.json").write_text(overlay_schema_json(), encoding="utf-8")
    (CONFIG / "README.md").write_text(manual(), encoding="utf-8")
