#!/usr/bin/env python3
"""Checks that no type of another crate is in the public API but those on the list below.

    python3 .ci/check_public_api.py [--list]

rustdoc describes the API as JSON, which is unstable: the toolchain is told to allow it.
"""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Whole crates, and single items of the others. A breaking release of any of these is one of ours.
ALLOWED_CRATES = {"std", "core", "alloc", "http", "http_body", "tower_layer", "tower_service", "axum_core"}
ALLOWED_ITEMS = {
    # With the feature `azure`: what it is there for.
    "azure_core::credentials::AccessToken",
    "azure_core::credentials::TokenCredential",
    "azure_core::credentials::TokenRequestOptions",
    "typespec::error::Result",
    # In the bounds of a hidden `Unpin`, which no program can name.
    "pin_project_lite::__private::PinnedFieldsOf",
    "serde_core::de::Deserialize",
    "serde_core::de::DeserializeOwned",
    "serde_core::de::Deserializer",
    "serde_core::ser::Serialize",
    "serde_core::ser::Serializer",
}


def rustdoc():
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    command = ["cargo", "rustdoc", "--locked", "--lib", "--all-features", "--", "-Zunstable-options", "--output-format=json"]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "RUSTC_BOOTSTRAP": "1", "RUSTDOCFLAGS": ""})
    return json.loads((target / "doc" / "tower_entra.json").read_text(encoding="utf-8"))


class Walk:
    """Goes through everything that can be named from outside, and what it mentions."""

    def __init__(self, doc):
        self.index, self.paths, self.crates = doc["index"], doc["paths"], doc["external_crates"]
        self.seen, self.foreign = set(), {}
        self.item(doc["root"], "")

    def item(self, ident, inside):
        item = self.index.get(str(ident))
        if item is None or ident in self.seen:
            return
        self.seen.add(ident)
        if item["visibility"] not in ("public", "default"):
            return
        (kind, inner), = item["inner"].items()
        name = "::".join(part for part in (inside, item["name"]) if part)
        if kind == "use":
            self.mention(inner["id"], inner["source"], name)
            self.item(inner["id"], inside)
            return
        if kind == "impl":
            # What follows from the type's fields or holds for every type is nothing of ours.
            if inner["is_synthetic"] or inner["blanket_impl"] is not None:
                return
        children = []
        if kind == "module":
            children = inner["items"]
        elif kind in ("struct", "enum", "union"):
            children = inner["impls"] + inner.get("variants", []) + fields_of(inner)
        elif kind == "variant":
            children = fields_of(inner)
        elif kind in ("trait", "impl"):
            children = inner["items"]
        self.mentions({key: value for key, value in inner.items() if key not in LISTS}, name)
        for child in children:
            self.item(child, name)

    def mentions(self, node, name):
        if isinstance(node, dict):
            if isinstance(node.get("id"), int) and isinstance(node.get("path"), str):
                self.mention(node["id"], node["path"], name)
            for value in node.values():
                self.mentions(value, name)
        elif isinstance(node, list):
            for value in node:
                self.mentions(value, name)

    def mention(self, ident, written, name):
        summary = self.paths.get(str(ident))
        if summary is None or summary["crate_id"] == 0:
            return
        crate = self.crates[str(summary["crate_id"])]["name"]
        path = "::".join(summary["path"]) or written
        self.foreign.setdefault((crate, path), set()).add(name)


# Ids of other items, which are walked one by one.
LISTS = {"items", "impls", "implementations", "variants", "kind"}


def fields_of(inner):
    """The fields of a struct or of a variant; private ones are walked and found private."""
    kind = inner.get("kind")
    if not isinstance(kind, dict):
        return []
    (_, fields), = kind.items()
    fields = fields["fields"] if isinstance(fields, dict) else fields
    return [field for field in fields if field is not None]


def main():
    walk = Walk(rustdoc())
    if not walk.seen or ("http", "http::header::map::HeaderMap") not in walk.foreign:
        sys.exit("the API was not read: HeaderMap is known to be in it and was not found")
    faults = 0
    for (crate, path), users in sorted(walk.foreign.items()):
        is_allowed = crate in ALLOWED_CRATES or path in ALLOWED_ITEMS
        faults += not is_allowed
        if "--list" in sys.argv or not is_allowed:
            print(f"{'' if is_allowed else 'not allowed: '}{path}, in {', '.join(sorted(users)[:3])}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
