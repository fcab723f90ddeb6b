// The status-bar item: gathers what is known and shows it.
import * as vscode from 'vscode';
import type { Pause } from '../pause';
import type { ServerStatus } from '../protocol';
import { listModels } from '../models';
import { run } from '../server/run';
import type { Service } from '../server/service';
import { environment } from '../settings';
import { type Shown, shown, type Today, readToday } from './view';

const EVERY_MS = 900_000;
const SETTLED_MS = 3_000;
const COLOURS: Record<Shown['severity'], vscode.ThemeColor | undefined> = {
  none: undefined,
  warning: new vscode.ThemeColor('statusBarItem.warningBackground'),
  error: new vscode.ThemeColor('statusBarItem.errorBackground'),
};

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('pointsman', vscode.StatusBarAlignment.Right, 100);
  private readonly disposables: vscode.Disposable[];
  private readonly timer: NodeJS.Timeout;
  private status: ServerStatus | undefined;
  private model = '';
  today: Today | undefined;

  constructor(
    private readonly service: Service,
    private readonly pause: Pause,
  ) {
    this.item.name = 'Pointsman';
    this.item.command = 'pointsman.menu';
    this.disposables = [
      service.onPhase((phase) => {
        this.status = undefined;
        this.draw();
        if (phase === 'running') {
          setTimeout(() => void this.refresh(), SETTLED_MS); // two commands: not beside the window's own start
        }
      }),
      service.onStatus((status) => {
        this.status = status;
        this.draw();
      }),
      pause.onChange(() => this.draw()),
      vscode.window.onDidChangeActiveTextEditor(() => this.draw()),
      vscode.workspace.onDidChangeConfiguration(() => this.draw()),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.draw()),
    ];
    this.timer = setInterval(() => vscode.window.state.focused && void this.refreshToday(), EVERY_MS);
    this.draw();
    this.item.show();
  }

  /** Ask for the model and today's numbers anew. */
  async refresh(): Promise<void> {
    await Promise.all([this.refreshModel(), this.refreshToday()]);
  }

  dispose(): void {
    clearInterval(this.timer);
    vscode.Disposable.from(...this.disposables, this.item).dispose();
  }

  private async refreshModel(): Promise<void> {
    if (this.service.command) {
      const models = await listModels(this.service.command).catch(() => []); // who chooses one is told why
      this.model = models.find((model) => model.used_for.includes('completion'))?.name ?? '';
      this.draw();
    }
  }

  private async refreshToday(): Promise<void> {
    if (this.service.command) {
      const ran = await run(this.service.command, ['stats', '--json'], { env: environment() });
      this.today = ran.code === 0 ? readToday(ran.stdout) : this.today;
      this.draw();
    }
  }

  private draw(): void {
    const now = shown({
      phase: this.service.phase,
      problem: this.service.problem,
      status: this.status,
      model: this.model,
      paused: this.pause.why(vscode.window.activeTextEditor?.document),
      today: this.today,
      trusted: vscode.workspace.isTrusted,
    });
    this.item.text = now.text;
    this.item.tooltip = now.tooltip.join('\n');
    this.item.accessibilityInformation = { label: `Pointsman. ${now.tooltip.join(' ')}`, role: 'button' };
    this.item.backgroundColor = COLOURS[now.severity];
  }
}
