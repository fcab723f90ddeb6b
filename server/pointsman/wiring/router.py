"""Where a request may go, by the policy of its workspace."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman.policy import layers
from pointsman.settings import Paths, Settings

if TYPE_CHECKING:
    from pointsman.policy.schema import Quota
    from pointsman.routed import RouteTaken, Target


class PolicyRouter:
    """What the pipelines that may reach a closed model see of policy. The gateway asks again before anything leaves."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def decide(
        self,
        task: str,
        root: Path,
        lines: int,
        files: int,
        target: Target,
        *,
        symbols: int = 0,
        difficulty: int = 0,
        paths: tuple[str, ...] = (),
    ) -> RouteTaken:
        from pointsman.gateway import records
        from pointsman.gateway.prepare import kept_local
        from pointsman.policy.route import Facts, preferring
        from pointsman.routed import RouteTaken

        policy = layers.load(self._paths, root)
        facts = Facts(
            task=task,
            lines=lines,
            files=files,
            symbols=symbols,
            difficulty=difficulty,
            local_data=bool(policy.local_paths) and kept_local(root, paths, policy.local_paths),
            target=target,
            trusted=policy.trusted,
            quota_left=self._quota_left(policy.quota) if policy.enabled else None,
        )
        decision = preferring(Settings.load(self._paths).target, facts, policy)
        if decision.target == "refused":
            self._record(records.unasked(task, root, paths, decision.rule, policy.sha256))
        return RouteTaken(
            target=decision.target,
            model=decision.model,
            reason=decision.reason,
            endpoint=decision.endpoint.name if decision.endpoint else "",
            rule=decision.rule,
        )

    def may_leave(self, root: Path, paths: frozenset[str]) -> frozenset[str]:
        from pointsman.gateway.prepare import kept_local

        patterns = layers.load(self._paths, root).local_paths
        return frozenset(path for path in paths if not (patterns and kept_local(root, (path,), patterns)))

    def wants_review(self, root: Path | None) -> bool:
        return layers.load(self._paths, root).review_edits == "always"

    def _record(self, refused: dict[str, Any]) -> None:
        """The closed model was asked for by name, which no gateway will hear of. The no stands, recorded or not."""
        from pointsman.errors import PointsmanError
        from pointsman.gateway.audit import AuditLog

        with contextlib.suppress(PointsmanError):
            AuditLog(self._paths.audit).append("refused", refused)

    def _quota_left(self, limits: Quota) -> bool | None:
        """None when it cannot be said: the gateway, which reserves, then says no."""
        from pointsman.errors import GatewayError
        from pointsman.gateway.quota import QuotaStore

        try:
            return QuotaStore(self._paths.quota).left(limits)
        except GatewayError:
            return None
