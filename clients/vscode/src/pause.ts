// Where suggestions are paused: everywhere, for languages, in files. Questions and refactors go on.
import * as vscode from 'vscode';
import { settings } from './settings';

const FILES = 'pausedFiles';
const EVERYWHERE = 'paused';

export class Pause {
  private readonly changes = new vscode.EventEmitter<void>();
  readonly onChange = this.changes.event;

  constructor(private readonly memory: vscode.Memento) {}

  wanted(document: vscode.TextDocument): boolean {
    return this.why(document) === undefined;
  }

  /** Why nothing is suggested in the document; undefined when it is. */
  why(document: vscode.TextDocument | undefined): string | undefined {
    if (!settings.completionEnabled()) {
      return 'off in the settings';
    }
    if (this.everywhere()) {
      return 'paused';
    }
    if (document && settings.pausedLanguages().includes(document.languageId)) {
      return `paused for ${document.languageId}`;
    }
    return document && this.files().includes(document.uri.toString()) ? 'paused in this file' : undefined;
  }

  everywhere(): boolean {
    return this.memory.get(EVERYWHERE, false);
  }

  async toggleEverywhere(): Promise<void> {
    await this.memory.update(EVERYWHERE, !this.everywhere());
    this.changes.fire();
  }

  async toggleFile(document: vscode.TextDocument): Promise<void> {
    await this.memory.update(FILES, toggled(this.files(), document.uri.toString()));
    this.changes.fire();
  }

  async toggleLanguage(language: string): Promise<void> {
    await settings.pauseLanguages(toggled(settings.pausedLanguages(), language));
    this.changes.fire();
  }

  private files(): string[] {
    return this.memory.get<string[]>(FILES, []);
  }
}

/** Without the value when it is there, else with it. */
export function toggled(values: readonly string[], value: string): string[] {
  return values.includes(value) ? values.filter((each) => each !== value) : [...values, value];
}
