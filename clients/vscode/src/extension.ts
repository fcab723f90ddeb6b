// Puts the extension together: one place that makes things and names commands.
import * as vscode from 'vscode';
import { Conversation } from './chat/conversation';
import { registerParticipant } from './chat/participant';
import { Proposals } from './chat/proposals';
import { Scope } from './chat/scope';
import { ChatView } from './chat/view';
import { doctor } from './doctor';
import { showExplanation } from './explain';
import { chooseModel, offerModels, pullModels } from './models';
import { Pause } from './pause';
import { openPolicy } from './policy';
import { registerOutgoing } from './refactor/carry';
import { refactorFiles } from './refactor/files';
import { refactorSelection } from './refactor/prompt';
import { type ActionData, REVIEWED, carryOutReviewed } from './refactor/reviewed';
import { Service } from './server/service';
import { Setup } from './server/setup';
import { serverKey } from './settings';
import { StatusItem } from './status/item';
import { showMenu } from './status/menu';
import { told } from './told';
import { tellTrust, trustAgain } from './trust';

const WELCOMED = 'welcomed';

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel('Pointsman', { log: true });
  const trace = vscode.window.createOutputChannel('Pointsman Trace', { log: true });
  const pause = new Pause(context.workspaceState);
  const service = new Service(new Setup(context, log), pause, log, trace);
  const item = new StatusItem(service, pause);
  const scope = new Scope(service);
  const conversation = new Conversation(service, scope, context.workspaceState);
  const proposals = new Proposals();
  const chat = new ChatView(context.extensionUri, conversation, scope, proposals);

  const fetchModels = async () => {
    await pullModels(service.known());
    await service.restart(); // it reads the repository once there is a model for that
  };
  const document = () => vscode.window.activeTextEditor?.document;
  const commands: Record<string, (...args: never[]) => unknown> = {
    menu: () => showMenu(service, pause, item),
    openChat: () => chat.show(),
    askSelection: () => chat.show('/explain '),
    clearChat: () => conversation.clear(),
    refactorSelection: () => refactorSelection(service),
    refactorFiles: (clicked?: vscode.Uri, selected?: vscode.Uri[]) => refactorFiles(service, clicked, selected),
    applyProposal: (uri?: vscode.Uri) => proposals.apply(uri),
    pauseEverywhere: () => pause.toggleEverywhere(),
    pauseHere: () => document() && pause.toggleFile(document() as vscode.TextDocument),
    pauseLanguage: () => document() && pause.toggleLanguage(document()?.languageId ?? ''),
    chooseModel: async () => {
      if (await chooseModel(service.known())) {
        await service.restart();
      }
    },
    pullModels: () => fetchModels(),
    showExplanation: () => showExplanation(service),
    openPolicy: () => openPolicy(service.known()),
    trustAgain: () => trustAgain(service, context.workspaceState),
    doctor: () => doctor(service.known()),
    setUpServer: () => service.setUp(),
    restartServer: () => service.restart(),
    showLog: () => log.show(),
  };
  for (const [name, action] of Object.entries(commands)) {
    context.subscriptions.push(vscode.commands.registerCommand(`pointsman.${name}`, guarded(action)));
  }
  context.subscriptions.push(
    registerOutgoing(),
    vscode.commands.registerCommand(REVIEWED, guarded((data: ActionData) => carryOutReviewed(service, data))),
  );
  const participant = registerParticipant(service, scope);
  context.subscriptions.push(log, trace, service, item, proposals.register(), chat.register());
  log.info(participant ? 'answers as @pointsman in the chat of VS Code too' : 'this VS Code has no chat of its own');
  if (participant) {
    context.subscriptions.push(participant);
  }
  const trust = () => {
    if (service.phase === 'running') {
      tellTrust(service, context.workspaceState).catch((error: unknown) => log.warn(`trust: ${String(error)}`));
    }
  };
  let offered = false;
  const models = async () => {
    if (service.phase === 'running' && !offered) {
      offered = true;
      if (await offerModels(service.command)) {
        await fetchModels();
      }
    }
  };
  let key = serverKey();
  context.subscriptions.push(
    service.onPhase(trust),
    service.onPhase(() => void guarded(models)()),
    vscode.workspace.onDidGrantWorkspaceTrust(trust),
    vscode.workspace.onDidChangeWorkspaceFolders(() => setTimeout(trust)), // the server hears of them first
    vscode.workspace.onDidChangeConfiguration(() => {
      // Granting trust reports restricted settings as changed, whether they are or not.
      if (serverKey() !== key) {
        key = serverKey();
        void service.restart();
      }
    }),
  );
  void service.start();
  void welcome(context);
}

/** A command's error becomes a message, not a stack in the developer's console. */
function guarded(action: (...args: never[]) => unknown): (...args: never[]) => Promise<void> {
  return async (...args) => {
    try {
      await action(...args);
    } catch (error) {
      void vscode.window.showErrorMessage(`Pointsman: ${told(error)}`);
    }
  };
}

/** The walkthrough, once for each machine. */
async function welcome(context: vscode.ExtensionContext): Promise<void> {
  if (!context.globalState.get(WELCOMED, false)) {
    await context.globalState.update(WELCOMED, true);
    await vscode.commands.executeCommand('workbench.action.openWalkthrough', `${context.extension.id}#start`, false);
  }
}
