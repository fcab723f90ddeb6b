// Finds the server's program, or makes an environment for it after the user agreed.
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { settings } from '../settings';
import { disk, environments } from './disk';
import { type Bundle, bundle, findPython, idle, makeEnvironment } from './environment';
import { type Found, inEnvironment, locate } from './locate';
import { run } from './run';

export class Setup {
  private readonly storage: string;
  private readonly environment: string;
  private readonly carried: Bundle | undefined;
  private readonly abort = new AbortController();
  /** What a start joins that comes while the environment is being made. */
  private making: Promise<void> | undefined;

  constructor(
    context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.storage = context.globalStorageUri.fsPath;
    this.carried = bundle(context.asAbsolutePath('server'));
    this.environment = path.join(this.storage, `server-${this.carried?.version ?? 'none'}`);
    context.subscriptions.push({ dispose: () => this.abort.abort() });
  }

  find(): Found {
    return locate(
      {
        path: settings.serverPath(),
        searchPath: searchPath(),
        environment: this.environment,
        older: this.others().find((folder) => disk.isComplete(folder)) ?? '',
        bundled: this.carried?.version ?? '',
        windows: process.platform === 'win32',
      },
      disk,
    );
  }

  /**
   * The command of the server; undefined when there is none yet. With `make`, the private environment is made where it is
   * what would run and is missing or broken. Throws with a remedy.
   */
  async command(make: boolean): Promise<string | undefined> {
    const found = this.find();
    if (found.kind === 'problem') {
      throw new Error(found.message);
    }
    if (found.kind === 'run' && !(make && found.from === 'environment' && (await isBroken(found.command)))) {
      this.log.info(`server by ${found.from}: ${found.command}`);
      if (found.from === 'environment') {
        void this.removeOlder();
      }
      return found.command;
    }
    const instead = found.kind === 'make' ? found.instead : '';
    if (!make) {
      return instead || undefined;
    }
    try {
      this.making ??= this.make().finally(() => (this.making = undefined));
      await this.making;
    } catch (error) {
      if (!instead) {
        throw error;
      }
      this.log.error(String(error));
      void vscode.window.showWarningMessage('Pointsman: the newer server could not be set up; the older one goes on. The log says why.');
      return instead;
    }
    return inEnvironment(this.environment, 'pointsman');
  }

  /** Whether the user wants an environment made, where there is one to make. */
  async agreed(): Promise<boolean> {
    if (this.making) {
      return true;
    }
    const found = this.find();
    if (found.kind !== 'make' || settings.setUp() === 'never') {
      return false;
    }
    const yes = 'Set Up';
    const text = found.instead
      ? 'This version of Pointsman brings a newer server. Your index, policy and history stay.'
      : 'Pointsman can set up its server in a folder of its own. It downloads about 2 GB, or more where torch comes with CUDA.';
    return (await vscode.window.showInformationMessage(text, yes, 'Not Now')) === yes;
  }

  /** Those that nothing runs from any more: another window, or the host that all share, may still. Never throws. */
  private async removeOlder(): Promise<void> {
    if (disk.isComplete(this.environment)) {
      for (const folder of await idle(this.others())) {
        await fs.promises.rm(folder, { recursive: true, force: true }).catch((error: unknown) => this.log.warn(String(error)));
      }
    }
  }

  private others(): string[] {
    return environments(this.storage).filter((folder) => folder !== this.environment);
  }

  private async make(): Promise<void> {
    const carried = this.carried;
    if (!carried) {
      throw new Error('This build of the extension carries no server.');
    }
    const python = await findPython(settings.python(), searchPath());
    const cancel = new AbortController();
    await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title: 'Pointsman', cancellable: true },
      async (progress, token) => {
        token.onCancellationRequested(() => cancel.abort());
        await makeEnvironment({
          python,
          environment: this.environment,
          bundle: carried,
          signal: AbortSignal.any([cancel.signal, this.abort.signal]),
          step: (message) => progress.report({ message }),
          log: (line) => this.log.info(line),
        });
      },
    );
  }
}

/** A marker says that it was made, not that its Python is still there. */
async function isBroken(command: string): Promise<boolean> {
  return (await run(command, ['--version'])).code !== 0;
}

function searchPath(): string[] {
  return (process.env['PATH'] ?? '').split(path.delimiter);
}
