// The menu behind the status-bar item.
import * as vscode from 'vscode';
import type { Pause } from '../pause';
import type { Service } from '../server/service';
import type { StatusItem } from './item';
import { todayLines } from './view';

interface Entry extends vscode.QuickPickItem {
  command?: string;
}

export async function showMenu(service: Service, pause: Pause, item: StatusItem): Promise<void> {
  const chosen = await vscode.window.showQuickPick(entries(service, pause, item), {
    title: 'Pointsman',
    placeHolder: item.today ? todayLines(item.today)[0] : 'What would you like to do?',
  });
  if (chosen?.command) {
    await vscode.commands.executeCommand(chosen.command);
  }
}

function entries(service: Service, pause: Pause, item: StatusItem): Entry[] {
  const language = vscode.window.activeTextEditor?.document.languageId;
  const running = service.phase === 'running';
  void item.refresh(); // for the next time
  const list: (Entry | false)[] = [
    !running && { label: '$(play) Start the server', command: 'pointsman.setUpServer' },
    running && { label: '$(comment-discussion) Ask about the code', command: 'pointsman.openChat' },
    running && {
      label: pause.everywhere() ? '$(play) Resume suggestions' : '$(debug-pause) Pause suggestions',
      command: 'pointsman.pauseEverywhere',
    },
    running && language !== undefined && { label: '$(debug-pause) Pause or resume here', description: 'this file', command: 'pointsman.pauseHere' },
    running && language !== undefined && {
      label: '$(debug-pause) Pause or resume for this language',
      description: language,
      command: 'pointsman.pauseLanguage',
    },
    running && vscode.workspace.isTrusted && { label: '$(chip) Choose the model', command: 'pointsman.chooseModel' },
    running && { label: '$(question) Explain the last suggestion', command: 'pointsman.showExplanation' },
    { label: '$(law) Open the policy', command: 'pointsman.openPolicy' },
    running && { label: '$(workspace-trusted) Trust the workspace for closed models', command: 'pointsman.trustAgain' },
    { label: '$(pulse) Check the installation', command: 'pointsman.doctor' },
    running && { label: '$(debug-restart) Restart the server', command: 'pointsman.restartServer' },
    { label: '$(output) Show the log', command: 'pointsman.showLog' },
  ];
  return list.filter((entry) => entry !== false);
}
