"""What kind of question it is, by its words alone: each kind looks elsewhere for its sources (`retrieve`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from pointsman.chat.types import Question
from pointsman.chat.words import content_words

Kind = Literal["greeting", "conversation", "follow-up", "map", "callers", "definition", "meaning", "code"]
"""`greeting` asks nothing, `conversation` is about what was said, `follow-up` leans on it; `map` is about the whole
repository, `callers`, `definition` and `meaning` about a symbol that it names, `code` about what the code does."""

_SAID = re.compile(
    r"\bwhat (?:did|have) (?:i|you|we) (?:just |already )?(?:ask|say|said|answer|tell|told|discuss|talk)"
    r"|\bsummari[sz]e (?:our|this|the) (?:conversation|chat|discussion)"
    r"|\b(?:my|your) (?:last|previous|first|earlier) (?:question|answer|message)s?\b"
    r"|\b(?:what (?:was|were)|repeat|rephrase|shorten|summari[sz]e|show(?: me)?) "
    r"the (?:last|previous|first|earlier) (?:question|answer)s?\b",
    re.I,
)
_GREETING = re.compile(
    r"\W*(?:(?:hi|hello|hey|thanks?|thank you|thx|cheers|good (?:morning|afternoon|evening)|bye|goodbye|ok|okay|great|"
    r"there|very much|a lot|so much)\b\W*){1,4}",
    re.I,
)
_GOES_ON = re.compile(r"\s*(?:and|but|so|then|also|what about|how about)\b", re.I)
_POINTS_BACK = re.compile(r"\b(?:it|its|that|this|they|them|their|those|these|there)\b", re.I)
_POINTER = re.compile(r"it|its|that|this|they|them|these|those|the", re.I)
_SHORT = 4
"""Content words of a question that may lean on the one before by a pronoun."""
_WHOLE = re.compile(
    r"\b(?:project|repository|repo|codebase|code base|package|library|program|app|application|modules|packages|files|"
    r"structure|architecture|overview|layout|components)\b",
    re.I,
)
_WHOLE_WORDS = content_words(
    """project repository repo codebase base package packages library program app application modules files folders
    structure structured architecture overview layout laid components parts main important big picture organised
    organized purpose summary summarise summarize give list kind contain contents built made"""
)
_PLACE_WORDS = content_words(
    """function functions class classes method methods constant variable type call calls called calling caller callers
    used using user users uses usage usages invoke invokes invoked invoking reference references referenced referencing
    instantiate instantiates instantiated import imports imported needs needed defined declared implemented located
    written definition declaration implementation source code place places site sites find get gets""",
    about_code=False,
)
_CODE = r"`?((?:[A-Za-z_]\w*(?:\.|::))*[A-Za-z_]\w*)(?:\(\))?`?"
_SPACES = re.compile(r"\s+")
_REASONS = re.compile(r"\b(?:why|how|when|if|whether|explain|describe|without|not|never)\b", re.I)
_AND_MORE = r"(?: (?:and|in|from|within|inside|during|at|for)\b[^.?!]*)?\s*\??\s*\Z"
_CALLERS = (
    re.compile(
        r"\b(?:what|who|which(?: \w+)?|where)\b(?:(?!\b(?:when|if|how|why|happens?)\b)[^.?!]){0,40}?"
        r"\b(?:call(?:s|ing)?|us(?:es?|ing)|invok(?:es?|ing)|referenc(?:es?|ing)|instantiat(?:es?|ing)"
        rf"|import(?:s|ing)?) (?:(?:the|this|that) (?:function|class|method) )?{_CODE}(?: (?:function|class|method))?"
        rf"{_AND_MORE}",
        re.I,
    ),
    re.compile(rf"\b(?:what|who|which \w+) needs? {_CODE}{_AND_MORE}", re.I),
    re.compile(
        rf"\bwhere (?:is|are|does|do) (?:the (?:function|class|method) )?{_CODE}(?: (?:function|class|method))?"
        r"(?: get)? (?:called|used|invoked|referenced|instantiated|imported|needed)\b",
        re.I,
    ),
    re.compile(rf"\b(?:callers|users|usages?|uses|call sites|references) (?:of|to) {_CODE}", re.I),
)
_DEFINITION = (
    re.compile(
        rf"\bwhere (?:is|are) (?:the )?(?:(?:function|class|method|constant|variable|type) )?{_CODE}"
        r"(?: (?:function|class|method|constant|variable|type))?"
        r"(?: (?:defined|declared|implemented|located|written))?\s*\??\s*\Z",
        re.I,
    ),
    re.compile(rf"\b(?:definition|declaration|implementation|source|code) of {_CODE}\s*\??\s*\Z", re.I),
)
_MEANING = (
    re.compile(
        rf"\W{{0,9}}(?:what (?:does|do)|explain|describe) (?:the )?(?:(?:function|class|method) )?{_CODE}"
        r"(?: (?:function|class|method|code))?(?: do| mean)?(?: here)?(?:, and how)?\W{0,9}"
        r"(?:\([^()]{0,300}\))?\W{0,9}",
        re.I,
    ),
    re.compile(
        r"\W{0,9}what(?: is|'s|s) (?:the (?:purpose|meaning|job) of )?(?:the )?(?:(?:function|class|method) )?"
        rf"{_CODE}(?: (?:function|class|method))?(?: (?:good |used )?for)?\W{{0,9}}",
        re.I,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    kind: Kind
    name: str = ""
    """Of the symbol that the kinds about a symbol are about, if there is one of that name; "" for the one that is
    selected."""
    leans: bool = False
    """Whether it says too little without the question before it."""
    only: bool = False
    """Whether the places that `callers` and `definition` ask for are all that is asked, and the graph's to tell."""


def read(question: Question) -> Reading:
    """Never fails: what fits nothing else is about the code."""
    text = question.text
    if _GREETING.fullmatch(text):
        return Reading(kind="greeting")
    if question.history and _SAID.search(text):
        return Reading(kind="conversation")
    named_root = content_words(question.root.name)
    pointed = question.end > question.start
    if not pointed and _WHOLE.search(text) and content_words(text) <= _WHOLE_WORDS | named_root:
        return Reading(kind="map")
    leans = bool(question.history) and _leans(text)
    kind, name = _symbol(text)
    if _POINTER.fullmatch(name):
        # "it" is what is selected, or what was asked about before.
        name = "" if pointed else _symbol(question.before)[1]
        kind = kind if pointed or name else "code"
    if kind != "code":
        return Reading(kind=kind, name=name, leans=leans, only=kind != "meaning" and _only(text, name))
    return Reading(kind="follow-up" if leans else "code", leans=leans)


def _symbol(text: str) -> tuple[Kind, str]:
    """What of a symbol is asked for, and its name; `code` and "" when nothing is."""
    text = _SPACES.sub(" ", text)  # what is pasted has runs of them, and patterns try each
    for pattern in _CALLERS:
        if match := pattern.search(text):
            return "callers", match[1]
    for pattern in _DEFINITION:
        if match := pattern.search(text):
            return "definition", match[1]
    for pattern in _MEANING:
        if match := pattern.fullmatch(text):
            return "meaning", match[1]
    return "code", ""


def _only(text: str, name: str) -> bool:
    asked = content_words(text, about_code=False)
    return not _REASONS.search(text) and asked - content_words(name, about_code=False) <= _PLACE_WORDS


def _leans(text: str) -> bool:
    asked = content_words(text, about_code=False)
    return len(asked) < 2 or (len(asked) <= _SHORT and bool(_GOES_ON.match(text) or _POINTS_BACK.search(text)))
