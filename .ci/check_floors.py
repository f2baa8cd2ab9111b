#!/usr/bin/env python3
"""Checks which file of the crate imports which: no circle, no import that runs up.

    python3 .ci/check_floors.py [--list] [ROOT]

The names in `use` declarations and inline paths are followed through re-exports to the file that
defines them, so an import through a façade counts as an import of the file behind it. A re-export
is an import only of a file that uses the name itself. What only tests see is left out.

Before it reads the crate it tries every rule on a small made-up one: a rule that finds nothing there
is a fault of this script.

`--list` prints every import and every circle, whatever the layout.
"""

import collections
import dataclasses
import pathlib
import posixpath
import re
import sys

# The floor of every file of src/admit, by the longest prefix of its path. A file may import its own
# floor and those below.
FLOORS = {
    "src/admit/mod.rs": 10,
    "src/admit/middleware/": 9,
    "src/admit/builder.rs": 9,
    "src/admit/config/": 9,
    "src/admit/user_assertion.rs": 8,
    "src/admit/validator.rs": 8,
    "src/admit/gate.rs": 7,
    "src/admit/verdict_series.rs": 7,
    "src/admit/checks/": 6,
    "src/admit/cache.rs": 6,
    "src/admit/requirement/": 6,
    "src/admit/keys/": 5,
    "src/admit/principal/": 5,
    "src/admit/token/": 4,
    "src/admit/error/": 3,
    "src/admit/issuers.rs": 2,
    "src/admit/findings.rs": 2,
    "src/admit/tenants.rs": 1,
    "src/admit/audiences.rs": 1,
    "src/admit/facets.rs": 1,
    "src/admit/values.rs": 1,
    "src/admit/algorithm.rs": 1,
    "src/admit/token_header.rs": 1,
}

# Imports that may run up, each as (from, to): "reason". One that is not needed is a fault.
EXCEPTIONS = {}

NETWORK = {"tokio", "http", "http_body", "hyper", "reqwest", "tower"}
READINGS = {("Instant", "now"), ("SystemTime", "now")}
EFFECTS = NETWORK | {"metrics"} | {"::".join(reading) for reading in READINGS}
PURE = (
    {"src/clock.rs", "src/metrics.rs", "src/http_client", "src/admit/keys/"},
    EFFECTS,
    "it is a pure function of its arguments: no network, clock, metrics or keys",
)

# What the files below a prefix never import: prefixes of files, other crates, and why.
NEVER = {
    "src/admit/error/": (
        {f"src/admit/{room}/" for room in ("checks", "token", "keys", "principal", "requirement", "middleware")},
        set(),
        "facts about a refusal do not ask again",
    ),
    "src/admit/token/": PURE,
    "src/admit/checks/": PURE,
    "src/admit/principal/": PURE,
    "src/admit/requirement/": PURE,
    "src/admit/keys/": (
        {"src/admit/checks/", "src/admit/principal/", "src/admit/requirement/"},
        set(),
        "the network knows no rule",
    ),
}

# Files that may use only the public names of the crate.
OUTSIDERS = ("src/testing/", "src/bin/")
# What nothing below the top may import.
TOP = ("src/lib.rs", "src/guide/", "src/fuzzing.rs", *OUTSIDERS)
WINGS = ("src/admit/", "src/acquire/")
HANDOVER = "src/handover.rs"

TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
      | (?P<comment>/\*)
      | (?P<string>[bc]?r(?P<hashes>\#*)".*?"(?P=hashes)|[bc]?"(?:\\.|[^"\\])*")
      | (?P<char>b?'(?:\\(?:x..|u\{[^}]*\}|.)|[^'\\])')
      | (?P<lifetime>'\w+)
      | (?P<name>(?:r\#)?[A-Za-z_]\w*)
      | (?P<number>\d\w*(?:\.\d\w*)?)
      | (?P<mark>::|.)""",
    re.VERBOSE | re.DOTALL,
)
OPEN, CLOSE = "([{", ")]}"
ITEMS = {"fn", "struct", "enum", "union", "trait", "type", "const", "static"}
QUALIFIERS = {"const", "async", "unsafe"}
# Keywords whose item ends with a semicolon, whatever braces come before.
STATEMENTS = {"use", "const", "static", "type", "let", "extern", "return"}
# An item with this `cfg` is no part of the program.
NEVER_SET = {"test", "fuzzing", "doctest"}


@dataclasses.dataclass(frozen=True)
class Token:
    kind: str
    text: str
    line: int


def tokens(text):
    """The tokens of a Rust file, without comments."""
    found, at, line = [], 0, 1
    while at < len(text):
        match = TOKEN.match(text, at)
        end = match.end()
        if match.lastgroup == "comment":
            depth = 1
            while depth and (mark := re.compile(r"/\*|\*/").search(text, end)):
                depth += 1 if mark.group() == "/*" else -1
                end = mark.end()
        elif match.lastgroup != "space":
            kind = "string" if match["string"] is not None else match.lastgroup
            found.append(Token(kind, match.group().removeprefix("r#"), line))
        line += text.count("\n", at, end)
        at = end
    return found


def closing(row, at):
    """The index of the bracket that closes the one at this index."""
    depth = 0
    for index in range(at, len(row)):
        if row[index].kind == "mark":
            depth += (row[index].text in OPEN) - (row[index].text in CLOSE)
            if depth == 0:
                return index
    return len(row) - 1


def opens_attribute(row, at):
    texts = [token.text for token in row[at : at + 3]]
    return texts[:2] == ["#", "["] or texts == ["#", "!", "["]


def is_set(row):
    """Whether a `cfg` predicate holds outside tests: True, False, or None if it depends."""
    name, rest = row[0].text, row[1:]
    if name in ("any", "all", "not") and rest:
        parts, part = [], []
        depth = 0
        for token in rest[1:-1]:
            depth += (token.text in OPEN) - (token.text in CLOSE) if token.kind == "mark" else 0
            if token.text == "," and depth == 0:
                parts, part = [*parts, part], []
            else:
                part.append(token)
        values = [is_set(part) for part in [*parts, part] if part]
        if name == "not":
            return None if values[0] is None else not values[0]
        decided = name == "any"
        if decided in values:
            return decided
        return None if None in values else not decided
    return False if name in NEVER_SET and not rest else None


def item_end(row, at):
    """The index after the item, field or statement that begins here, attributes included."""
    while opens_attribute(row, at):
        at = closing(row, at + 1) + 1
    words, depth = set(), 0
    for index in range(at, len(row)):
        token = row[index]
        if token.kind == "name" and depth == 0:
            words.add(token.text)
        if token.kind != "mark":
            continue
        if token.text in CLOSE and depth == 0:
            return index
        depth += (token.text in OPEN) - (token.text in CLOSE)
        if depth:
            continue
        ends_with_brace = "fn" in words or not words & STATEMENTS
        if token.text == ";" or (token.text == "}" and ends_with_brace):
            return index + 1
        if token.text == "," and not words & (ITEMS | {"impl", "mod"}):
            return index + 1
    return len(row)


@dataclasses.dataclass(frozen=True)
class Use:
    """One name that a `use` declaration brings in, or `*`."""

    path: tuple
    name: str
    line: int
    visibility: str
    inner: bool


@dataclasses.dataclass
class Name:
    """What a name of a module is: a module, a `use`, or else an item of the module's file."""

    module: "Module" = None
    use: Use = None
    is_public: bool = False


class Module:
    def __init__(self, file, parent, path):
        self.file, self.parent, self.path = file, parent, path
        self.names = collections.defaultdict(list)
        self.inner = collections.defaultdict(list)
        self.uses, self.paths, self.words, self.calls = [], [], set(), []
        self.macros, self.macro_uses = set(), []

    def lineage(self):
        module = self
        while module:
            yield module
            module = module.parent

    def textual_macros(self):
        return self.macros.union(*(child.textual_macros() for child in self.macro_uses))


class Crate:
    """The modules of one crate, read from its root file."""

    def __init__(self, files, root, library=None):
        self.files, self.library = files, library
        self.modules, self.test_files, self.missing = [], set(), []
        self.root = self.read(root, None, ())

    def read(self, file, parent, path):
        module = Module(file, parent, path)
        self.modules.append(module)
        stem = pathlib.PurePosixPath(file)
        is_folder = stem.name in ("mod.rs", "lib.rs", "main.rs")
        self.body(module, tokens(self.files[file]), stem.parent if is_folder else stem.with_suffix(""), stem.parent)
        return module

    def declared(self, folder, attribute_folder, name, path):
        if path:
            return posixpath.normpath(attribute_folder / path)
        for candidate in (folder / f"{name}.rs", folder / name / "mod.rs"):
            if str(candidate) in self.files:
                return str(candidate)
        return None

    def mark_tests(self, row, folder, attribute_folder, path):
        """Notes the files of modules that only tests have, and those of their modules."""
        for at, token in enumerate(row[:-2]):
            if token.text != "mod" or token.kind != "name" or row[at + 2].text != ";":
                continue
            file = self.declared(folder, attribute_folder, row[at + 1].text, path)
            if file in self.files and file not in self.test_files:
                self.test_files.add(file)
                stem = pathlib.PurePosixPath(file)
                below = stem.parent if stem.name == "mod.rs" else stem.with_suffix("")
                self.mark_tests(tokens(self.files[file]), below, stem.parent, None)

    def body(self, module, row, folder, attribute_folder):
        at = depth = 0
        while at < len(row):
            token = row[at]
            # An attribute, with those that follow it.
            if opens_attribute(row, at):
                start, path, hidden, macro_use, dropped = at, None, False, False, False
                while opens_attribute(row, at):
                    is_inner = row[at + 1].text == "!"
                    end = closing(row, at + 1 + is_inner)
                    inside = row[at + 2 + is_inner : end]
                    words = [part.text for part in inside]
                    if words[:2] == ["path", "="]:
                        path = words[2].strip('"')
                    elif words[:1] == ["cfg"] and is_set(inside[2:-1]) is False:
                        if is_inner:
                            return
                        dropped = True
                    hidden |= words[:3] == ["doc", "(", "hidden"]
                    macro_use |= words[:1] == ["macro_use"]
                    if words[:1] == ["serde"]:
                        self.serde_paths(module, inside)
                    else:
                        self.scan(module, inside)
                    at = end + 1
                if dropped:
                    end = item_end(row, start)
                    self.mark_tests(row[at:end], folder, attribute_folder, path)
                    at = end
                    continue
                at = self.item(module, row, at, depth, folder, attribute_folder, path, hidden, macro_use)
                continue
            if token.kind == "mark" and token.text in OPEN + CLOSE:
                depth += 1 if token.text in OPEN else -1
                at += 1
                continue
            at = self.item(module, row, at, depth, folder, attribute_folder, None, False, False)

    def item(self, module, row, at, depth, folder, attribute_folder, path, hidden, macro_use):
        """Reads a declaration that begins here, or one path or token, and returns the index after it."""
        if at >= len(row):
            return at
        start, visibility = at, ""
        if row[at].text == "pub":
            at, visibility = at + 1, "pub"
            if row[at].text == "(":
                end = closing(row, at)
                at, visibility = end + 1, "pub(" + "".join(part.text for part in row[at + 1 : end]) + ")"
        while row[at].text in QUALIFIERS and row[at + 1].text in QUALIFIERS | {"fn", "trait"}:
            at += 1
        token, follower = row[at], row[at + 1] if at + 1 < len(row) else Token("mark", "", 0)
        is_public = visibility == "pub" and not hidden
        if token.kind != "name":
            return max(at, start + 1) if token.kind == "mark" and token.text in OPEN + CLOSE else at + 1
        if token.text == "use" and follower.text != "<":
            end = next(index for index in range(at, len(row)) if row[index].text == ";")
            if "$" in (part.text for part in row[at:end]):
                return self.scan(module, row, at + 1, end)
            for tree, name in use_tree(row[at + 1 : end]):
                use = Use(tree, name, token.line, visibility, depth > 0)
                module.uses.append(use)
                if name not in ("*", "_"):
                    (module.inner if depth else module.names)[name].append(Name(use=use, is_public=is_public))
            return end + 1
        if token.text == "mod" and follower.kind == "name" and depth == 0:
            name, after = follower.text, row[at + 2].text
            inside = (*module.path, name)
            if after == "{":
                end = closing(row, at + 2)
                child = Module(module.file, module, inside)
                self.modules.append(child)
                self.body(child, row[at + 3 : end], folder / name, attribute_folder / name)
            else:
                end = at + 2
                file = self.declared(folder, attribute_folder, name, path)
                if file not in self.files:
                    self.missing.append((module.file, token.line, name))
                    return end + 1
                child = self.read(file, module, inside)
            module.names[name].append(Name(module=child, is_public=is_public))
            if macro_use:
                module.macro_uses.append(child)
            return end + 1
        if token.text == "macro_rules" and follower.text == "!":
            name = row[at + 2].text
            module.macros.add(name)
            module.names[name].append(Name())
            return at + 3
        if token.text in ITEMS and follower.kind == "name" and depth == 0 and follower.text not in ITEMS:
            module.names[follower.text].append(Name(is_public=is_public))
            return at + 1
        return self.scan(module, row, at, at + 1)

    def scan(self, module, row, at=0, until=None):
        """Notes the paths, names and macro calls from one index up to another."""
        until = len(row) if until is None else until
        while at < until:
            token = row[at]
            before = row[at - 1].text if at else ""
            if token.kind != "name" or before in (".", "::"):
                rooted = before == "::" and (at < 2 or row[at - 2].kind != "name" and row[at - 2].text != ">")
                if token.kind != "name" or not rooted:
                    at += 1
                    continue
            path, end = [token.text], at + 1
            while end + 1 < len(row) and row[end].text == "::" and row[end + 1].kind == "name":
                path.append(row[end + 1].text)
                end += 2
            if before == "::":
                path.insert(0, "::")
            if before != "$" or token.text == "crate":
                module.words.add(token.text)
                if len(path) > 1:
                    module.paths.append((tuple(path), token.line))
                elif end + 1 < len(row) and row[end].text == "!" and row[end + 1].text in ("(", "[", "{"):
                    module.calls.append((token.text, token.line))
            at = end
        return at

    def serde_paths(self, module, inside):
        """The functions and modules that serde's attributes name in strings."""
        for token in inside:
            if token.kind == "string" and re.fullmatch(r'"\w+(::\w+)*"', token.text):
                path = token.text.strip('"').split("::")
                module.words.add(path[0])
                if len(path) > 1:
                    module.paths.append((tuple(path), token.line))

    # Which file a path leads to.

    def resolve(self, module, path, seen=frozenset()):
        """What a path may mean: ("module", Module), ("item", file) or ("crate", name) each."""
        head, rest = path[0], path[1:]
        if head == "::":
            return {("crate", path[1])}
        if head == "crate":
            return self.within(self.root, rest, seen)
        if head == "self":
            return self.within(module, rest, seen)
        if head == "super":
            module = module.parent or module
            while rest and rest[0] == "super":
                module, rest = module.parent or module, rest[1:]
            return self.within(module, rest, seen)
        if self.knows(module, head, seen, inner=True):
            return self.within(module, path, seen, inner=True)
        if head == "tower_entra" and self.library:
            return self.library.within(self.library.root, rest)
        return {("crate", head)}

    def knows(self, module, name, seen=frozenset(), inner=False):
        if name in module.names or (inner and name in module.inner):
            return True
        return any(self.knows(target, name, seen | {use}) for use, target in self.globs(module, seen))

    def globs(self, module, seen):
        for use in module.uses:
            if use.name == "*" and use not in seen:
                for kind, target in self.resolve(module, use.path, seen | {use}):
                    if kind == "module":
                        yield use, target

    def within(self, module, path, seen=frozenset(), inner=False):
        if not path:
            return {("module", module)}
        name, rest = path[0], path[1:]
        found = set()
        for known in module.names.get(name, []) + (module.inner.get(name, []) if inner else []):
            if known.module:
                found |= self.within(known.module, rest, seen)
            elif known.use is None:
                found.add(("item", module.file, "own"))
            elif known.use not in seen:
                for target in self.resolve(module, known.use.path, seen | {known.use}):
                    found |= self.within(target[1], rest, seen) if target[0] == "module" else {target}
        # A name before `::` is a module if it can be one.
        if rest and any(target[0] == "module" or target[-1] != "own" for target in found):
            found = {target for target in found if target[-1] != "own"}
        found = {target[:2] for target in found}
        if not found:
            for use, target in self.globs(module, seen):
                if self.knows(target, name, seen | {use}):
                    found |= self.within(target, path, seen | {use})
        # What no declaration shows is made by a macro of that file.
        return found or {("item", module.file)}

    def is_public(self, path):
        """Whether a path from the root can be named from another crate."""
        module = self.root
        for at, name in enumerate(path):
            if name not in module.names:
                # Made by a macro.
                return at > 0
            known = [known for known in module.names[name] if known.is_public]
            if not known:
                return False
            targets = [one.module for one in known if one.module]
            for one in known:
                if one.use:
                    targets += [target for kind, target in self.resolve(module, one.use.path) if kind == "module"]
            if not targets:
                return True
            module = targets[0]
        return True

    def absolute(self, module, path, seen=frozenset()):
        """A path as it is written from the root, or None if it leads into another crate."""
        head, rest = path[0], path[1:]
        if head == "crate":
            return rest
        if head == "self":
            return module.path + rest
        if head == "super":
            return self.absolute(module.parent or module, rest if rest[:1] == ("super",) else ("self", *rest))
        for known in module.names.get(head, []) + module.inner.get(head, []):
            if known.use is None:
                return module.path + path
            if known.use not in seen:
                whole = self.absolute(module, known.use.path, seen | {known.use})
                return None if whole is None else whole + rest
        return None

    # What each file imports.

    def imports(self):
        """Every import: (from, to, line, path), `to` a file, or a crate's name after a colon."""
        for module in self.modules:
            for use in module.uses:
                yield from self.of_use(module, use)
            for path, line in module.paths:
                yield from self.of_path(module, path, line)
            for name, line in module.calls:
                owner = next((above for above in module.lineage() if name in above.textual_macros()), None)
                if owner and name not in module.names:
                    files = {child.file for child in [owner, *owner.macro_uses] if name in child.macros}
                    for file in files or {owner.file}:
                        yield module.file, file, line, (f"{name}!",)

    def of_path(self, module, path, line):
        for kind, target in self.resolve(module, path):
            if kind == "crate":
                yield module.file, f":{target}", line, path
                if path[-2:] in READINGS:
                    yield module.file, ":" + "::".join(path[-2:]), line, path
            else:
                yield module.file, target.file if kind == "module" else target, line, path

    def of_use(self, module, use):
        if use.name == "*":
            for kind, target in self.resolve(module, use.path):
                if kind != "module":
                    yield from self.of_path(module, use.path, use.line)
                    continue
                for word in sorted(module.words):
                    if word not in module.names and self.knows(target, word, frozenset({use})):
                        for kind, file in self.within(target, (word,), frozenset({use})):
                            if kind == "item":
                                yield module.file, file, use.line, (*use.path, word)
            return
        if use.visibility and use.name not in module.words:
            return
        heads = {path[0] for path, _ in module.paths}
        for kind, target in self.resolve(module, use.path):
            if kind == "crate":
                yield module.file, f":{target}", use.line, use.path
            elif kind == "item":
                yield module.file, target, use.line, use.path
            elif use.name not in heads:
                yield module.file, target.file, use.line, use.path


def use_tree(row):
    """The paths of a `use` declaration, each with the name that it brings in."""

    def tree(at, prefix):
        path = list(prefix)
        if row[at].text == "::" and not prefix:
            path.append("::")
            at += 1
        while True:
            text = row[at].text
            if text == "{":
                end, at = closing(row, at), at + 1
                while at < end:
                    at = yield from tree(at, path)
                    at += at < end and row[at].text == ","
                return end + 1
            if text == "*":
                yield tuple(path), "*"
                return at + 1
            if text != "self" or not path:
                path.append(text)
            at += 1
            if at < len(row) and row[at].text == "::":
                at += 1
                continue
            name = path[-1]
            if at < len(row) and row[at].text == "as":
                name, at = row[at + 1].text, at + 2
            yield tuple(path), name
            return at

    yield from tree(0, ())


@dataclasses.dataclass
class House:
    """The files of src/, what imports what, and where."""

    files: set
    imports: dict
    private: list
    lost: list

    def between_files(self):
        graph = {file: set() for file in self.files}
        for start, end in self.imports:
            if not end.startswith(":") and start != end:
                graph[start].add(end)
        return graph


def read(files):
    """Reads the crates below src/. `files` maps paths to texts."""
    library = Crate(files, "src/lib.rs")
    roots = [file for file in files if re.fullmatch(r"src/main\.rs|src/bin/[^/]+\.rs|src/bin/[^/]+/main\.rs", file)]
    crates = [library, *(Crate(files, root, library) for root in sorted(roots))]
    used = {module.file for crate in crates for module in crate.modules}
    tests = set().union(*(crate.test_files for crate in crates)) - used
    imports, private = {}, []
    for crate in crates:
        for start, end, line, path in crate.imports():
            imports.setdefault((start, end), (line, "::".join(path).replace("::::", "::")))
    for crate in crates:
        for module in crate.modules:
            if crate is not library and not module.file.startswith(OUTSIDERS):
                private.append((crate.root.file, 1, module.file))
            if not module.file.startswith(OUTSIDERS):
                continue
            paths = [(use.path, use.line, use.name == "*") for use in module.uses]
            for path, line, is_glob in paths + [(*known, False) for known in module.paths]:
                whole = crate.absolute(module, path) if crate is library else path[1:]
                is_own = whole is None or whole[:1] == ("testing",) if crate is library else path[0] != "tower_entra"
                if not is_own and (is_glob or not library.is_public(whole)):
                    private.append((module.file, line, "::".join(path)))
    lost = [f"{file}:{line}: `mod {name}` has no file" for crate in crates for file, line, name in crate.missing]
    lost += [f"{file} is part of no module" for file in sorted(files.keys() - used - tests)]
    return House(used, imports, private, lost)


def circles(graph):
    """The shortest circle of each set of files that import one another, and that set."""
    index, low, stack, sets = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in sorted(graph[node]):
            if target not in index:
                visit(target)
            if target in stack:
                low[node] = min(low[node], low[target])
        if low[node] == index[node]:
            at = stack.index(node)
            sets.append(set(stack[at:]))
            del stack[at:]

    for node in sorted(graph):
        if node not in index:
            visit(node)
    for members in sets:
        if len(members) > 1:
            yield min((shortest(graph, node, members) for node in sorted(members)), key=len), sorted(members)


def shortest(graph, start, members):
    """The shortest way from a file back to itself."""
    before, queue = {}, collections.deque([start])
    while queue:
        node = queue.popleft()
        for target in sorted(graph[node] & members):
            if target == start:
                way = [start, node]
                while way[-1] != start:
                    way.append(before[way[-1]])
                return way[::-1]
            if target not in before:
                before[target] = node
                queue.append(target)
    raise AssertionError("the members of a circle reach one another")


def floor(file):
    prefixes = [prefix for prefix in FLOORS if is_below(file, prefix)]
    return FLOORS[max(prefixes, key=len)] if prefixes else None


def is_below(file, prefix):
    return file.startswith(prefix) if prefix.endswith("/") else file == prefix or file.startswith(f"{prefix}/") or file == f"{prefix}.rs"


def shown(house, start, end):
    line, path = house.imports[start, end]
    return f"{start}:{line} imports {end.removeprefix(':')} (`{path}`)"


def faults(house, exceptions=None):
    """One line for each fault: what was found, and the rule."""
    exceptions = EXCEPTIONS if exceptions is None else exceptions
    yield from house.lost
    for way, members in circles(house.between_files()):
        chain = " -> ".join([way[0], *(f"{end} (line {house.imports[start, end][0]})" for start, end in zip(way, way[1:]))])
        yield f"circle: {chain}; {len(members)} files import one another; no file of src/ may"
    needed = set()
    for start, end in sorted(house.imports):
        for rule in broken(start, end):
            if rule.startswith("floor") and (start, end) in exceptions:
                needed.add((start, end))
            else:
                yield f"{shown(house, start, end)}; {rule}"
    for file, line, path in house.private:
        yield f"{file}:{line} uses `{path}`; files of {file.split('/')[1]}/ use only the public names of the crate"
    for start, end in sorted(exceptions.keys() - needed):
        yield f"the exception for {start} -> {end} is not needed; remove it from .ci/check_floors.py"
    inside = {file for file in house.files if file.startswith("src/admit/")}
    for file in sorted(inside):
        if floor(file) is None:
            yield f"{file} has no floor; every file of src/admit/ is placed in .ci/check_floors.py"
    if inside:
        for prefix in FLOORS:
            if not any(is_below(file, prefix) for file in house.files):
                yield f"the floor of {prefix} is that of no file; remove it from .ci/check_floors.py"


def broken(start, end):
    """The rules that this import breaks."""
    if start == end:
        return
    for prefix, (never, crates, why) in NEVER.items():
        if is_below(start, prefix) and (end[1:] in crates if end.startswith(":") else any(is_below(end, one) for one in never)):
            yield f"{prefix} never imports it: {why}"
    if end.startswith(":") or start.startswith(TOP):
        return
    start_wing, end_wing = (next((wing for wing in WINGS if file.startswith(wing)), None) for file in (start, end))
    if end.startswith(TOP):
        yield "nothing imports the top floor"
    elif end == HANDOVER:
        yield "only the root imports the file where the wings meet"
    elif start != HANDOVER and start_wing is None and end_wing:
        yield "the ground never imports a wing"
    elif start_wing and end_wing and start_wing != end_wing:
        yield f"the wings never import each other; they meet in {HANDOVER}"
    low, high = floor(start), floor(end)
    if low is not None and high is not None and low < high:
        yield f"floor {low} never imports floor {high}"


def listing(house):
    graph = house.between_files()
    for start in sorted(graph):
        others = sorted(end[1:] for begin, end in house.imports if begin == start and end[1:] in EFFECTS)
        print(f"{start}{'  [' + ' '.join(others) + ']' if others else ''}")
        for end in sorted(graph[start]):
            line, path = house.imports[start, end]
            print(f"    {line:4}  {end}  (`{path}`)")
    print()
    for way, members in circles(graph):
        print(f"{len(members)} files import one another: {', '.join(members)}")
        print(f"    the shortest circle: {' -> '.join(way)}")
    for start in sorted(graph):
        for end in sorted(graph[start]):
            if start < end and start in graph[end]:
                lines = house.imports[start, end][0], house.imports[end, start][0]
                print(f"import each other: {start}:{lines[0]} and {end}:{lines[1]}")
    for file, line, path in house.private:
        print(f"{file}:{line} uses `{path}`, which is not public")
    for fault in house.lost:
        print(fault)


def made_up():
    """The smallest tree that breaks no rule: each floor has a file, and so has each other part."""
    files = {
        "src/lib.rs": """
            pub mod guide; pub mod testing; mod admit; mod acquire; mod handover; mod clock; mod ids; mod metrics;
            pub use self::{ids::AppId, admit::{Validator, Error}};
            #[doc(hidden)] pub use self::ids::Hidden;
            #[cfg(any(test, fuzzing))] pub mod fuzzing;
            pub const fn version() {}
        """,
        "src/admit/mod.rs": """
            #[macro_use] mod values;
            mod algorithm; mod audiences; mod builder; mod cache; mod checks; mod config; mod error; mod facets; mod findings; mod gate;
            mod issuers; mod keys; mod middleware; mod principal; mod requirement; mod tenants; mod token; mod token_header; mod user_assertion; mod validator; mod verdict_series;
            pub use self::{error::Error, validator::Validator};
            #[cfg(test)] #[path = "some_tests.rs"] mod tests;
        """,
        "src/admit/some_tests.rs": "use crate::admit::gate::Gate; mod more;",
        "src/admit/some_tests/more.rs": "use super::super::builder::Builder;",
        "src/admit/keys/mod.rs": "mod set; pub(crate) use self::set::KeySet;",
        "src/admit/keys/set.rs": "use crate::clock::now; pub(crate) struct KeySet;",
        "src/admit/principal/mod.rs": "mod kind; pub use self::kind::Kind; pub struct Caller;",
        "src/admit/principal/kind.rs": "use super::Caller; pub struct Kind;",
        "src/admit/checks/mod.rs": "mod policy; pub(crate) use self::policy::*;",
        "src/admit/checks/policy.rs": "pub struct Policy;",
        "src/admit/cache.rs": "use super::checks::Policy; pub struct Cache(Policy);",
        "src/admit/error/mod.rs": "mod kind; pub(crate) use self::kind::Kind; pub struct Error(Kind);",
        "src/admit/error/kind.rs": "code! { Kind }",
        "src/admit/values.rs": "macro_rules! code { ($name:ident) => { pub enum $name {} } }",
        "src/admit/gate.rs": "use super::{error::Kind, keys}; pub struct Gate(keys::KeySet, crate::metrics::Metric);",
        "src/admit/validator.rs": "use crate::admit::gate::Gate; pub struct Validator(Gate);",
        "src/acquire/mod.rs": "use crate::ids::AppId as Id; pub struct Token(Id);",
        "src/handover.rs": "use crate::{acquire::Token, admit::Error}; impl From<Token> for Error {}",
        "src/clock.rs": "pub(crate) fn now() {} #[cfg(test)] mod tests { use crate::admit::gate::Gate; }",
        "src/ids.rs": "pub struct AppId; pub struct Hidden; /* /* crate::admit */ */ const TEXT: &str = r#\"crate::admit::gate::Gate\"#;",
        "src/metrics.rs": "use metrics::Key; /// [`Error`](crate::admit::Error)\n pub(crate) struct Metric(Key, &'static str, char);",
        "src/testing/mod.rs": "mod issuer; pub use self::issuer::Issuer;",
        "src/testing/issuer.rs": "use super::super::{AppId, Error, Validator}; pub struct Issuer(AppId); fn f() { crate::version() }",
        "src/guide/mod.rs": "",
        "src/fuzzing.rs": "use crate::admit::gate::Gate;",
        "src/bin/sidecar/main.rs": "mod routes; use tower_entra::Validator;",
        "src/bin/sidecar/routes.rs": "use crate::Validator;",
    }
    for prefix in FLOORS:
        files.setdefault(f"{prefix}mod.rs" if prefix.endswith("/") else prefix, "")
    return files


ONLY_TESTS = """
    #[cfg(test)] use super::{gate::Gate};
    #[cfg(test)] fn f<A, B>(_: A) -> B { crate::admit::gate::g() }
    struct S { #[cfg(test)] a: super::gate::Gate, b: u8 }
    fn g() { #[cfg(test)] let x = super::gate::Gate; h(#[cfg(test)] super::gate::g()) }
"""

# Each with the file that is changed, what is added to it, and a part of what must be found.
TRIALS = [
    ("src/admit/gate.rs", "use super::validator::Validator;", "circle: src/admit/gate.rs -> src/admit/validator.rs"),
    ("src/ids.rs", "use crate::\n{\n  clock as time}; fn f() { time::now() }\n", None),
    ("src/clock.rs", "fn f(_: crate::metrics::Metric) {} use crate::guide;", "nothing imports the top floor"),
    # Circles through a façade, a glob, a macro and the parent.
    ("src/admit/keys/set.rs", "use crate::admit::gate::*; fn f(_: Gate) {}", "circle: src/admit/gate.rs -> src/admit/keys/set.rs"),
    ("src/admit/keys/set.rs", "use crate::admit::gate::*; struct Gate;", None),
    ("src/admit/values.rs", "use super::error::Kind;", "circle: src/admit/error/kind.rs -> src/admit/values.rs"),
    ("src/admit/error/kind.rs", "fn f(_: super::Error) {}", "circle: src/admit/error/kind.rs -> src/admit/error/mod.rs"),
    ("src/admit/keys/set.rs", "fn f(_: super::KeySet) {}", None),
    ("src/admit/principal/mod.rs", "fn f(_: Kind) {}", "circle: src/admit/principal/kind.rs -> src/admit/principal/mod.rs"),
    ("src/admit/checks/policy.rs", "use crate::admit::cache::Cache;", "circle: src/admit/cache.rs -> src/admit/checks/policy.rs"),
    # Floors.
    ("src/admit/token/mod.rs", "fn f() -> crate::admit::checks::Policy {}", "floor 4 never imports floor 6"),
    ("src/admit/token/mod.rs", "use crate::admit::{self as door, error}; fn f(_: door::builder::Builder) {}", "floor 4 never imports floor 9"),
    ("src/admit/token/mod.rs", "#[cfg(test)] fn f<A, B>(_: crate::admit::gate::Gate) {} #[cfg(not(test))] use super::gate::Gate;", "mod.rs:1 imports src/admit/gate.rs (`super::gate::Gate`)"),
    ("src/admit/token/mod.rs", "#[cfg(all(test, feature = \"x\"))] use super::{gate::{Gate}, builder};", None),
    ("src/admit/token/mod.rs", f"{ONLY_TESTS} use super::gate::Gate;", "floor 4 never imports floor 7"),
    ("src/admit/token/mod.rs", ONLY_TESTS, None),
    ("src/admit/token/mod.rs", "#![cfg(test)] use super::gate::Gate;", None),
    ("src/admit/token/mod.rs", "mod inner { pub(crate) fn f(_: super::super::gate::Gate) {} }", "floor 4 never imports floor 7"),
    ("src/admit/values.rs", "macro_rules! f { ($a:ty) => { use $a; $crate::admit::gate::Gate } }", "floor 1 never imports floor 7"),
    ("src/admit/token/mod.rs", "#[serde(with = \"super::gate\")] struct A;", "floor 4 never imports floor 7"),
    ("src/admit/mod.rs", "mod unplaced;", "src/admit/unplaced.rs has no floor"),
    # Wings and the ground.
    ("src/ids.rs", "use crate::Error;", "the ground never imports a wing"),
    ("src/acquire/mod.rs", "use crate::Validator;", "the wings never import each other"),
    ("src/admit/gate.rs", "fn f(_: crate::acquire::Token) {}", "the wings never import each other"),
    ("src/admit/gate.rs", "use crate::handover::Both;", "only the root imports the file where the wings meet"),
    # Folders.
    ("src/admit/error/mod.rs", "use super::token;", "facts about a refusal do not ask again"),
    ("src/admit/error/kind.rs", "use super::super::middleware::Layer;", "facts about a refusal do not ask again"),
    ("src/admit/keys/set.rs", "use crate::admit::principal::Caller;", "the network knows no rule"),
    *(
        (f"src/admit/{room}/mod.rs", text, "it is a pure function of its arguments")
        for room in ("token", "checks", "principal", "requirement")
        for text in (
            "use tokio::time;",
            "fn f(_: ::http::HeaderMap) {}",
            "use ::http::HeaderMap;",
            "use crate::{clock, metrics::Metric};",
            "use super::keys::KeySet;",
            "fn f() { metrics::counter!(\"x\") }",
            "fn f() -> Instant { std::time::Instant::now() }",
        )
    ),
    # Outsiders.
    ("src/testing/issuer.rs", "use crate::admit::validator::Validator;", "testing/ use only the public names"),
    ("src/testing/issuer.rs", "fn f(_: crate::Hidden) {}", "testing/ use only the public names"),
    ("src/testing/issuer.rs", "use super::super::clock;", "testing/ use only the public names"),
    ("src/testing/mod.rs", "fn f(_: crate::testing::issuer::Private, _: issuer::Private) {}", None),
    ("src/testing/mod.rs", "use crate::*;", "testing/ use only the public names"),
    ("src/bin/sidecar/routes.rs", "use tower_entra::Hidden;", "bin/ use only the public names"),
    ("src/bin/sidecar/main.rs", "#[path = \"../../clock.rs\"] mod clock;", "bin/ use only the public names"),
    # Files.
    ("src/admit/mod.rs", "mod nowhere;", "`mod nowhere` has no file"),
    ("src/lone.rs", "", "src/lone.rs is part of no module"),
]


def failed_trials():
    """What is wrong with this script: rules that find nothing, or find something where nothing is."""
    for file, text, expected in [("src/lib.rs", "", None), *TRIALS]:
        files = made_up()
        if "unplaced" in text:
            files["src/admit/unplaced.rs"] = ""
        files[file] = f"{files.get(file, '')} {text}"
        found = list(faults(read(files), {}))
        if (expected is None and found) or (expected is not None and not any(expected in fault for fault in found)):
            yield f"check_floors.py itself: {file} with {text!r} gives {found}, not {expected!r}"
    up = ("src/admit/token/mod.rs", "src/admit/gate.rs")
    files = made_up()
    files[up[0]] = "use crate::admit::gate::Gate;"
    if list(faults(read(files), {up: "a reason"})):
        yield "check_floors.py itself: an exception is not heeded"
    if not any("is not needed" in fault for fault in faults(read(made_up()), {up: "a reason"})):
        yield "check_floors.py itself: an exception that is not needed is not found"
    files = {file: text for file, text in made_up().items() if file != "src/admit/cache.rs"}
    files["src/admit/mod.rs"] = files["src/admit/mod.rs"].replace("mod cache;", "")
    if not any("the floor of src/admit/cache.rs is that of no file" in fault for fault in faults(read(files), {})):
        yield "check_floors.py itself: a floor without a file is not found"


def main():
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    options = {argument for argument in sys.argv[1:] if argument.startswith("--")}
    root = pathlib.Path(arguments[0]) if arguments else pathlib.Path(__file__).resolve().parent.parent
    found = sorted((root / "src").rglob("*.rs"))
    house = read({file.relative_to(root).as_posix(): file.read_text(encoding="utf-8") for file in found})
    if "--list" in options:
        listing(house)
        return 0
    wrong = [*failed_trials(), *faults(house)]
    for fault in wrong:
        print(fault, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
