"""The names of the rules: what changed, as seen from the old version.

A change that a reader of the new version does not bear narrowed the schema, one that a reader of the old
version does not bear widened it.
"""

from __future__ import annotations

__all__ = ["RULES", "rule_name"]

# keyword: (breaks backward, breaks forward)
RULES = {
    "type": ("type_narrowed", "type_widened"),
    "const": ("const_narrowed", "const_widened"),
    "enum": ("enum_value_removed", "enum_value_added"),
    "minimum": ("minimum_raised", "minimum_lowered"),
    "exclusiveMinimum": ("minimum_raised", "minimum_lowered"),
    "maximum": ("maximum_lowered", "maximum_raised"),
    "exclusiveMaximum": ("maximum_lowered", "maximum_raised"),
    "multipleOf": ("multiple_of_narrowed", "multiple_of_widened"),
    "minLength": ("min_length_raised", "min_length_lowered"),
    "maxLength": ("max_length_lowered", "max_length_raised"),
    "pattern": ("pattern_narrowed", "pattern_widened"),
    "format": ("format_narrowed", "format_widened"),
    "minItems": ("min_items_raised", "min_items_lowered"),
    "maxItems": ("max_items_lowered", "max_items_raised"),
    "uniqueItems": ("unique_items_added", "unique_items_removed"),
    "contains": ("contains_narrowed", "contains_widened"),
    "required": ("required_added", "required_removed"),
    "minProperties": ("min_properties_raised", "min_properties_lowered"),
    "maxProperties": ("max_properties_lowered", "max_properties_raised"),
    "additionalProperties": ("additional_properties_narrowed", "additional_properties_widened"),
    "propertyNames": ("property_names_narrowed", "property_names_widened"),
    "dependentRequired": ("dependent_required_added", "dependent_required_removed"),
    "anyOf": ("any_of_narrowed", "any_of_widened"),
    "oneOf": ("one_of_narrowed", "one_of_widened"),
    "not": ("not_narrowed", "not_widened"),
    "if": ("condition_narrowed", "condition_widened"),
    "schema": ("schema_narrowed", "schema_widened"),
}


def rule_name(keyword: str, direction: str) -> str:
    """direction: `backward` or `forward`."""
    return RULES.get(keyword, RULES["schema"])[direction == "forward"]
