// The chat's page. Scripts run by nonce, styles come from the extension, nothing is loaded from anywhere else, and
// strings cannot become markup: Trusted Types are required and no policy is defined.

export interface Parts {
  nonce: string;
  script: string;
  style: string;
  /** The webview's own source. */
  source: string;
}

export function page(parts: Parts): string {
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${parts.nonce}'`,
    `style-src ${parts.source}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-src 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${parts.style}">
<title>Pointsman</title>
</head>
<body>
<main id="turns" role="log" aria-label="Conversation" aria-live="polite" tabindex="0"></main>
<div id="ask">
<div id="context"></div>
<textarea id="question" rows="3" aria-label="Question" aria-describedby="keys" aria-autocomplete="list" aria-controls="mentions"
 placeholder="Ask about the code. @ names a file or symbol, / a command."></textarea>
<ul id="mentions" role="listbox" aria-label="Files and symbols" hidden></ul>
<div id="row"><span id="keys">Enter asks, Shift+Enter is a new line</span>
<button id="stop" type="button" hidden>Stop</button><button id="send" type="button">Ask</button></div>
</div>
<script nonce="${parts.nonce}" src="${parts.script}"></script>
</body>
</html>`;
}
