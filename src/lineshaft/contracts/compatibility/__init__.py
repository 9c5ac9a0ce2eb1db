"""Do two versions of a schema go together? Decided by what may be written and what is read.

A registered schema gives two views. Writers are strict: an object schema that names members, and does not
say that there are others, is not written with others. Readers are tolerant: what they do not know they
ignore, so `unevaluatedProperties: false` does not bind them, and a value that an enum marked `x-extensible`
does not list is read as Other. `additionalProperties: false` binds both. An object schema that names no
member at all, as `{"type": "object"}`, is a map: anything may be in it.

For an extensible enum that means: values may come and go, as readers who know that others may come take them
as Other; what a value meant to them is lost, so the change is compatible but not free. Marking an enum
extensible helps only readers of that version and later ones.

backward   every document that writers of the old version may write is read with the new version
forward    the inverse
Facets (`x-unit`, `x-key`, `x-class`, `x-owner`, `x-order-by`) may not change in either.
"""

from __future__ import annotations

from lineshaft.contracts.compatibility.compare import compare
from lineshaft.contracts.compatibility.finding import Finding, Mode

__all__ = ["Finding", "Mode", "compare"]
