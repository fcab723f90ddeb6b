"""A secret that the cut of a request goes through: at the edges of a selection, of a window, of a turn before."""

from __future__ import annotations

import pytest

from pointsman.chat.prompt import beginning
from pointsman.chat.types import Question
from pointsman.refactor.types import Part, RefactorQuery
from tests.pipelines import snapshot

from .conftest import Attack, GatewayHost

LEFT, RIGHT = "ghp_Zx9vKq2LmR7tYw4B", "p4AsNc8UeJf3HdGbV5Oq"
TOKEN = f'def key():\n    return ("{LEFT}"\n        "{RIGHT}")\n'
WORDS = 'USERS = {\n    "admin":\n        "Tr0ub4dor&3xyz9!Qm7",\n}\n'


def bodies(attack: Attack) -> str:
    return "".join(body.decode() for body in attack.site.received)


@pytest.mark.parametrize(("start", "end"), [(1, 2), (3, 3), (1, 3)])
@pytest.mark.parametrize("saved", [True, False])
async def test_a_token_that_a_selection_splits_leaves_in_neither_half(
    attack: Attack, start: int, end: int, saved: bool
) -> None:
    attack.write("src/a.py", TOKEN if saved else "x = 1\n")
    attack.say("NO CHANGE")
    part = Part(snapshot=snapshot(TOKEN, root=attack.site.repo, name="src/a.py"), start_line=start, end_line=end)
    done = await attack.refactored(
        RefactorQuery(parts=(part,), instruction="simplify", target="closed"), GatewayHost(attack.site)
    )
    assert done.redactions == 2 and attack.site.received
    assert LEFT not in bodies(attack) and RIGHT not in bodies(attack)


async def test_a_value_whose_name_is_not_selected_is_known_for_one(attack: Attack) -> None:
    filler = "".join(f"a{number} = {number}\n" for number in range(25))
    attack.write("src/a.py", WORDS[:-2] + filler.replace("a", "    # a") + "}\n")
    attack.say("NO CHANGE")
    text = (attack.site.repo / "src/a.py").read_text()
    part = Part(snapshot=snapshot(text, root=attack.site.repo, name="src/a.py"), start_line=23, end_line=25)
    await attack.refactored(
        RefactorQuery(parts=(part,), instruction="simplify", target="closed"), GatewayHost(attack.site)
    )
    assert attack.site.received and "Tr0ub4dor" not in bodies(attack)


async def test_a_selection_that_is_asked_about_is_read_with_what_is_around_it(attack: Attack) -> None:
    shown = snapshot(TOKEN, root=attack.site.repo, name="src/a.py")
    start = TOKEN.index(f'"{RIGHT}')
    question = Question(
        text="what is this?", root=attack.site.repo, selection=shown, start=start, end=len(TOKEN), target="closed"
    )
    attack.say("It is a key [1].")
    await attack.asked(question, GatewayHost(attack.site))
    assert attack.site.received and RIGHT not in bodies(attack)


@pytest.mark.parametrize("before", range(560, 600, 4))
def test_a_turn_before_is_cut_between_words(before: int) -> None:
    text = "a" * 50 + " " + "b " * ((before - 51) // 2) + LEFT + RIGHT + " and more" * 20
    kept = beginning(text)
    assert len(kept) <= 600 and (LEFT + RIGHT in kept or LEFT[:6] not in kept)
    assert beginning("one\n" * 300).endswith("one") and beginning("x" * 700) == "" and beginning("short") == "short"
