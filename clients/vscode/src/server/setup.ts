// Finds the server's program, or makes an environment for it after the user agreed.
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { settings } from '../settings';
import { disk, environments } from './disk';
import { type Bundle, bundle, findPython, makeEnvironment } from './environment';
import { type Found, inEnvironment, locate } from './locate';

const windows = process.platform === 'win32';

export class Setup {
  private readonly storage: string;
  private readonly environment: string;
  private readonly carried: Bundle | undefined;

  constructor(
    context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.storage = context.globalStorageUri.fsPath;
    this.carried = bundle(context.asAbsolutePath('server'));
    this.environment = path.join(this.storage, `server-${this.carried?.version ?? 'none'}`);
  }

  find(): Found {
    return locate(
      {
        path: settings.serverPath(),
        searchPath: searchPath(),
        environment: this.environment,
        older: this.others().find((folder) => disk.isComplete(folder)) ?? '',
        bundled: this.carried?.version ?? '',
        windows,
      },
      disk,
    );
  }

  /** The command of the server; undefined when the user would rather not have one made. Throws with a remedy. */
  async command(asked: boolean): Promise<string | undefined> {
    const found = this.find();
    if (found.kind === 'problem') {
      throw new Error(found.message);
    }
    if (found.kind === 'run') {
      this.log.info(`server by ${found.from}: ${found.command}`);
      return found.command;
    }
    if (!asked && (settings.setUp() === 'never' || !(await this.agreed(found.instead !== '')))) {
      return found.instead || undefined;
    }
    try {
      await this.make();
    } catch (error) {
      if (!found.instead) {
        throw error;
      }
      this.log.error(String(error));
      void vscode.window.showWarningMessage('Pointsman: the newer server could not be set up; the older one goes on. The log says why.');
      return found.instead;
    }
    this.others().forEach((folder) => fs.rmSync(folder, { recursive: true, force: true }));
    return inEnvironment(this.environment, 'pointsman', windows);
  }

  private others(): string[] {
    return environments(this.storage).filter((folder) => folder !== this.environment);
  }

  private async agreed(outdated: boolean): Promise<boolean> {
    const yes = 'Set Up';
    const text = outdated
      ? 'This version of Pointsman brings a newer server. Your index, policy and history stay.'
      : 'Pointsman can set up its server in a folder of its own. It downloads about 2 GB.';
    return (await vscode.window.showInformationMessage(text, yes, 'Not Now')) === yes;
  }

  private async make(): Promise<void> {
    const carried = this.carried;
    if (!carried) {
      throw new Error('This build of the extension carries no server.');
    }
    const python = await findPython(settings.python(), searchPath(), windows);
    const abort = new AbortController();
    await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title: 'Pointsman', cancellable: true },
      async (progress, token) => {
        token.onCancellationRequested(() => abort.abort());
        await makeEnvironment({
          python,
          environment: this.environment,
          bundle: carried,
          windows,
          signal: abort.signal,
          step: (message) => progress.report({ message }),
          log: (line) => this.log.info(line),
        });
      },
    );
  }
}

function searchPath(): string[] {
  return (process.env['PATH'] ?? '').split(path.delimiter);
}
