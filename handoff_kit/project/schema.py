"""The JSON Schema of the project file, for editors; `python -m handoff_kit.project.schema` prints it."""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from handoff_kit.project.model import Project


class _Generator(GenerateJsonSchema):
    """A schema of what a file may hold: without nulls, empty defaults, and titles of keys."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        json_schema = super().default_schema(schema)
        return {key: value for key, value in json_schema.items() if key != "default" or value not in (None, [], "")}

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401  # as pydantic has it
        del schema
        return False

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        json_schema = super().dict_schema(schema)
        return {**json_schema, "additionalProperties": False} if "patternProperties" in json_schema else json_schema


def project_schema() -> dict[str, Any]:
    """The schema, JSON Schema 2020-12."""
    json_schema = Project.model_json_schema(by_alias=True, mode="validation", schema_generator=_Generator)
    return {"$schema": _Generator.schema_dialect, **json_schema, "title": "handoff project file"}


def schema_text() -> str:
    """The schema as project.schema.json holds it."""
    return json.dumps(project_schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
