// Feeds the chat's page with payloads in a real Chromium: in answers, file names, errors and everything else that is
// shown. Counts what could run, what did run, and what went to the network.
// usage: node vscode_payloads.mjs PLAN, a JSON object: page (module of chat/page.ts), dist, playwright, chromium, shots
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const plan = JSON.parse(process.argv[2]);
const { chromium } = createRequire(plan.playwright + '/')('playwright-core');
const { page: html } = await import(plan.page);
const SITE = 'https://chat.invalid';
const NONCE = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';

const CALL = 'window.ran(1)';
const PAYLOADS = [
  `<script>${CALL}</script>`, `<img src=x onerror=${CALL}>`, `<img src="https://leak.invalid/a.png">`, `<svg onload=${CALL}>`,
  `<svg><script>${CALL}</script></svg>`, `<svg><a xlink:href="javascript:${CALL}"><text>x</text></a></svg>`, `<svg><animate onbegin=${CALL} attributeName=x>`,
  `<iframe src="javascript:${CALL}"></iframe>`, `<iframe srcdoc="<script>parent.ran(1)</script>"></iframe>`, `<object data="javascript:${CALL}">`,
  `<embed src="https://leak.invalid/e">`, `<a href="javascript:${CALL}">x</a>`, `<a href="command:workbench.action.quit">x</a>`, `<form action="https://leak.invalid"><button>x</button></form>`,
  `<input autofocus onfocus=${CALL}>`, `<details open ontoggle=${CALL}>`, `<video><source onerror=${CALL}></video>`, `<audio src=x onerror=${CALL}>`,
  `<body onload=${CALL}>`, `<style>@import "https://leak.invalid/s.css";</style>`, `<link rel=stylesheet href="https://leak.invalid/l.css">`, `<meta http-equiv=refresh content="0;url=https://leak.invalid">`,
  `<base href="https://leak.invalid/">`, `<math><mtext><script>${CALL}</script></mtext></math>`, `<template><script>${CALL}</script></template>`, `<noscript><img src=x onerror=${CALL}></noscript>`,
  `[x](javascript:${CALL})`, `[x](command:workbench.action.terminal.new)`, `[x](command:pointsman.refactor?%5B%5D)`, `[x](vscode://file/etc/passwd)`,
  `[x](data:text/html,<script>${CALL}</script>)`, `[x](https://leak.invalid)`, `![x](https://leak.invalid/i.png)`, `![x](javascript:${CALL})`,
  `![x](x "onerror=${CALL}")`, `[x]: javascript:${CALL}\n\n[x]`, `<javascript:${CALL}>`, `<https://leak.invalid/auto>`,
  `https://leak.invalid/linkify`, `[1](command:x) [1]`, `[1]: command:x\n\n[1]`, '```html\n<script>' + CALL + '</script>\n```',
  '```js"><img src=x onerror=' + CALL + '>\nx\n```', '`<img src=x onerror=' + CALL + '>`', `**<b onmouseover=${CALL}>x</b>**`, `|<img src=x onerror=${CALL}>|\n|-|\n|<svg onload=${CALL}>|`,
  `"><script>${CALL}</script>`, `' autofocus onfocus='${CALL}`, `</article><script>${CALL}</script>`, `{{constructor.constructor('${CALL}')()}}`,
  `&lt;script&gt;${CALL}&lt;/script&gt;`, `\u0000<scr\u0000ipt>${CALL}</script>`, `<scr<script>ipt>${CALL}</scr</script>ipt>`, `- <img src=x onerror=${CALL}>\n\n> <svg onload=${CALL}>`,
];

const browser = await chromium.launch({ executablePath: plan.chromium, headless: true, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'] });
const page = await (await browser.newContext()).newPage();
const served = { '/': ['text/html', html({ nonce: NONCE, script: `${SITE}/chat.js`, style: `${SITE}/style.css`, source: SITE })] };
served['/chat.js'] = ['text/javascript', readFileSync(path.join(plan.dist, 'chat.js'), 'utf8')];
served['/style.css'] = ['text/css', readFileSync(path.join(plan.dist, 'style.css'), 'utf8')];
const requests = [];
const dialogs = [];
await page.route('**/*', (route) => {
  const url = new URL(route.request().url());
  const found = url.origin === SITE ? served[url.pathname] : undefined;
  if (!found) {
    requests.push(url.href);
    return route.abort();
  }
  return route.fulfill({ contentType: found[0], body: found[1] });
});
page.on('dialog', (dialog) => { dialogs.push(dialog.message()); void dialog.dismiss(); });
await page.addInitScript(() => {
  window.count = 0;
  window.sent = [];
  window.ran = () => { window.count += 1; };
  window.acquireVsCodeApi = () => ({ postMessage: (message) => window.sent.push(message) });
});
await page.goto(`${SITE}/`);
await page.waitForFunction(() => window.sent.some((message) => message.type === 'ready'));

const turn = (payload, index) => ({
  id: `t${index}`, question: payload, context: { uri: payload, range: {}, label: payload }, state: 'failed', text: payload, error: payload, diff: payload,
  citations: [{ n: 1, path: payload, start_line: 1, end_line: payload, symbol: payload, sha: payload }],
  route: { target: payload, model: payload, reason: payload, endpoint: payload },
  receipt: { record_id: payload, endpoint: payload, model: payload, rule: payload, spans: [payload], redacted: [payload], input_tokens: payload, output_tokens: 1, usd: 0, body_bytes: 1 },
  outgoing: { body: payload, sha256: payload, model: payload, endpoint: payload, redactions: payload, marks: [payload] },
});
const tell = (message) => page.evaluate((data) => window.dispatchEvent(new MessageEvent('message', { data })), message);
const turns = PAYLOADS.map(turn);
await tell({ type: 'turns', turns });
for (const each of turns) {
  const id = `d${each.id}`;
  await tell({ type: 'turn', turn: { ...each, id, state: 'writing', text: '', outgoing: undefined } });
  for (const part of each.text.match(/[\s\S]{1,7}/g)) await tell({ type: 'delta', id, text: part });
}
await page.waitForTimeout(300);
for (const payload of PAYLOADS) {
  await tell({ type: 'selection', label: payload });
  await page.locator('#question').fill('@q');
  await tell({ type: 'mentions', query: 'q', items: [{ label: payload, detail: payload }] });
}
await tell({ type: 'prefill', text: PAYLOADS[0] });
// Everything that can be clicked is: only messages to the extension may come of it.
await page.evaluate(() => document.querySelectorAll('article button, article summary').forEach((each) => each.click()));
await page.waitForTimeout(1000);

const dom = await page.evaluate(() => {
  const all = [...document.querySelectorAll('*')];
  const inBody = [...document.body.querySelectorAll('*')];
  return {
    articles: document.querySelectorAll('article').length,
    strange: [...new Set(inBody.map((each) => each.localName))].filter((name) => !['main', 'div', 'textarea', 'ul', 'li', 'span', 'mark', 'button', 'script', 'article', 'p', 'pre', 'code', 'section', 'details', 'summary', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'blockquote', 'strong', 'ol', 'em', 'hr', 'br', 'h3', 'h4', 'h5', 'h6', 's'].includes(name)),
    scripts: document.querySelectorAll('script').length,
    handlers: all.flatMap((each) => each.getAttributeNames()).filter((name) => name.startsWith('on')),
    places: inBody.flatMap((each) => ['href', 'src', 'action', 'srcdoc', 'style', 'xlink:href', 'formaction'].filter((name) => each.hasAttribute(name) && each.localName !== 'script')),
    ran: window.count,
    sent: [...new Set(window.sent.map((message) => message.type))].sort(),
    opened: [...new Set(window.sent.filter((message) => message.type === 'open').map((message) => typeof message.n))],
  };
});
const blocked = await page.evaluate(() => { try { document.body.innerHTML = '<b>x</b>'; return false; } catch { return true; } });
console.log(JSON.stringify({ step: 'payloads', payloads: PAYLOADS.length, requests, dialogs, blocked, ...dom }));
await browser.close();
