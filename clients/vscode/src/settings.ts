// The extension's settings, read anew each time: VS Code has them in memory.
import * as vscode from 'vscode';

function get<T>(name: string, otherwise: T): T {
  return vscode.workspace.getConfiguration('pointsman').get<T>(name, otherwise);
}

export const settings = {
  serverPath: () => get('server.path', ''),
  python: () => get('server.python', ''),
  home: () => get('server.home', ''),
  setUp: () => get<'ask' | 'never'>('server.setUp', 'ask'),
  completionEnabled: () => get('completion.enabled', true),
  pausedLanguages: () => get<string[]>('completion.pausedLanguages', []),
  indexAutomatic: () => get('index.automatic', true),
  /** In Restricted Mode always the local model, whatever was trusted from elsewhere. */
  target: () => (vscode.workspace.isTrusted ? get<'auto' | 'local' | 'closed'>('refactor.target', 'auto') : 'local'),
  turnsKept: () => get('chat.turnsKept', 50),

  pauseLanguages(languages: string[]): Thenable<void> {
    const target = vscode.ConfigurationTarget.Global;
    return vscode.workspace.getConfiguration('pointsman').update('completion.pausedLanguages', languages, target);
  },
};

/** Changes when the server has to be started anew. */
export function serverKey(): string {
  return JSON.stringify([settings.serverPath(), settings.python(), settings.home(), settings.indexAutomatic()]);
}

/** The environment of the server and of commands. */
export function environment(): NodeJS.ProcessEnv {
  const home = settings.home();
  return home ? { ...process.env, POINTSMAN_HOME: home } : { ...process.env };
}
