// A model of VS Code's chat that is there to be chosen. Whoever asks it gets an error.
const vscode = require('vscode');

const model = { id: 'silent', name: 'Silent', family: 'silent', version: '1', maxInputTokens: 4096, maxOutputTokens: 4096, capabilities: { toolCalling: true } };

exports.activate = (context) => {
  const provider = {
    provideLanguageModelChatInformation: async () => [model],
    provideLanguageModelChatResponse: async () => { throw new Error('the silent model was asked'); },
    provideTokenCount: async () => 1,
  };
  context.subscriptions.push(vscode.lm.registerLanguageModelChatProvider('pointsman-tests', provider));
  return vscode.lm.selectChatModels({ vendor: 'pointsman-tests' }); // VS Code lists a model once somebody looked for it
};
