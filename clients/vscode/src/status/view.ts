// What the status bar says, from what is known. Pure.
import type { ServerStatus } from '../protocol';
import type { Phase } from '../server/service';

export interface Known {
  phase: Phase;
  problem: string;
  status: ServerStatus | undefined;
  model: string;
  paused: string | undefined;
  today: Today | undefined;
  trusted: boolean;
}

/** Since 24 hours, as `pointsman stats` counts. */
export interface Today {
  shown: number;
  accepted: number;
  characters: number;
  sent: number;
  usd: number;
}

export interface Shown {
  text: string;
  tooltip: string[];
  severity: 'none' | 'warning' | 'error';
}

const PHASES: Record<Exclude<Phase, 'running'>, string> = {
  stopped: 'stopped',
  starting: 'starting',
  failed: 'not running',
  missing: 'not set up',
};

export function shown(known: Known): Shown {
  const lines: string[] = [];
  let icon = '$(circle-slash)';
  let text = 'Pointsman';
  let severity: Shown['severity'] = 'none';
  if (known.phase !== 'running') {
    icon = known.phase === 'starting' ? '$(loading~spin)' : '$(warning)';
    severity = known.phase === 'failed' ? 'error' : known.phase === 'missing' ? 'warning' : 'none';
    lines.push(known.problem || `The server is ${PHASES[known.phase]}.`);
    text += known.phase === 'starting' ? '' : `: ${PHASES[known.phase]}`;
  } else {
    const kind = known.status?.kind ?? 'Normal';
    severity = kind === 'Error' ? 'error' : kind === 'Warning' ? 'warning' : 'none';
    icon = known.status?.busy ? '$(loading~spin)' : severity === 'none' ? '$(git-merge)' : '$(warning)';
    if (known.paused) {
      icon = '$(debug-pause)';
      lines.push(`Suggestions: ${known.paused}.`);
    }
    lines.push(known.status?.message || 'Ready.');
    if (known.model) {
      lines.push(`Model: ${known.model}, on this machine.`);
    }
  }
  if (!known.trusted) {
    lines.push('This workspace is not trusted: local work only.');
  }
  if (known.today) {
    lines.push(...todayLines(known.today));
  }
  return { text: `${icon} ${text}`, tooltip: lines, severity };
}

export function todayLines(today: Today): string[] {
  const taken = today.shown ? `${today.accepted} of ${today.shown} taken` : 'none shown yet';
  const left =
    today.sent === 0 ? 'nothing left this machine' : `${today.sent} requests left this machine, $${today.usd.toFixed(2)}`;
  return [`Last 24 hours: ${taken}, ${today.characters} characters; ${left}.`];
}

/** `pointsman stats --json` → its last day; undefined when it has another shape. */
export function readToday(json: string): Today | undefined {
  try {
    const day = JSON.parse(json).periods.day;
    const routes: { target: string; requests: number; usd: number }[] = day.routes;
    const closed = routes.filter((route) => route.target === 'closed');
    return {
      shown: Number(day.suggestions.shown),
      accepted: Number(day.suggestions.accepted) + Number(day.suggestions.partly),
      characters: Number(day.suggestions.accepted_characters),
      sent: closed.reduce((sum, route) => sum + route.requests, 0),
      usd: closed.reduce((sum, route) => sum + route.usd, 0),
    };
  } catch {
    return undefined;
  }
}
