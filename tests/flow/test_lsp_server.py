"""The language server over stdio: exactly one response to each request, whatever is sent, and no text in any log."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.lspwire import Wire

SCRIPT = Path(__file__).with_name("fake_server.py")
URI = "file:///w/a.py"
PLACE = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 0}, "context": {"triggerKind": 2}}
WHOLE = {"start": {"line": 0, "character": 0}, "end": {"line": 9, "character": 0}}


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    started = await Wire.start([sys.executable, str(SCRIPT)])
    yield started
    await started.close()


@pytest.fixture
async def ready(wire: Wire) -> Wire:
    await wire.initialize()
    return wire


async def still_works(wire: Wire) -> None:
    await wire.open("file:///w/alive.py", "alive")
    answer = await wire.complete("file:///w/alive.py", 0, 5)
    assert answer["result"]["items"][0]["insertText"] == "<5>"


async def test_capabilities_are_static_and_incremental(wire: Wire) -> None:
    answer = await wire.initialize()
    capabilities = answer["result"]["capabilities"]
    assert capabilities["inlineCompletionProvider"] == {}
    assert capabilities["textDocumentSync"]["change"] == 2
    assert capabilities["textDocumentSync"]["openClose"]
    assert "completionProvider" not in capabilities
    assert {"pointsman.refactor", "pointsman.ask", "pointsman.reindex", "pointsman.explainLast"} <= set(
        capabilities["executeCommandProvider"]["commands"]
    )
    assert answer["result"]["serverInfo"]["name"] == "pointsman"


async def test_a_place_below_the_text_gets_nothing_and_one_right_of_its_line_the_lines_end(ready: Wire) -> None:
    await ready.open(URI, "ab\ncd\n")
    for line, character, offset in ((0, 99, 2), (2, 0, 6), (2, 9, 6)):
        (item,) = (await ready.complete(URI, line, character))["result"]["items"]
        start = item["range"]["start"]
        assert start == {"line": line, "character": 2 if offset == 2 else 0}
    assert (await ready.complete(URI, 3, 0))["result"] == {"items": []}
    assert (await ready.complete(URI, 50, 0))["result"] == {"items": []}


async def test_a_client_without_inline_completion_gets_the_menu(wire: Wire) -> None:
    modes = {"completionItem": {"insertTextModeSupport": {"valueSet": [1, 2]}}}
    params = {"processId": None, "rootUri": None, "capabilities": {"textDocument": {"completion": modes}}}
    answer = await wire.ask("initialize", params)
    assert "completionProvider" in answer["result"]["capabilities"]
    await wire.notify("initialized")
    await wire.open(URI, "retu")
    place = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 4}}
    items = (await wire.ask("textDocument/completion", place))["result"]["items"]
    assert items[0]["textEdit"]["newText"] == "<4>" and items[0]["filterText"].startswith("retu")
    assert items[0]["insertTextMode"] == 1  # as it is
    place["position"] = {"line": 9, "character": 0}
    assert (await wire.ask("textDocument/completion", place))["result"]["items"] == []


@pytest.mark.parametrize(
    ("offered", "chosen", "character"),
    [(["utf-8", "utf-16"], "utf-8", 4), (["utf-16"], "utf-16", 2), (["utf-32", "utf-16"], "utf-32", 1)],
)
async def test_positions_in_all_three_encodings(wire: Wire, offered: list[str], chosen: str, character: int) -> None:
    answer = await wire.initialize(general={"positionEncodings": offered})
    assert answer["result"]["capabilities"]["positionEncoding"] == chosen
    await wire.open(URI, "😋x\n")
    place = {"line": 0, "character": character}
    change = {"range": {"start": place, "end": place}, "text": "é"}
    params = {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [change]}
    await wire.notify("textDocument/didChange", params)
    answer = await wire.complete(URI, 0, character)
    assert answer["result"]["items"][0]["insertText"] == "<4>"
    assert answer["result"]["items"][0]["range"]["start"] == place


async def test_alternatives_on_demand_and_one_while_typing(ready: Wire) -> None:
    await ready.open(URI, "x")
    assert len((await ready.complete(URI, 0, 1, kind=1))["result"]["items"]) == 3
    item = (await ready.complete(URI, 0, 1, kind=2))["result"]["items"][0]
    assert item["command"] == {"title": "accepted", "command": "pointsman.didAccept", "arguments": ["i1"]}
    assert "error" not in await ready.ask("workspace/executeCommand", item["command"])


async def test_what_the_menu_has_selected_comes_along(ready: Wire) -> None:
    await ready.open(URI, "😋 pri")
    selected = {"range": {"start": {"line": 0, "character": 3}, "end": {"line": 0, "character": 6}}, "text": "print"}
    place = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 6}}
    params = {**place, "context": {"triggerKind": 2, "selectedCompletionInfo": selected}}
    answer = await ready.ask("textDocument/inlineCompletion", params)
    assert answer["result"]["items"][0]["insertText"] == "<5> print for pri"


async def test_a_newer_request_cancels_the_older_one(ready: Wire) -> None:
    await ready.open(URI, "slow")
    first = await ready.begin("textDocument/inlineCompletion", PLACE)
    await ready.open(URI, "quick", version=2)
    second = await ready.begin("textDocument/inlineCompletion", PLACE)
    assert (await ready.response(first))["result"] == {"items": []}
    assert (await ready.response(second))["result"]["items"]
    assert len(ready.responses(first)) == len(ready.responses(second)) == 1


async def test_cancelling_answers_once(ready: Wire) -> None:
    await ready.open(URI, "slow")
    request = await ready.begin("textDocument/inlineCompletion", PLACE)
    await ready.notify("$/cancelRequest", {"id": request})
    assert (await ready.response(request))["error"]["code"] == -32800
    await ready.notify("$/cancelRequest", {"id": request})
    await still_works(ready)
    assert len(ready.responses(request)) == 1


async def test_a_stale_version_gets_nothing(ready: Wire) -> None:
    await ready.open(URI, "x", version=5)
    assert (await ready.complete(URI, 0, 1, version=4))["result"] == {"items": []}
    assert (await ready.complete(URI, 0, 1, version=5))["result"]["items"]


async def test_errors_become_nothing_while_typing_and_show_in_the_status(ready: Wire) -> None:
    await ready.open(URI, "unavailable")
    assert (await ready.complete(URI, 0, 0))["result"] == {"items": []}
    shown = await ready.until(
        lambda m: m.get("method") == "pointsman/didChangeStatus" and m["params"]["kind"] == "Error"
    )
    assert "loading" in shown["params"]["message"]


@pytest.mark.parametrize(("question", "parts"), [("why?", ["draft", " text"]), ("silent?", ["final [1]"])])
async def test_ask_streams_deltas_and_then_answers(ready: Wire, question: str, parts: list[str]) -> None:
    await ready.open(URI, "x")
    params = {"question": question, "textDocument": {"uri": URI}, "partialResultToken": "t1"}
    answer = await ready.ask("pointsman/ask", params)
    assert answer["result"]["answer"] == "final [1]"
    assert answer["result"].keys() >= {"answer", "citations", "abstained", "route"}
    assert URI.startswith(f"{answer['result']['root']}/")
    deltas = [m["params"] for m in ready.received if m.get("method") == "$/progress" and m["params"]["token"] == "t1"]
    assert [d["value"]["delta"] for d in deltas] == parts
    assert ready.received.index(answer) > max(
        i for i, m in enumerate(ready.received) if m.get("method") == "$/progress"
    )


async def test_a_question_waits_until_the_folder_is_read_but_for_no_vector(wire: Wire, tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    await wire.initialize(folder.as_uri())
    answer = await wire.ask("pointsman/ask", {"question": "why?"})
    assert answer["result"]["answer"] == "final [1]"


async def test_no_folder_waits_for_another_s_vectors(wire: Wire, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("large", "small")]
    for folder in folders:
        folder.mkdir()
    await wire.initialize(folders[0].as_uri())
    await asyncio.sleep(1)  # the first is read by now
    event = {"added": [{"uri": folders[1].as_uri(), "name": "small"}], "removed": []}
    await wire.notify("workspace/didChangeWorkspaceFolders", {"event": event})
    await wire.open((folders[1] / "a.py").as_uri(), "x")
    params = {"question": "why?", "textDocument": {"uri": (folders[1] / "a.py").as_uri()}}
    assert (await asyncio.wait_for(wire.ask("pointsman/ask", params), 20))["result"]["answer"] == "final [1]"


async def test_a_repository_within_a_folder_is_indexed_and_trusted_once_something_of_it_is_open(
    wire: Wire, tmp_path: Path
) -> None:
    inner = tmp_path / "work" / "inner"
    (inner / ".git").mkdir(parents=True)
    await wire.initialize((tmp_path / "work").as_uri(), window={"workDoneProgress": True})

    async def trusted() -> Any:
        command = {"command": "pointsman.trustWorkspace", "arguments": []}
        return (await wire.ask("workspace/executeCommand", command))["result"]

    assert await trusted() == [str(tmp_path / "work")]
    await wire.open((inner / "a.py").as_uri(), "x")
    assert await trusted() == [str(tmp_path / "work"), str(inner)]
    await wire.until(lambda message: "Indexing inner" in json.dumps(message))
    reports = await wire.ask("workspace/executeCommand", {"command": "pointsman.reindex", "arguments": []})
    assert [report["root"] for report in reports["result"]] == [str(tmp_path / "work"), str(inner)]


async def test_a_question_on_a_file_that_was_closed_is_still_about_it(ready: Wire, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    file = tmp_path / "b.py"
    file.write_bytes("é = 1\r\nb = 2\r\n".encode())
    place = {"start": {"line": 0, "character": 4}, "end": {"line": 1, "character": 1}}
    params = {"question": "selected?", "textDocument": {"uri": file.as_uri()}, "range": place}
    answer = (await ready.ask("pointsman/ask", params))["result"]
    assert answer["answer"] == "1\r\nb" and answer["root"] == tmp_path.as_uri()
    found = await ready.ask("pointsman/search", {"query": "b", "textDocument": {"uri": file.as_uri()}})
    assert found["result"]["root"] == tmp_path.as_uri() and found["result"]["note"] == "read closely: questions"
    file.write_bytes(b"\xe9 = 1")
    assert "not UTF-8" in (await ready.ask("pointsman/ask", params))["error"]["message"]


async def test_a_refusal_has_a_remedy(ready: Wire) -> None:
    await ready.open(URI, "x")
    answer = await ready.ask("pointsman/ask", {"question": "refuse", "textDocument": {"uri": URI}})
    assert answer["error"]["code"] == -32803
    assert answer["error"]["data"] == {"code": "refused", "remedy": "ask locally", "rule": "closed"}


async def test_refactor_offers_a_versioned_annotated_edit(wire: Wire) -> None:
    wire.answers["workspace/applyEdit"] = {"applied": True}
    edits = {"documentChanges": True, "changeAnnotationSupport": {}}
    await wire.initialize(workspace={"workspaceEdit": edits})
    await wire.open(URI, "one\r\nold = 1\r\nthree\r\n", version=7)
    argument = {"textDocument": {"uri": URI, "version": 7}, "range": WHOLE, "instruction": "rename", "label": "no. 1"}
    command = {"command": "pointsman.refactor", "arguments": [argument]}
    answer = await wire.ask("workspace/executeCommand", command)
    assert answer["result"]["applied"] is True
    assert "new_text" not in json.dumps(answer["result"]["edits"])
    asked = (await wire.notification("workspace/applyEdit"))["params"]
    assert asked["label"] == "no. 1"
    sent = asked["edit"]
    change = sent["documentChanges"][0]
    assert change["textDocument"] == {"uri": URI, "version": 7}
    assert change["edits"] == [
        {
            "range": {"start": {"line": 1, "character": 0}, "end": {"line": 2, "character": 0}},
            "newText": "new = 1\r\n",
            "annotationId": "pointsman",
        }
    ]
    assert sent["changeAnnotations"]["pointsman"]["needsConfirmation"] is True


async def test_code_actions_are_listed_without_a_model_and_resolved_to_a_versioned_edit(wire: Wire) -> None:
    await wire.initialize(
        workspace={"workspaceEdit": {"documentChanges": True, "changeAnnotationSupport": {}}},
        textDocument={"codeAction": {"resolveSupport": {"properties": ["edit"]}, "dataSupport": True}},
    )
    await wire.open(URI, "old = 1\n", version=7)
    problem = {"range": WHOLE, "message": "old is\nnot defined"}
    params = {
        "textDocument": {"uri": URI},
        "range": WHOLE,
        "context": {"diagnostics": [problem], "triggerKind": 2},
    }
    actions = (await wire.ask("textDocument/codeAction", params))["result"]
    assert [action["kind"] for action in actions] == ["refactor.rewrite.pointsman"] * 4 + ["quickfix.pointsman"]
    assert all("edit" not in action and "command" not in action for action in actions)
    assert actions[-1]["data"]["instruction"] == "fix this problem: old is not defined"
    resolved = (await wire.ask("codeAction/resolve", actions[-1]))["result"]
    change = resolved["edit"]["documentChanges"][0]
    assert change["textDocument"] == {"uri": URI, "version": 7} and change["edits"][0]["newText"] == "new = 1\n"
    annotation = resolved["edit"]["changeAnnotations"]["pointsman"]
    assert annotation["label"] == "Pointsman (local, scripted)" and annotation["needsConfirmation"] is True
    command = {"title": "as a command", "command": {"title": "t", "command": "pointsman.refactor"}}
    assert (await wire.ask("codeAction/resolve", command))["result"]["title"] == "as a command"
    broken = await wire.ask("codeAction/resolve", {"title": "t", "data": {"instruction": 3}})
    assert broken["error"]["code"] == -32602
    params["context"] = {"diagnostics": [], "only": ["source"]}
    docs, tests = (await wire.ask("textDocument/codeAction", params))["result"]
    assert docs["kind"] == "source.pointsman.docs" and tests["kind"] == "source.pointsman.tests"


async def test_an_action_whose_body_is_to_be_reviewed_says_so_by_rule_and_goes_on_by_the_command(wire: Wire) -> None:
    await wire.initialize(
        workspace={"workspaceEdit": {"documentChanges": True, "changeAnnotationSupport": {}}},
        textDocument={"codeAction": {"resolveSupport": {"properties": ["edit"]}, "dataSupport": True}},
    )
    wire.answers["workspace/applyEdit"] = {"applied": True}
    await wire.open(URI, "old = 1\n", version=7)
    problem = {"range": WHOLE, "message": "reviewed"}
    params = {"textDocument": {"uri": URI}, "range": WHOLE, "context": {"diagnostics": [problem], "only": ["quickfix"]}}
    (action,) = (await wire.ask("textDocument/codeAction", params))["result"]
    error = (await wire.ask("codeAction/resolve", action))["error"]
    assert error["data"]["rule"] == "review.outbound" and error["data"]["code"] == "refused" and error["data"]["remedy"]
    assert "--approve" in error["message"], "an editor that shows the message alone says what to do"
    command = {"command": "pointsman.refactor", "arguments": [action["data"]]}
    shown = (await wire.ask("workspace/executeCommand", command))["result"]
    assert shown["preview_sha256"] == "b0d1" and shown["applied"] is False
    command["arguments"] = [action["data"] | {"approvedSha256": shown["preview_sha256"]}]
    assert (await wire.ask("workspace/executeCommand", command))["result"]["applied"] is True


SOURCES = ["source.pointsman.docs", "source.pointsman.tests"]


async def test_docs_and_tests_are_offered_to_who_asks_and_of_the_definition_around_the_cursor(wire: Wire) -> None:
    await wire.initialize()
    await wire.open(URI, "x = 1\n\n\ndef f():\n    return 1\n")

    async def offered(line: int, end: int, width: int = 0, **context: Any) -> list[dict[str, Any]]:
        places = {"start": {"line": line, "character": 0}, "end": {"line": end, "character": width}}
        params = {"textDocument": {"uri": URI}, "range": places, "context": {"diagnostics": [], **context}}
        found: list[dict[str, Any]] = (await wire.ask("textDocument/codeAction", params))["result"]
        return found

    around = {"start": {"line": 3, "character": 0}, "end": {"line": 5, "character": 0}}
    selected = [action["kind"] for action in await offered(3, 5, triggerKind=1)]
    assert selected == ["refactor.rewrite.pointsman"] * 4 + SOURCES
    for context in ({"triggerKind": 1}, {}, {"only": ["source"]}):  # Neovim and Helix; older clients; VS Code
        docs, tests = await offered(4, 4, **context)
        assert [docs["kind"], tests["kind"]] == SOURCES and tests["command"]["arguments"][0]["tests"] is True
        assert docs["command"]["arguments"][0]["range"] == around
    block_cursor = await offered(4, 4, 1, triggerKind=1)  # of Helix, which rewrites nothing by it
    assert [action["command"]["arguments"][0]["range"] for action in block_cursor] == [around, around]
    assert await offered(4, 4, triggerKind=2) == [], "a light bulb at each move of the cursor"
    assert await offered(0, 0, triggerKind=1) == await offered(0, 0, only=["source"]) == []


CREATES = {"documentChanges": True, "changeAnnotationSupport": {}, "resourceOperations": ["create"]}


async def test_several_files_and_new_ones_are_one_edit(wire: Wire, tmp_path: Path) -> None:
    await wire.initialize(workspace={"workspaceEdit": CREATES})
    wire.answers["workspace/applyEdit"] = {"applied": True}
    for name in ("a.py", "b.py", "c.py"):
        (tmp_path / name).write_text("old = 1\n")
    here, there, closed, new = ((tmp_path / name).as_uri() for name in ("a.py", "b.py", "c.py", "new.py"))
    await wire.open(here, "old = 2\n", version=3)
    await wire.open(there, "old = 3\n", version=4)
    argument = {
        "textDocument": {"uri": here},
        "range": WHOLE,
        "instruction": "rename",
        "others": [{"textDocument": {"uri": there}}, {"textDocument": {"uri": closed}, "range": WHOLE}],
        "newFiles": [new],
    }
    answer = await wire.ask("workspace/executeCommand", {"command": "pointsman.refactor", "arguments": [argument]})
    assert answer["result"]["applied"] is True, answer
    asked = next(m for m in wire.received if m.get("method") == "workspace/applyEdit")
    changes = asked["params"]["edit"]["documentChanges"]
    assert [change["textDocument"] for change in changes if "edits" in change] == [
        {"uri": here, "version": 3},
        {"uri": there, "version": 4},
        {"uri": closed, "version": None},
        {"uri": new, "version": None},
    ]
    assert changes[3] == {"kind": "create", "uri": new, "annotationId": "pointsman"}
    assert [change["edits"][0]["newText"] for change in changes if "edits" in change] == [
        "new = 2\n",
        "new = 3\n",
        "new = 1\n",
        "made\n",
    ]
    apart = {**argument, "textDocument": {"uri": "file:///w/a.py"}, "others": argument["others"][1:], "newFiles": []}
    await wire.open("file:///w/a.py", "old = 4\n", version=1)
    answer = await wire.ask("workspace/executeCommand", {"command": "pointsman.refactor", "arguments": [apart]})
    assert answer.get("error", {}).get("code") != -32603, answer  # whether they go together is the pipeline's to say
    argument["newFiles"] = ["file:///elsewhere/new.py"]
    answer = await wire.ask("workspace/executeCommand", {"command": "pointsman.refactor", "arguments": [argument]})
    assert answer["error"]["code"] == -32602


async def test_tests_are_offered_to_a_client_that_makes_files(wire: Wire, tmp_path: Path) -> None:
    await wire.initialize(
        workspace={"workspaceEdit": CREATES},
        textDocument={"codeAction": {"resolveSupport": {"properties": ["edit"]}, "dataSupport": True}},
    )
    (tmp_path / "a.py").write_text("old = 1\n")
    uri = (tmp_path / "a.py").as_uri()
    await wire.open(uri, "old = 1\n", version=3)
    params = {
        "textDocument": {"uri": uri},
        "range": WHOLE,
        "context": {"diagnostics": [], "only": ["source.pointsman.tests"]},
    }
    (action,) = (await wire.ask("textDocument/codeAction", params))["result"]
    made = (await wire.ask("codeAction/resolve", action))["result"]["edit"]["documentChanges"]
    assert [change.get("uri") for change in made] == [(tmp_path / "tests/test_a.py").as_uri(), None]
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_a.py").write_text("old = 5\n")
    (changed,) = (await wire.ask("codeAction/resolve", action))["result"]["edit"]["documentChanges"]
    assert changed["textDocument"]["uri"] == (tmp_path / "tests/test_a.py").as_uri()
    assert changed["edits"][0]["newText"] == "new = 5\n"


async def test_code_actions_are_commands_for_a_client_that_resolves_no_edits(wire: Wire) -> None:
    await wire.initialize()
    await wire.open(URI, "old = 1\n")
    params = {"textDocument": {"uri": URI}, "range": WHOLE, "context": {"diagnostics": []}}
    actions = (await wire.ask("textDocument/codeAction", params))["result"]
    assert {action["command"]["command"] for action in actions} == {"pointsman.refactor"}
    params["range"] = {"start": {"line": 0, "character": 1}, "end": {"line": 0, "character": 2}}
    assert (await wire.ask("textDocument/codeAction", params))["result"] == [], "Helix's cursor selects nothing"
    assert all("data" not in action for action in actions)


@pytest.mark.parametrize(
    ("change", "support"),
    [
        ({"instruction": "unparsable"}, {"documentChanges": True, "changeAnnotationSupport": {}}),
        ({"preview": True}, {"documentChanges": True, "changeAnnotationSupport": {}}),
        ({"instruction": "protected"}, {"documentChanges": True}),
        ({"instruction": "without versions it could be stale"}, {"changeAnnotationSupport": {}}),
    ],
)
async def test_refactor_applies_nothing_that_failed_or_was_only_shown(
    wire: Wire, change: dict[str, Any], support: dict[str, Any]
) -> None:
    wire.answers["workspace/applyEdit"] = {"applied": True}
    await wire.initialize(workspace={"workspaceEdit": support})
    await wire.open(URI, "old", version=7)
    argument = {"textDocument": {"uri": URI}, "range": WHOLE, "instruction": "rename", **change}
    answer = await wire.ask("workspace/executeCommand", {"command": "pointsman.refactor", "arguments": [argument]})
    assert answer["result"]["applied"] is False and answer["result"]["diff"]
    assert not [m for m in wire.received if m.get("method") == "workspace/applyEdit"]


async def test_a_preview_is_a_refactor_that_is_only_shown(wire: Wire) -> None:
    await wire.initialize(workspace={"workspaceEdit": {"documentChanges": True, "changeAnnotationSupport": {}}})
    await wire.open(URI, "old", version=7)
    params = {"textDocument": {"uri": URI}, "range": WHOLE, "instruction": "rename"}
    answer = await wire.ask("pointsman/preview", params)
    assert answer["result"]["applied"] is False and "preview" in answer["result"] and "marks" in answer["result"]
    assert not [m for m in wire.received if m.get("method") == "workspace/applyEdit"]


async def test_a_preview_of_what_the_local_model_would_do_holds_nothing_that_would_leave(wire: Wire) -> None:
    await wire.initialize()
    await wire.open(URI, "old")
    params = {"textDocument": {"uri": URI}, "range": WHOLE, "instruction": "a prompt", "preview": True}
    command = {"command": "pointsman.refactor", "arguments": [params]}
    for method, asked in (("pointsman/preview", params), ("workspace/executeCommand", command)):
        result = (await wire.ask(method, asked))["result"]
        assert (result["route"]["target"], result["preview"], result["preview_sha256"]) == ("local", "", "")
    params["instruction"] = "reviewed"
    assert (await wire.ask("pointsman/preview", params))["result"]["preview"] == "{}"


async def test_refactor_offers_a_protected_file_where_the_user_confirms(wire: Wire) -> None:
    wire.answers["workspace/applyEdit"] = {"applied": True}
    await wire.initialize(workspace={"workspaceEdit": {"documentChanges": True, "changeAnnotationSupport": {}}})
    await wire.open(URI, "old")
    argument = {"textDocument": {"uri": URI}, "range": WHOLE, "instruction": "protected"}
    answer = await wire.ask("workspace/executeCommand", {"command": "pointsman.refactor", "arguments": [argument]})
    assert answer["result"]["applied"] is True


async def test_refactor_refuses_an_edit_of_another_text(wire: Wire) -> None:
    wire.answers["workspace/applyEdit"] = {"applied": True}
    await wire.initialize(workspace={"workspaceEdit": {"documentChanges": True}})
    await wire.open(URI, "old")
    argument = {"textDocument": {"uri": URI}, "range": WHOLE, "instruction": "stale"}
    answer = await wire.ask("workspace/executeCommand", {"command": "pointsman.refactor", "arguments": [argument]})
    assert answer["error"]["code"] == -32803
    assert not [m for m in wire.received if m.get("method") == "workspace/applyEdit"]


async def test_progress_of_the_first_index(wire: Wire, tmp_path: Path) -> None:
    await wire.initialize(tmp_path.as_uri(), window={"workDoneProgress": True})
    created = await wire.notification("window/workDoneProgress/create")
    token = created["params"]["token"]
    assert isinstance(token, str)
    await wire.until(lambda m: m.get("method") == "$/progress" and m["params"]["value"]["kind"] == "end")
    kinds = [m["params"]["value"]["kind"] for m in wire.received if m.get("method") == "$/progress"]
    assert kinds[0] == "begin" and kinds[-1] == "end"
    assert (await wire.ask("pointsman/status"))["result"]["host"]["version"] == "0"


def indexed(wire: Wire) -> list[str]:
    """How far each update of an index said last that it was, oldest first."""
    values = [m["params"]["value"] for m in wire.received if m.get("method") == "$/progress"]
    return [value["message"] for value in values if value["kind"] == "report" and value["percentage"] == 100]


async def test_what_changes_on_disk_is_indexed_where_the_client_watches(wire: Wire, tmp_path: Path) -> None:
    watches = {"didChangeWatchedFiles": {"dynamicRegistration": True}}
    await wire.initialize(tmp_path.as_uri(), window={"workDoneProgress": True}, workspace=watches)
    (registration,) = (await wire.notification("client/registerCapability"))["params"]["registrations"]
    assert registration["method"] == "workspace/didChangeWatchedFiles"
    assert registration["registerOptions"]["watchers"] == [{"globPattern": "**/*"}]
    await wire.until(lambda m: indexed(wire) == ["embed 2/2"])  # the whole folder, at the start

    async def change(*names: str) -> str:
        """Tell of files; what the next update says."""
        updates = len(indexed(wire))
        changes = [{"uri": (tmp_path / name).as_uri(), "type": 2} for name in names]
        await wire.notify("workspace/didChangeWatchedFiles", {"changes": changes})
        await wire.until(lambda m: len(indexed(wire)) > updates)
        return indexed(wire)[-1]

    assert await change(".git/index", "a.py") == "a.py 2/2"
    assert await change("b.py", "c.py") == "b.py, c.py 2/2"
    assert await change(*(f"{number}.py" for number in range(501))) == "embed 2/2"


async def test_nothing_is_indexed_unasked_where_that_is_switched_off(wire: Wire, tmp_path: Path) -> None:
    params = {
        "processId": None,
        "rootUri": tmp_path.as_uri(),
        "capabilities": {"window": {"workDoneProgress": True}},
        "initializationOptions": {"index": {"automatic": False}},
    }
    await wire.ask("initialize", params)
    await wire.notify("initialized")
    file = tmp_path / "a.py"
    file.write_text("x")
    await wire.open(file.as_uri(), "x")
    await wire.notify("textDocument/didSave", {"textDocument": {"uri": file.as_uri()}})
    await wire.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": file.as_uri(), "type": 2}]})
    await asyncio.sleep(1)  # longer than a burst
    assert indexed(wire) == []
    await wire.ask("workspace/executeCommand", {"command": "pointsman.reindex", "arguments": []})
    assert indexed(wire) == ["embed 2/2"]


@pytest.mark.parametrize("pulls", [False, True])
async def test_a_setting_that_changes_in_the_editor_counts_at_once(wire: Wire, tmp_path: Path, pulls: bool) -> None:
    workspace = {"configuration": pulls, "didChangeConfiguration": {"dynamicRegistration": pulls}}
    await wire.initialize(tmp_path.as_uri(), window={"workDoneProgress": True}, workspace=workspace)
    if pulls:
        (registration,) = (await wire.notification("client/registerCapability"))["params"]["registrations"]
        assert registration["method"] == "workspace/didChangeConfiguration"
        assert registration["registerOptions"] == {"section": "pointsman"}
    await wire.until(lambda m: indexed(wire) == ["embed 2/2"])
    file = tmp_path / "a.py"
    file.write_text("x")

    def pulled() -> int:
        return sum(message.get("method") == "workspace/configuration" for message in wire.received)

    async def change(settings: Any) -> None:
        wire.answers["workspace/configuration"] = [settings]
        sent = {"settings": None if pulls else {"pointsman": settings, "other": {"index": {"automatic": True}}}}
        before = pulled()
        await wire.notify("workspace/didChangeConfiguration", sent)
        if pulls:
            await wire.until(lambda m: pulled() > before)  # it is asked for before it counts
        await wire.ask("pointsman/status")

    async def save() -> None:
        await wire.notify("textDocument/didSave", {"textDocument": {"uri": file.as_uri()}})
        await asyncio.sleep(1)  # longer than a burst

    await change({"index": {"automatic": False}, "engine": "own"})
    await save()
    for unread in (None, {}, [], {"index": None}, {"index": {"automatic": "yes"}}):
        await change(unread)
    await save()
    assert len(indexed(wire)) == 1
    await change({"index": {"automatic": True}})
    await wire.until(lambda m: len(indexed(wire)) == 2)
    await save()
    await wire.until(lambda m: indexed(wire)[2:] == ["a.py 2/2"])


async def test_before_initialize_only_that_is_answered(wire: Wire) -> None:
    assert (await wire.ask("textDocument/inlineCompletion", PLACE))["error"]["code"] == -32002
    await wire.open(URI, "dropped")
    await wire.initialize()
    assert (await wire.complete(URI, 0, 0))["result"] == {"items": []}
    assert (await wire.ask("initialize", {"processId": None, "rootUri": None, "capabilities": {}}))["error"][
        "code"
    ] == -32600


@pytest.mark.parametrize(
    ("body", "msg_id", "code"),
    [
        (b"{", None, -32700),
        (b"\xff\xfe", None, -32700),
        (b"[" * 100_000, None, -32700),
        (b"[]", None, -32600),
        (b'"text"', None, -32600),
        (b'{"id": 1, "method": "shutdown"}', 1, -32600),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "shutdown"}', None, -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 5}', 1, -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "no/such"}', 1, -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "$/unknown"}', 1, -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "textDocument/inlineCompletion"}', 1, -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "textDocument/inlineCompletion", "params": []}', 1, -32602),
        (
            b'{"jsonrpc": "2.0", "id": 1, "method": "textDocument/inlineCompletion", "params": {"textDocument": 3}}',
            1,
            -32602,
        ),
        (b'{"jsonrpc": "2.0", "id": "s", "method": "pointsman/ask", "params": {"jsonrpc": "2.0"}}', "s", -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "workspace/executeCommand", "params": {"command": "rm"}}', 1, -32602),
        (
            b'{"jsonrpc": "2.0", "id": 1, "method": "workspace/executeCommand",'
            b' "params": {"command": "pointsman.refactor", "arguments": [7]}}',
            1,
            -32602,
        ),
    ],
)
async def test_malformed_messages_get_exactly_one_response(
    ready: Wire, body: bytes, msg_id: int | None, code: int
) -> None:
    await ready.send_body(body)
    assert (await ready.response(msg_id))["error"]["code"] == code
    await still_works(ready)
    assert len(ready.responses(msg_id)) == 1


async def test_malformed_headers_and_notifications_are_survived(ready: Wire) -> None:
    await ready.send_bytes(b"Content-Length: many\r\n\r\n")
    assert (await ready.response(None))["error"]["code"] == -32700
    for method, params in (
        ("textDocument/didChange", {"textDocument": {"uri": URI}}),
        ("textDocument/didOpen", 5),
        ("$/cancelRequest", {}),
        ("$/whatever", {}),
        ("no/such", {}),
        (
            "textDocument/didChange",
            {"textDocument": {"uri": "file:///never/opened", "version": 2}, "contentChanges": []},
        ),
    ):
        await ready.notify(method, params)
    await ready.send({"id": 4711, "result": {"unasked": True}})
    await still_works(ready)


async def test_positions_past_the_end_and_a_large_document(ready: Wire) -> None:
    text = "x = 'canary'\n" * 800_000
    await ready.open(URI, text)
    end = {"line": 800_000, "character": 0}
    change = {"range": {"start": end, "end": {"line": 900_000, "character": 7}}, "text": "y"}
    params = {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [change]}
    await ready.notify("textDocument/didChange", params)
    assert (await ready.complete(URI, 5_000_000, 12))["result"]["items"] == []
    answer = await ready.complete(URI, 800_000, 12)
    assert answer["result"]["items"][0]["insertText"] == f"<{len(text) + 1}>"
    assert answer["result"]["items"][0]["range"]["start"] == {"line": 800_000, "character": 1}


async def test_internal_errors_tell_nothing_and_logs_hold_no_text(wire: Wire) -> None:
    await wire.initialize()
    canary = "canary_9d2f_broken"
    await wire.open(URI, canary)
    assert (await wire.complete(URI, 0, 0))["error"] == {"code": -32603, "message": "internal error"}
    answer = await wire.ask("pointsman/ask", {"question": canary, "textDocument": {"uri": URI}})
    assert answer["error"] == {"code": -32603, "message": "internal error"}
    await wire.notify("textDocument/didChange", {"textDocument": canary})
    await wire.send_body(
        b'{"jsonrpc": "2.0", "id": 1, "method": "pointsman/ask", "params": {"range": "%s"}}' % canary.encode()
    )
    await wire.response(1)
    await still_works(wire)
    everything = json.dumps(wire.received) + await wire.close()
    assert canary not in everything
    assert "ZeroDivisionError" in everything and "stray print" in everything


async def test_exit_codes(wire: Wire) -> None:
    await wire.initialize()
    assert await wire.leave() == 0


async def test_exit_without_shutdown_is_a_failure(ready: Wire) -> None:
    await ready.notify("exit")
    assert await ready.ended() == 1


async def test_after_shutdown_requests_are_refused(ready: Wire) -> None:
    await ready.ask("shutdown")
    assert (await ready.ask("pointsman/status"))["error"]["code"] == -32600
    await ready.notify("exit")
    assert await ready.ended() == 0


async def test_shutdown_during_a_request_ends_both(ready: Wire) -> None:
    await ready.open(URI, "slow")
    request = await ready.begin("textDocument/inlineCompletion", PLACE)
    assert "error" not in await ready.ask("shutdown")
    assert (await ready.response(request))["error"]["code"] == -32800
    await ready.notify("exit")
    assert await ready.ended() == 0


async def test_it_leaves_when_the_client_closes_the_pipe(ready: Wire) -> None:
    assert ready.process.stdin is not None
    ready.process.stdin.close()
    assert await ready.ended() == 1


async def test_it_leaves_when_the_editor_dies_but_the_pipe_stays(wire: Wire) -> None:
    editor = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(60)")
    await wire.ask("initialize", {"processId": editor.pid, "rootUri": None, "capabilities": {}})
    await wire.notify("initialized")
    await still_works(wire)
    editor.kill()
    await editor.wait()
    assert await wire.ended() == 1


async def test_start_up_leaves_the_pipelines_out() -> None:
    heavy = ("torch", "openai", "pydantic", "rich", "tree_sitter", "qdrant_edge", "numpy", "pointsman.complete.service")
    code = f"import sys, pointsman.lsp.app; print([n for n in {heavy!r} if n in sys.modules])"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    out, _ = await process.communicate()
    assert out.decode().strip() == "[]"
