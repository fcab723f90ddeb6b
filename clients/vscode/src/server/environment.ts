// Makes the private environment from the server that the extension carries: hashes of the lock are checked by pip; torch
// and what its build needs beyond the lock come by version alone.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { disk, markComplete } from './disk';
import { inEnvironment, isNewEnough, onSearchPath } from './locate';
import { Lock } from './lock';
import { run } from './run';

export class SetUpError extends Error {}

export interface Bundle {
  wheel: string;
  lock: string;
  torchLock: string;
  version: string;
}

/** What is in the extension's `server` folder; undefined when this build carries no server. */
export function bundle(folder: string): Bundle | undefined {
  const names = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  const wheel = names.find((name) => /^pointsman-.*\.whl$/.test(name));
  if (!wheel) {
    return undefined;
  }
  return {
    wheel: path.join(folder, wheel),
    lock: path.join(folder, 'requirements.lock'),
    torchLock: path.join(folder, 'requirements-torch.lock'),
    version: wheel.split('-')[1] ?? '',
  };
}

/** Python of the setting, else of PATH. Throws `SetUpError` with what to do. */
export async function findPython(setting: string, searchPath: readonly string[]): Promise<string> {
  const names = ['python3.13', 'python3.12', 'python3.11', 'python3', 'python'];
  const found = names.map((name) => onSearchPath(name, searchPath, disk));
  for (const candidate of setting ? [setting] : found) {
    if (candidate && isNewEnough((await run(candidate, ['--version'])).stdout)) {
      return candidate;
    }
  }
  throw new SetUpError(
    setting
      ? `The setting pointsman.server.python names ${setting}, which is not Python 3.11 or newer.`
      : 'Pointsman needs Python 3.11 or newer, and none is on PATH. Install it, or name it in pointsman.server.python.',
  );
}

export interface Making {
  python: string;
  environment: string;
  bundle: Bundle;
  signal: AbortSignal;
  step: (message: string) => void;
  log: (line: string) => void;
}

/**
 * A fresh environment; one of that name that was cut short goes. Another window that makes it is waited for, and what
 * that one made is used. Throws `SetUpError` with the step that failed.
 */
export async function makeEnvironment(making: Making): Promise<void> {
  const { environment, signal } = making;
  // Not a name that is taken for an environment's.
  const lock = new Lock(path.join(path.dirname(environment), `.${path.basename(environment)}.lock`));
  let waited = false;
  while (!lock.take()) {
    waited = true;
    making.step('another window sets up the server; waiting for it');
    await sleep(1000, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) {
      throw new SetUpError('Setting up was cancelled.');
    }
  }
  try {
    if (!waited || !disk.isComplete(environment)) {
      await install(making, lock);
    }
  } finally {
    lock.release();
  }
}

async function install(making: Making, lock: Lock): Promise<void> {
  const { environment, bundle: from } = making;
  const python = inEnvironment(environment, 'python');
  fs.rmSync(environment, { recursive: true, force: true, maxRetries: 3 }); // a program of a cancelled step may still write
  const pip = ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--no-deps'];
  const steps: [string, string, string[]][] = [
    ['making the environment', making.python, ['-m', 'venv', environment]],
    ['downloading libraries', python, [...pip, '--require-hashes', '-r', from.lock]],
    ['downloading torch', python, [...pip.slice(0, -1), '-r', from.torchLock]],
    ['installing the server', python, [...pip, from.wheel]],
  ];
  for (const [what, command, args] of steps) {
    making.step(what);
    making.log(`${what}: ${command} ${args.join(' ')}`);
    const ran = await run(command, args, { signal: making.signal, onOutput: making.log });
    if (making.signal.aborted) {
      throw new SetUpError('Setting up was cancelled.');
    }
    if (!lock.isOurs()) {
      throw new SetUpError('Another window sets up the server now. Wait for it, then start the server here.');
    }
    if (ran.code !== 0) {
      const why = lastLine(ran.stderr) || lastLine(ran.stdout) || `code ${ran.code}`;
      const remedy = args[1] === 'venv' ? ' On Debian and Ubuntu, install python3-venv.' : '';
      throw new SetUpError(`${what} failed: ${why}.${remedy} The log has the rest.`);
    }
  }
  markComplete(environment);
}

/** Those of the environments that no process runs from; none where the system does not list its processes. */
export async function idle(environments: readonly string[]): Promise<string[]> {
  const { code, stdout } = await run('ps', ['-A', '-ww', '-o', 'args=']);
  return code === 0 ? environments.filter((environment) => !stdout.includes(environment)) : [];
}

export function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? '';
}
