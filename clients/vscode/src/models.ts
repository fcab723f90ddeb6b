// The model catalogue, by the server's own command: listed, fetched and chosen.
import * as vscode from 'vscode';
import { lastLine } from './server/environment';
import { run } from './server/run';
import { environment } from './settings';

interface Model {
  name: string;
  title: string;
  licence: string;
  roles: string[];
  installed: boolean;
  used_for: string[];
  fit: { ok: boolean; needed_mb: number };
}

/** Empty when the command fails. */
export async function listModels(command: string): Promise<Model[]> {
  const ran = command ? await run(command, ['models', 'list', '--json'], { env: environment() }) : undefined;
  try {
    return JSON.parse(ran?.stdout ?? '').models;
  } catch {
    return [];
  }
}

/** Let the user choose; what is not installed is pulled first, with its size and licence shown. */
export async function chooseModel(command: string): Promise<string | undefined> {
  const models = (await listModels(command)).filter((model) => model.fit.ok && model.roles.some((role) => role !== 'embedding'));
  const items = models.map((model) => ({
    label: model.name,
    description: model.used_for.length ? `in use for ${model.used_for.join(' and ')}` : model.installed ? 'installed' : 'to be downloaded',
    detail: `${model.title}, ${model.licence}, needs ${model.fit.needed_mb} MB`,
    model,
  }));
  const chosen = await vscode.window.showQuickPick(items, { title: 'Models that fit this machine', matchOnDetail: true });
  if (!chosen) {
    return undefined;
  }
  const steps = chosen.model.installed ? [['use']] : [['pull'], ['use']];
  await vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title: `Pointsman: ${chosen.label}` }, async () => {
    for (const [step] of steps) {
      const ran = await run(command, ['models', step ?? '', chosen.label, '-q'], { env: environment() });
      if (ran.code !== 0) {
        throw new Error(lastLine(ran.stderr) || `pointsman models ${step} failed`);
      }
    }
  });
  return chosen.label;
}
