"""The refactor pipeline: gather → route → local or closed → edits that were checked. It writes nothing.

The route is decided by a `Router` from the user's action and trusted configuration; the gateway decides again from
its own facts. Nothing that a file or a model wrote reaches either.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from uuid import uuid4

from pointsman.errors import PolicyRefusal
from pointsman.exclusion import ExclusionsOf
from pointsman.finding import FindSecrets
from pointsman.host.api import HostApi, ModelFacts, ModelParams
from pointsman.refactor.asking import ask_closed, request_of
from pointsman.refactor.closed import lines_of, spans
from pointsman.refactor.context import context_of
from pointsman.refactor.edits import edits_of
from pointsman.refactor.local import change_locally, local_tasks
from pointsman.refactor.types import UNTOUCHED, Refactoring, RefactorQuery
from pointsman.refactor.work import Work, work_of
from pointsman.routed import NO_CLOSED, Router, RouteTaken, Target, instead, refusal
from pointsman.settings import Settings
from pointsman_indexer.effort import Effort, measure


class RefactorService:
    """Changes selected lines by instruction. Belongs to one event loop."""

    def __init__(
        self,
        host: HostApi,
        router: Router,
        exclusions: ExclusionsOf,
        settings: Settings,
        find_secrets: FindSecrets | None = None,
    ) -> None:
        """Without `find_secrets` only those count that the gateway finds."""
        self._host = host
        self._router = router
        self._exclusions = exclusions
        self._settings = settings
        self._find_secrets = find_secrets

    async def refactor(self, query: RefactorQuery) -> Refactoring:
        """Edits for the user's review, none applied.

        Raises `UsageError` for an empty instruction or lines that are not there, `PolicyRefusal` for an excluded file
        and when the closed model was asked for and may not be used, `PointsmanError` when no model can be asked.
        """
        begun = time.perf_counter()
        work = await asyncio.to_thread(work_of, query, self._exclusions)
        route = await self._route(work, query.target)
        if route.target == "refused":
            raise refusal(route.reason, route.rule)
        result = await (self._closed if route.target == "closed" else self._local)(work, query, route)
        if result.edits:
            reviewed = await asyncio.to_thread(self._router.wants_review, work.root)
            protected = tuple(edit.path for edit in result.edits) if reviewed else result.checks.protected
            result = replace(result, checks=replace(result.checks, protected=protected))
        total = round((time.perf_counter() - begun) * 1000, 3)
        return replace(result, timings_ms={**result.timings_ms, "total": total})

    async def _route(self, work: Work, target: Target) -> RouteTaken:
        if work.root is None or work.parts[0].snapshot.path is None:
            if target == "closed":
                raise PolicyRefusal("only files of a repository may go to a closed model", rule="workspace.none")
            return RouteTaken(target="local", model="", reason="the document belongs to no repository")
        efforts = await asyncio.to_thread(_efforts, work)
        return await asyncio.to_thread(
            self._router.decide,
            "refactor",
            work.root,
            lines_of(spans(work)),
            len(work.paths),
            target,
            symbols=sum(effort.symbols for effort in efforts),
            difficulty=sum(effort.difficulty for effort in efforts),
            paths=work.paths,
        )

    async def _local(self, work: Work, query: RefactorQuery, route: RouteTaken, note: str = "") -> Refactoring:
        facts: ModelFacts = await self._host.model(ModelParams(task="chat"))
        route = replace(route, target="local", model=facts.name, endpoint="")
        most = self._settings.max_answer_tokens
        result = Refactoring(route=route, request_id=uuid4().hex, edits=(), diff="", checks=UNTOUCHED, note=note)
        if query.dry_run:
            prompts = await asyncio.to_thread(lambda: [task.prompt for task in local_tasks(facts, work, most)])
            return replace(result, preview="\n\n".join(prompts))
        change = await change_locally(self._host, facts, work, most)
        notes = " ".join(filter(None, (note, *(_sentence(text) for text in change.notes))))
        edits, checks = await asyncio.to_thread(edits_of, change.changes, work, self._find_secrets)
        result = replace(result, note=notes, timings_ms={"generate": change.generate_ms})
        return result.with_edits(edits, checks) if change.changes.documents or change.changes.files else result

    async def _closed(self, work: Work, query: RefactorQuery, route: RouteTaken) -> Refactoring:
        begun = time.perf_counter()
        context = await context_of(self._host, self._exclusions, self._router.may_leave, work)
        gathered = round((time.perf_counter() - begun) * 1000, 3)
        request = request_of(work, context, query.approved_sha256, self._settings.max_answer_tokens)
        try:
            result = await ask_closed(self._host, work, context, request, self._find_secrets, dry_run=query.dry_run)
        except NO_CLOSED as failure:
            if query.target != "auto":
                raise
            return await self._local(work, query, *instead(failure))
        # The gateway knows only that the closed model was asked for; why it was is the route's to say.
        return replace(result, route=replace(result.route, reason=route.reason), timings_ms={"context": gathered})


def _efforts(work: Work) -> list[Effort]:
    return [
        measure(
            part.snapshot.text.encode("utf-8", "replace"),
            part.snapshot.language,
            part.selection.start,
            part.selection.end,
        )
        for part in work.parts
    ]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""
