"""The uses and imports of a file: which words may name a definition of this repository, and from what they are taken.

The query hands over every word that is no comment and no string. What a word is, is then read off the bytes around it,
which is far cheaper than asking the tree: `.` or `::` before it makes it a member, `(` behind it a call. Words that
cannot be resolved are left out here, since nearly all words are locals: a bare one stays when the file defines or
imports it, or when the language shows a package's names without import; a member stays when it is called, or taken
from something that the file knows.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import chain, pairwise
from operator import attrgetter

from tree_sitter import Node, QueryCursor

from pointsman_indexer.imports import imports
from pointsman_indexer.languages import Grammar
from pointsman_indexer.lines import Lines
from pointsman_indexer.symbols import CONTAINERS, Import, References, Symbol

SELVES = frozenset({"self", "cls", "this", "Self", "super", "crate"})
_SELVES = frozenset(word.encode() for word in SELVES)
_LONGEST_NAME = 100
_MOST_WORDS = 300_000
"""In one file; more are data."""
_BARE = frozenset({"identifier", "type_identifier", "shorthand_property_identifier", "package_identifier"})
_OPEN = frozenset({"go", "java", "rust"})
"""Languages in which names of other files are visible without being imported by name."""
_APART = frozenset({"go", "java"})
"""Languages in which a variable goes before a function of its name where a member is taken from it."""
_FUNCTIONS = frozenset({"function", "method", "constructor"})
_PYTHON = frozenset(name.encode() for name in dir(builtins))
_EVERYWHERE = frozenset(
    name.encode() for type_ in (str, bytes, list, dict, set, tuple) for name in dir(type_) if not name.startswith("_")
) | frozenset(
    b"then catch finally push shift unshift map filter reduce forEach some every includes indexOf toString toLowerCase "
    b"toUpperCase trim concat slice splice charAt length size equals hashCode isEmpty contains unwrap expect clone "
    b"iter into collect to_string to_owned as_str as_ref is_some is_none is_ok is_err ok_or map_err unwrap_or len "
    b"push_str hasOwnProperty Error String Printf Println Sprintf Errorf Fatal Fatalf Lock Unlock call apply "
    b"bind".split()
)
"""Methods of the languages' own types. A call of one on something unknown says nothing."""
COMMON = frozenset(name.decode() for name in _EVERYWHERE)


_DEEPEST_NODE = 512
_DOT, _COLON, _PAREN, _BANG, _OPENING, _CLOSE = b".:(!<>"
_TYPED = re.compile(
    rb"[ \t]*(?::\s*[\"'&]?(?:mut\s+)?|(?::[^=\n]{1,80})?:?=\s*(?:await\s+|new\s+|&)?(?=[\w.:]{1,80}[({<]))"
    rb"((?:\w{1,40}\.){0,4}[A-Z]\w{0,60})"
)
"""What may follow a name that is bound: its class, in an annotation or as the constructor that makes it."""
_COPIED = re.compile(rb"[ \t]*=[ \t]*(\w{1,60})[ \t]*(?=[\r\n;#]|or\b|\?\?)")
_PARENT = b"super()"
_ME = frozenset({b"self", b"this"})
_TYPED_GO = re.compile(
    rb"[ \t]+(?::?=[ \t]*&?(?=[\w.]{1,101}[{,)])|\*?)((?:\w{1,40}\.)?[A-Z]\w{0,60})(?=[ \t]*(?:[\[{,)=;/\r\n]|\Z))"
)
_CLASS = re.compile(rb"(?:\w{1,40}\.){0,4}[A-Z]\w{0,60}")
_NO_NAME = re.compile(rb"[^\w.]")
_LONGEST_TYPE = 200
_MADE = re.compile(rb"(?:new\s+)?((?:\w{1,40}\.){0,4}[A-Z]\w{0,60})\s*[(<]")
"""How a call begins that makes an object: its class."""
_MEMBER = re.compile(rb"\s*\.\s*")
_OFFSET = attrgetter("start_byte")


def words(name: str) -> int:
    """Words that a name is made of, by underscores and capitals."""
    bare = name.strip("_")
    return 1 + bare.count("_") + sum(a.islower() and b.isupper() for a, b in pairwise(bare))


def uses(
    known: Grammar, language: str, root: Node, lines: Lines, symbols: Sequence[Symbol], defined: Set[int]
) -> tuple[tuple[References, ...], tuple[Import, ...]]:
    """The uses and imports in a tree. `defined` holds the offsets of the names of definitions, which are no uses."""
    if known.references is None:
        return (), ()
    cursor = QueryCursor(known.references)
    cursor.set_max_start_depth(_DEEPEST_NODE)
    captures = cursor.captures(root)
    taken, statements = _imports(captures.get("import", ()), language, lines)
    found = sorted(captures.get("name", ()), key=_OFFSET)  # the binding gives them in no order
    if len(found) > _MOST_WORDS:
        return (), taken
    return _Reader(language, lines, symbols, taken, captures).read(found, defined, statements), taken


def _imports(nodes: Iterable[Node], language: str, lines: Lines) -> tuple[tuple[Import, ...], list[tuple[int, int]]]:
    """What is imported, and the spans of the statements that say so, ascending."""
    taken: list[Import] = []
    statements: list[tuple[int, int]] = []
    for node in sorted(nodes, key=_OFFSET):
        start, end = node.start_byte, node.end_byte
        found = list(imports(lines.data[start:end].decode("utf-8", "replace"), language, lines.at(start)))
        if found:
            statements.append((start, end))
            taken += found
    return tuple(taken), statements


class _Reader:
    """The words of one file, in order."""

    def __init__(
        self,
        language: str,
        lines: Lines,
        symbols: Sequence[Symbol],
        taken: Sequence[Import],
        captures: Mapping[str, Sequence[Node]],
    ) -> None:
        self._language, self._lines, self._symbols = language, lines, symbols
        self._familiar = {
            *(one.alias.partition(".")[0].encode() for one in taken),
            *(symbol.name.encode() for symbol in symbols),
            *_SELVES,
        }
        self._open = language in _OPEN or any(one.name == "*" for one in taken)
        self._bases = {node.start_byte for node in captures.get("base", ())}
        self._types = {node.start_byte for node in captures.get("type", ())}
        self._owners = _owners(symbols, len(lines))
        self._parents = _parents(symbols)
        bound = {(one.line, one.alias) for one in taken}
        self._locals: dict[bytes, set[int]] = {}
        self._classes: dict[tuple[bytes, int], bytes] = {}
        """Of locals, by their function; -1 is the file's top."""
        self._attributes: dict[tuple[bytes, int], bytes] = {}
        """Of attributes, by the class that they are of."""
        self._makers = {
            self._parents[number]: number for number, symbol in enumerate(symbols) if symbol.name == "constructor"
        }
        for node in captures.get("local", ()):
            start, end = node.start_byte, node.end_byte
            name, class_ = lines.data[start:end], self._written(start, end)
            if not class_ and name not in self._familiar:
                continue
            line = lines.at(start)
            owner = self._function(self._owners[line])
            if class_ and self._known(class_):
                self._classes[name, owner] = class_
            if owner >= 0 and name in self._familiar and (line, name.decode("utf-8", "replace")) not in bound:
                self._locals.setdefault(name, set()).add(owner)
        for node in captures.get("field", ()):
            start, end = node.start_byte, node.end_byte
            name, class_ = lines.data[start:end], self._written(start, end)
            if class_:
                container = self._container(self._owners[lines.at(start)])
                self._classes[name, container] = self._attributes[name, container] = class_
        self._made_here = dict(_made(captures.get("made", ()), lines.data))
        """Of members that are taken from an object where it is made, its class."""

    def read(
        self, nodes: Sequence[Node], defined: Set[int], statements: Sequence[tuple[int, int]]
    ) -> tuple[References, ...]:
        data, familiar, open_ = self._lines.data + b"\n", self._familiar, self._open
        skipped = chain.from_iterable(statements)
        opens, closes = next(skipped, len(data)), next(skipped, len(data))
        first = head = last = -1
        """Where the chain of members that the word before is in began, where its first word and where it ended."""
        places: dict[tuple[bytes, str, bytes, int], list[int]] = {}
        for node in nodes:
            start, end = node.start_byte, node.end_byte
            mark = data[start - 1]
            if mark == _DOT or (mark == _COLON and data[start - 2] == _COLON):
                joined = first >= 0 and start - 2 <= last < start
                if not joined:
                    first = -1
                called = data[end] == _PAREN
                if not called and not (joined and (open_ or data[first:head] in familiar)):
                    last = end
                    continue  # an attribute of a local
                name = data[start:end]
                receiver = data[first:last] if joined else self._before(start)
                last = end
            else:
                first, last = start, end
                head = end
                name = data[start:end]
                if name not in familiar and not open_:
                    continue  # a local
                receiver = b""
                called = data[end] == _PAREN or (data[end] == _BANG and self._language == "rust")
            while start >= closes < len(data):
                opens, closes = next(skipped, len(data)), next(skipped, len(data))
            if start in defined or start >= opens or name in _SELVES or end - start > _LONGEST_NAME:
                continue
            line = self._lines.at(start)
            owner = self._owners[line]
            if receiver in _ME and not called:
                self._bind(name, end, owner)
            kind = "base" if start in self._bases else "call" if called else "type" if start in self._types else "name"
            if receiver:
                receiver = self._receiver(receiver, name, called, owner)
                if not receiver:
                    continue
            elif not self._bare(node, name, kind, owner):
                continue
            here = places.setdefault((name, kind, receiver, owner), [])
            if not here or here[-1] != line:
                here.append(line)
        return self._packed(places)

    def _before(self, start: int) -> bytes:
        """What the member at `start` is taken from when it follows no name."""
        if self._lines.data[start - 8 : start - 1] == _PARENT:
            return b"super"
        return self._made_here.get(start, b"?")

    def _receiver(self, receiver: bytes, name: bytes, called: bool, owner: int) -> bytes:
        """What a member is taken from as it is kept, or b"" when the member tells nothing."""
        receiver = receiver.replace(b"::", b".").replace(b"?.", b".")
        head = receiver.partition(b".")[0]
        if head in _SELVES:
            return receiver if called or name in self._familiar else b""
        class_ = self._class(head, owner) if receiver == head else b""
        if class_ and self._language in _APART:
            return class_
        if (head in self._familiar and not self._local(head, owner)) or (self._open and head[:1].isupper()):
            return receiver
        return class_ or (b"?" if called and name not in _EVERYWHERE else b"")

    def _written(self, start: int, end: int) -> bytes:
        """The class that is written at a name that is bound, or b""."""
        data = self._lines.data
        if self._language == "java" and (class_ := _type_before(data, start)):
            return class_
        of = (_TYPED_GO if self._language == "go" else _TYPED).match(data, end)
        return of[1] if of is not None else b""

    def _bind(self, name: bytes, end: int, owner: int) -> None:
        """Note the class of an attribute that is bound here: as written, or that of the local that it is set to."""
        of = _TYPED.match(self._lines.data, end)
        local = _COPIED.match(self._lines.data, end) if of is None else None
        class_ = of[1] if of is not None else self._class(local[1], owner) if local is not None else b""
        if class_ and self._known(class_):
            self._attributes.setdefault((name, self._container(owner)), class_)

    def _attribute(self, receiver: bytes, owner: int) -> bytes:
        """`self.name` as the class that `name` was bound to be of; any other receiver as it is."""
        head, _, name = receiver.partition(b".")
        if head not in _ME or not name:
            return receiver
        container = self._container(owner)
        return self._attributes.get((name, container)) or self._made(name, container) or receiver

    def _made(self, name: bytes, container: int) -> bytes:
        """The class of a constructor's parameter: TypeScript makes such parameters attributes."""
        maker = self._makers.get(container)
        return self._classes.get((name, maker), b"") if maker is not None else b""

    def _container(self, owner: int) -> int:
        while owner >= 0 and self._symbols[owner].kind not in CONTAINERS:
            owner = self._parents[owner]
        return owner

    def _class(self, name: bytes, owner: int) -> bytes:
        """The class that a local is seen to be of where it is bound, or b""."""
        while owner >= 0:
            if (name, owner) in self._classes:
                return self._classes[name, owner]
            if owner in self._locals.get(name, ()):
                return b""
            owner = self._parents[owner]
        return self._classes.get((name, -1), b"")

    def _bare(self, node: Node, name: bytes, kind: str, owner: int) -> bool:
        if name not in self._familiar:
            # Of another file that is visible without import.
            return kind in ("base", "type") or (kind == "call" and not (self._language == "python" and name in _PYTHON))
        if node.type not in _BARE or self._local(name, owner):
            return False
        return kind != "name" or not _assigned(self._lines.data, node.end_byte)

    def _known(self, class_: bytes) -> bool:
        return self._open or class_.partition(b".")[0] in self._familiar

    def _function(self, owner: int) -> int:
        while owner >= 0 and self._symbols[owner].kind not in _FUNCTIONS:
            owner = self._parents[owner]
        return owner

    def _local(self, name: bytes, owner: int) -> bool:
        """Whether a function around binds the name itself."""
        functions = self._locals.get(name)
        while functions and owner >= 0:
            if owner in functions:
                return True
            owner = self._parents[owner]
        return False

    def _packed(self, places: Mapping[tuple[bytes, str, bytes, int], Sequence[int]]) -> tuple[References, ...]:
        packed: dict[str, list[str]] = {}
        for (name, kind, receiver, owner), lines in places.items():
            inside = self._symbols[owner].qualified if owner >= 0 else ""
            where = ",".join(map(str, lines))
            receiver = self._attribute(receiver, owner)
            packed.setdefault(name.decode("utf-8", "replace"), []).append(
                f"{kind}\t{receiver[-_LONGEST_NAME:].decode('utf-8', 'replace')}\t{inside}\t{where}"
            )
        return tuple(References(name, "\n".join(rows)) for name, rows in packed.items())


def _type_before(data: bytes, end: int) -> bytes:
    """The class that a Java declaration names before the name that ends it, or b""."""
    before = data[max(0, end - _LONGEST_TYPE) : end].rstrip()
    if before.endswith(b">"):
        depth = 0
        for place in range(len(before) - 1, -1, -1):
            depth += (before[place] == _CLOSE) - (before[place] == _OPENING)
            if depth == 0:
                before = before[:place].rstrip()
                break
    last = _NO_NAME.split(before.rsplit(None, 1)[-1])[-1] if before else b""
    return last if _CLASS.fullmatch(last) else b""


def _made(nodes: Iterable[Node], data: bytes) -> Iterator[tuple[int, bytes]]:
    """(offset of the member's name, class) of members that are taken from calls that make an object."""
    for node in nodes:
        of, member = _MADE.match(data, node.start_byte), _MEMBER.match(data, node.end_byte)
        if of is not None and member is not None:
            yield member.end(), of[1]


def _owners(symbols: Sequence[Symbol], lines: int) -> list[int]:
    """For each line the symbol that it is in, innermost; -1 for none."""
    owners = [-1] * (lines + 2)
    for number, symbol in enumerate(symbols):
        owners[symbol.start_line : symbol.end_line + 1] = [number] * (symbol.end_line + 1 - symbol.start_line)
    return owners


def _parents(symbols: Sequence[Symbol]) -> list[int]:
    """For each symbol the one around it; -1 for none."""
    parents: list[int] = []
    open_: list[int] = []
    for number, symbol in enumerate(symbols):
        del open_[symbol.depth :]
        parents.append(open_[-1] if open_ else -1)
        open_.append(number)
    return parents


def _assigned(data: bytes, end: int) -> bool:
    """Whether `=` follows: a target or an argument's name. `==` and `=>` are none of these."""
    while data[end : end + 1] in (b" ", b"\t"):
        end += 1
    return data[end : end + 1] == b"=" and data[end + 1 : end + 2] not in (b"=", b">")
