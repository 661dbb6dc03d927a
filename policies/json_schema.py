"""The JSON Schema of `policy-config.yaml`, for editors: draft 2020-12, and draft-07 for those that know no later one.

yaml-language-server documents draft-07 (https://github.com/redhat-developer/yaml-language-server#features). What the
schema takes, the linter takes; the linter says more.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import TimedeltaSchema

from policies.config import PolicyConfig

DRAFTS = {
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
    "07": "http://json-schema.org/draft-07/schema#",
}
_DURATION = r"^(?:\s*\d+(?:\.\d+)?\s*|(?:\d+(?:\.\d+)?[smhdwSMHDW])+|P.+)$"
_SHORT_MODEL = {"type": "string", "minLength": 1, "description": "the name of a model, without a route of its own"}


class _Generate(GenerateJsonSchema):
    def timedelta_schema(self, schema: TimedeltaSchema) -> JsonSchemaValue:  # noqa: ARG002
        """Lengths of time as they are written, not as ISO 8601 alone."""
        return {
            "anyOf": [{"type": "string", "pattern": _DURATION}, {"type": "number", "exclusiveMinimum": 0}],
            "description": "a length of time: 15s, 15m, 4h, 7d, PT15M, or a number of seconds",
        }


def json_schema(draft: str = "2020-12") -> dict[str, Any]:
    """The schema of a whole configuration. Raises KeyError for a draft that is not one of DRAFTS."""
    made = PolicyConfig.model_json_schema(by_alias=True, schema_generator=_Generate)
    definitions = made["$defs"]
    # What the models take besides, before they look at it.
    model = definitions["Model"]
    definitions["Model"] = {"anyOf": [_SHORT_MODEL, _named(model)]}
    definitions["Pack"]["properties"]["version"] = {"type": ["string", "number"], "description": "such as 1.2.0"}
    definitions["ConsumerGroup"]["properties"]["policy"] = {
        **definitions["ConsumerGroup"]["properties"]["policy"],
        **_laid_over({"$ref": "#/$defs/PolicyOptions"}, definitions, {}),
    }
    definitions["ConsumerGroup"]["properties"]["policy"].pop("additionalProperties", None)
    definitions["ConsumerGroup"]["properties"]["policy"].pop("type", None)
    if draft == "07":
        made = _older(made)
    return {"$schema": DRAFTS[draft], "$id": "https://keeptrusts.invalid/schemas/policy-config/v1.json", **made}


def _laid_over(schema: Any, definitions: dict[str, Any], made: dict[str, str]) -> Any:
    """What may be laid over a block: of it and of the blocks in it nothing is required. Lists are replaced whole, so
    what stands in them is as ever."""
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        if definitions[name].get("type") != "object":
            return schema
        if name not in made:
            made[name] = f"{name}Overlay"
            definitions[made[name]] = _laid_over(definitions[name], definitions, made)
        return {**schema, "$ref": f"#/$defs/{made[name]}"}
    over = {key: value for key, value in schema.items() if key not in ("required", "minProperties")}
    if "anyOf" in over:
        over["anyOf"] = [_laid_over(each, definitions, made) for each in over["anyOf"]]
    if isinstance(over.get("properties"), dict):
        over["properties"] = {name: _laid_over(each, definitions, made) for name, each in over["properties"].items()}
    for name, each in (over.get("patternProperties") or {}).items():
        over["patternProperties"] = {**over["patternProperties"], name: _laid_over(each, definitions, made)}
    if isinstance(over.get("additionalProperties"), dict):
        over["additionalProperties"] = _laid_over(over["additionalProperties"], definitions, made)
    return over


def _named(model: dict[str, Any]) -> dict[str, Any]:
    """`id` and `name` are taken for `model`."""
    name = model["properties"]["model"]
    properties = {**model["properties"], "id": name, "name": name}
    without = {key: value for key, value in model.items() if key != "required"}
    return {**without, "properties": properties, "oneOf": [{"required": [key]} for key in ("model", "id", "name")]}


def _older(schema: Any) -> Any:
    """The same in draft-07: `definitions`, and `items` for a list whose items are told one by one."""
    if isinstance(schema, list):
        return [_older(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        # Beside a reference draft-07 ignores everything else.
        reference = {"$ref": str(schema["$ref"]).replace("#/$defs/", "#/definitions/")}
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return {**rest, "allOf": [reference]} if rest else reference
    older = {("definitions" if key == "$defs" else key): _older(value) for key, value in schema.items()}
    if "prefixItems" in older:
        older["items"] = older.pop("prefixItems")
    return older
