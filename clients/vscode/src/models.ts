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

/** Throws with the reason. */
export async function listModels(command: string): Promise<Model[]> {
  const ran = await run(command, ['models', 'list', '--json'], { env: environment() });
  if (ran.code !== 0) {
    throw new Error(`the models cannot be listed: ${ran.stderr.trim() || `${command} ended with ${ran.code}`}`);
  }
  return JSON.parse(ran.stdout).models;
}

/** Offer to fetch what the settings use and is not here. Whether the user wants that. */
export async function offerModels(command: string): Promise<boolean> {
  const missing = (await listModels(command)).filter((model) => model.used_for.length > 0 && !model.installed);
  if (missing.length === 0) {
    return false;
  }
  const names = missing.map((model) => `${model.name} (${model.licence}, for ${model.used_for.join(' and ')})`).join(', ');
  const text = `Pointsman's models are not on this machine yet: ${names}.`;
  return (await vscode.window.showInformationMessage(text, 'Download', 'Not Now')) === 'Download';
}

/** Fetch what the settings use. Throws with the reason. */
export async function pullModels(command: string): Promise<void> {
  const title = 'Pointsman: downloading the models';
  await vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title }, () => models(command, 'pull'));
}

async function models(command: string, step: string, ...names: string[]): Promise<void> {
  const ran = await run(command, ['models', step, ...names, '-q'], { env: environment() });
  if (ran.code !== 0) {
    throw new Error(lastLine(ran.stderr) || `pointsman models ${step} failed`);
  }
}

/** Let the user choose; what is not installed is pulled first, with its size and licence shown. */
export async function chooseModel(command: string): Promise<string | undefined> {
  const fitting = (await listModels(command)).filter((model) => model.fit.ok && model.roles.some((role) => role !== 'embedding'));
  const items = fitting.map((model) => ({
    label: model.name,
    description: model.used_for.length ? `in use for ${model.used_for.join(' and ')}` : model.installed ? 'installed' : 'to be downloaded',
    detail: `${model.title}, ${model.licence}, needs ${model.fit.needed_mb} MB`,
    model,
  }));
  const chosen = await vscode.window.showQuickPick(items, { title: 'Models that fit this machine', matchOnDetail: true });
  if (!chosen) {
    return undefined;
  }
  await vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title: `Pointsman: ${chosen.label}` }, async () => {
    if (!chosen.model.installed) {
      await models(command, 'pull', chosen.label);
    }
    await models(command, 'use', chosen.label);
  });
  return chosen.label;
}
