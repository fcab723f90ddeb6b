// The pure parts, by node's own test runner.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { intents } from '../src/audit';
import { fromPage } from '../src/chat/messages';
import { harmless, literal } from '../src/chat/harmless';
import { approved } from '../src/chat/approved';
import { type Asked, reply } from '../src/chat/native';
import { instruction, mention, parse, question } from '../src/chat/slash';
import { type Turn, answered, begin, history, kept, restored } from '../src/chat/turns';
import { isInside, within } from '../src/paths';
import { Crashes } from '../src/server/crashes';
import { type Disk, type Wishes, isNewEnough, locate } from '../src/server/locate';
import { readToday, shown, todayLines } from '../src/status/view';
import { told } from '../src/told';

const wishes: Wishes = { path: '', searchPath: ['bin', '/usr/bin'], environment: '/s/server-2', older: '', bundled: '2', windows: false };
const NEW = '/s/server-2/bin/pointsman';
const OLD = '/s/server-1/bin/pointsman';
const disk = (programs: string[], cutShort = ''): Disk => ({ isProgram: (file) => programs.includes(file), isComplete: (folder) => folder !== cutShort });

test('the setting comes first, then PATH, then the private environment', () => {
  const all = disk(['/opt/p', '/usr/bin/pointsman', NEW]);
  assert.deepEqual(locate({ ...wishes, path: '/opt/p' }, all), { kind: 'run', command: '/opt/p', from: 'setting' });
  assert.deepEqual(locate(wishes, all), { kind: 'run', command: '/usr/bin/pointsman', from: 'path' });
  assert.deepEqual(locate(wishes, disk([NEW])), { kind: 'run', command: NEW, from: 'environment' });
});

test('a relative entry of PATH is the workspace, and never searched', () => {
  assert.equal(locate({ ...wishes, bundled: '' }, disk(['bin/pointsman'])).kind, 'problem');
});

test('an environment is made when it is missing or cut short; until then an older server goes on', () => {
  assert.deepEqual(locate(wishes, disk([])), { kind: 'make', instead: '' });
  assert.deepEqual(locate(wishes, disk([NEW], '/s/server-2')), { kind: 'make', instead: '' });
  const windows = locate({ ...wishes, windows: true }, disk([]));
  assert.ok(windows.kind === 'problem' && windows.message.includes('WSL'));
  const upgraded = { ...wishes, older: '/s/server-1' };
  assert.deepEqual(locate(upgraded, disk([OLD])), { kind: 'make', instead: OLD });
  assert.deepEqual(locate(upgraded, disk([OLD, NEW])), { kind: 'run', command: NEW, from: 'environment' });
  assert.deepEqual(locate({ ...upgraded, bundled: '' }, disk([OLD])), { kind: 'run', command: OLD, from: 'environment' });
});

test('a wrong setting is a problem that names it, not another program', () => {
  const found = locate({ ...wishes, path: '/nowhere' }, disk(['/usr/bin/pointsman']));
  assert.equal(found.kind, 'problem');
  assert.match(found.kind === 'problem' ? found.message : '', /pointsman\.server\.path.*\/nowhere/);
});

test('Python 3.11 is new enough, 3.10 and 2.7 are not', () => {
  assert.deepEqual(['Python 3.11.2', 'Python 3.13.0\n', 'Python 4.0', 'Python 3.10.9', 'Python 2.7', ''].map(isNewEnough), [true, true, true, false, false, false]);
});

test('five ends within three minutes are enough; older ones are forgotten', () => {
  const crashes = new Crashes();
  assert.deepEqual([0, 1, 2, 3, 4].map((at) => crashes.again(at)), [true, true, true, true, false]);
  assert.equal(crashes.again(200_000), true);
});

test('slash commands, mentions and unknown ones', () => {
  assert.deepEqual(parse('how does @src/cart.py use @Cart.add?'), {
    command: 'ask', text: 'how does src/cart.py use Cart.add?', mentions: ['src/cart.py', 'Cart.add'],
  });
  assert.deepEqual(parse(' /docs  briefly '), { command: 'docs', text: 'briefly', mentions: [] });
  assert.match((parse('/nothing') as { problem: string }).problem, /no \/nothing.*\/explain/);
  assert.equal((parse('/usr/bin/env what is it?') as { command: string }).command, 'ask');
  assert.match((parse('/search ') as { problem: string }).problem, /what to look for/);
  assert.deepEqual((parse('mail me@example.com') as { mentions: string[] }).mentions, []);
  for (const name of ['src/my file.py', 'app/[id].tsx', 'Warenkörbe.py', 'Cart.add', '+page.svelte']) {
    assert.deepEqual((parse(`what is ${mention(name)} for?`) as { mentions: string[] }).mentions, [name]);
  }
  assert.equal(mention('Cart.add'), '@Cart.add');
});

test('what a slash command asks or tells', () => {
  const of = (text: string) => parse(text) as Exclude<ReturnType<typeof parse>, { problem: string }>;
  assert.match(question(of('/explain'), 'a.py:1-3'), /a\.py:1-3/);
  assert.equal(question(of('why?'), undefined), 'why?');
  assert.equal(instruction(of('why?')), undefined);
  assert.equal(instruction(of('/refactor use a dict')), 'use a dict');
  assert.equal(instruction(of('/fix the off-by-one')), 'Fix the fault in this code: the off-by-one');
});

test('what was sent since a moment, by the log', () => {
  const record = (kind: string, time: string) => ({ kind, time, id: `${kind}-${time}`, endpoint: 'vendor', body_bytes: 9 });
  const json = JSON.stringify({ records: [record('intent', '2026-01-01T10:00:00Z'), record('intent', '2026-01-01T10:00:09Z'), record('outcome', '2026-01-01T10:00:09Z')] });
  assert.deepEqual(intents(json, Date.parse('2026-01-01T10:00:05Z')).map((sent) => sent.id), ['intent-2026-01-01T10:00:09Z']);
  assert.deepEqual(intents('no JSON', 0), []);
});

const done = (id: string): Turn =>
  answered(begin(id, `q${id}`), { answer: `a${id}`, citations: [], abstained: false, route: { target: 'local', model: 'm', reason: 'r' } });

test('only answered turns are told, the last four', () => {
  const turns = [...'123456'].map(done);
  turns.push({ ...begin('7', 'failed'), state: 'failed' });
  assert.deepEqual(history(turns).map((turn) => turn.text), ['q3', 'a3', 'q4', 'a4', 'q5', 'a5', 'q6', 'a6']);
});

test('nothing half done and no outgoing body is kept, and what is malformed is not restored', () => {
  const outgoing = { body: 'secret', sha256: 'x', model: 'm', endpoint: 'e', redactions: 0, marks: [] };
  const turns: Turn[] = [done('1'), { ...done('2'), outgoing, diff: 'secret' }, begin('3', 'q')];
  assert.deepEqual(kept(turns, 50).map((turn) => [turn.id, JSON.stringify(turn).includes('secret')]), [['1', false], ['2', false]]);
  assert.deepEqual(restored([done('1'), null, 3, { id: 'x' }]).map((turn) => turn.id), ['1']);
  assert.deepEqual(restored('no list'), []);
});

test('the page can say nothing but its own messages', () => {
  assert.deepEqual(fromPage({ type: 'open', id: 't', n: 1 }), { type: 'open', id: 't', n: 1 });
  for (const bad of [null, 'x', {}, { type: 'command' }, { type: 'ask' }, { type: 'code', action: 'copy' }, { type: 'toString' }]) {
    assert.equal(fromPage(bad), undefined);
  }
});

test('a path of an answer stays below the workspace', () => {
  assert.deepEqual(['src/a.py', 'a..b/c.py'].map(isInside), [true, true]);
  const outside = ['', '/etc/passwd', '../x', 'a/../../x', 'C:\\x', 'a\\..\\x', 'file:///etc/passwd', 'command:x', 'a\0b'];
  assert.deepEqual(outside.map(isInside), outside.map(() => false));
});

test('of the roots those are trusted by a folder that it holds', () => {
  assert.deepEqual(within(['/w/app', '/w/lib/'], ['/w', '/w/app', '/w/app/inner', '/w/application', '/w/lib/inner']), ['/w/app', '/w/app/inner', '/w/lib/inner']);
});

test('links and images of an answer become text, code does not change', () => {
  const answer = '[x](command:y) ![i](http://h/p) <img src=x>\n\n```\na[0] <b>\n```';
  assert.equal(harmless(answer), '\\[x\\](command:y) !\\[i\\](http://h/p) \\<img src=x>\n\n```\na[0] <b>\n```');
  assert.equal(harmless('```\na\n``` js\n[x](y)\n```\n[z](y)').split('\n').at(-1), '\\[z\\](y)');
});

test('text that is no Markdown stays what it is', () => {
  assert.equal(literal('a_b <c> www.x\n\n1. y'), 'a\\_b \\<c\\> www\\.x\n\n1\\. y');
});

const known = { phase: 'running' as const, problem: '', status: undefined, model: 'm', paused: undefined, today: undefined, trusted: true };

test('the status bar says what holds', () => {
  assert.match(shown(known).tooltip.join(' '), /Ready\. Model: m/);
  assert.match(shown({ ...known, paused: 'paused for go' }).text, /debug-pause/);
  assert.equal(shown({ ...known, phase: 'failed', problem: 'why' }).severity, 'error');
  assert.match(shown({ ...known, trusted: false }).tooltip.join(' '), /local work only/);
  assert.equal(shown({ ...known, status: { kind: 'Error', busy: false, message: 'no model' } }).severity, 'error');
});

test('numbers of the day are read, and a strange report is none', () => {
  const suggestions = { shown: 8, accepted: 3, partly: 1, accepted_characters: 90 };
  const routes = [{ target: 'local', requests: 9, usd: 0 }, { target: 'closed', requests: 2, usd: 0.5 }];
  const today = readToday(JSON.stringify({ periods: { day: { suggestions, routes } } }));
  assert.deepEqual(today, { shown: 8, accepted: 4, characters: 90, sent: 2, usd: 0.5 });
  assert.match(todayLines(today as NonNullable<typeof today>)[0] ?? '', /4 of 8 taken.*2 requests left/);
  assert.equal(readToday('{}'), undefined);
});

const cited = { n: 1, path: 'shop/cart.py', start_line: 3, end_line: 5, symbol: 'Cart', sha: 's' };
const given = { answer: 'See [1] and [x](command:y).', citations: [cited], abstained: false, route: { target: 'local', model: 'm', reason: 'r' } };

/** What the chat of VS Code is shown, and what the server was asked. */
async function replied(asked: Partial<Asked>) {
  const shown: string[] = [];
  const told: unknown[] = [];
  const sources = {
    ask: async (params: unknown) => (told.push(params), given),
    search: async (query: string) => (told.push(query), [{ ...cited, kind: 'class', language: 'python', text: '' }]),
    about: async (mentions: readonly string[]) =>
      mentions.includes('Cart') ? { uri: 'file:///cart.py', range: { start: { line: 2, character: 0 }, end: { line: 5, character: 0 } }, label: 'Cart' } : undefined,
  };
  await reply({ command: undefined, prompt: '', earlier: [], ...asked }, sources, {
    progress: () => undefined,
    markdown: (text) => void shown.push(text),
    plain: (text) => void shown.push(text),
    place: async (at) => void shown.push(`<${at.path}:${at.start_line}>`),
  });
  return { shown: shown.join(''), told };
}

test('the chat of VS Code gets the checked answer, its places and its route, and nothing to click in it', async () => {
  const { shown, told } = await replied({ prompt: 'how does @Cart add up?', earlier: ['before'] });
  assert.equal(shown, 'See \\[1\\] and \\[x\\](command:y).\n\n\\[1\\] <shop/cart.py:3>\n\nm: r');
  const [params] = told as { question: string; textDocument: { uri: string }; history: unknown[] }[];
  assert.equal(params?.question, 'how does Cart add up?');
  assert.equal(params?.textDocument.uri, 'file:///cart.py');
  assert.deepEqual(params?.history, [{ role: 'user', text: 'before' }]);
});

test('the chat of VS Code searches, explains, and says what it does not know', async () => {
  assert.deepEqual(await replied({ command: 'search', prompt: 'carts' }), { shown: '<shop/cart.py:3> Cart\n\n', told: ['carts'] });
  assert.match(JSON.stringify((await replied({ command: 'explain', prompt: '@Cart' })).told), /Explain Cart/);
  for (const typed of ['/fix it', '/tests', '/docs', '/refactor use a dict']) {
    const { shown, told } = await replied({ prompt: typed });
    assert.ok(shown.includes(`type ${typed.split(' ')[0]} there`) && told.length === 0, shown);
  }
  await assert.rejects(replied({ prompt: '/nothing' }), /no \/nothing/);
});

test('a question that policy wants seen first is asked again with the user\u2019s word, and only then', async () => {
  const route = { target: 'closed', model: 'big', reason: 'because', endpoint: 'vendor' };
  const waits = { answer: '', citations: [], abstained: false, route, preview: '{"model":"big"}', preview_sha256: 'abc' };
  const done = { ...waits, answer: 'Yes [1].', preview: '', preview_sha256: '' };
  const asked: unknown[] = [];
  const ask = (more: { approvedSha256?: string }) => (asked.push(more), Promise.resolve(more.approvedSha256 ? done : waits));
  assert.equal(await approved(ask, () => Promise.resolve(false)), undefined);
  assert.deepEqual(asked, [{}]);
  const shown: unknown[] = [];
  assert.equal(await approved(ask, (out) => (shown.push(out), Promise.resolve(true))), done);
  assert.deepEqual(shown, [{ body: '{"model":"big"}', sha256: 'abc', model: 'big', endpoint: 'vendor', redactions: 0, marks: [] }]);
  assert.deepEqual(asked, [{}, {}, { approvedSha256: 'abc' }]);
  assert.equal(await approved(() => Promise.resolve(done), () => Promise.reject(new Error('not to be asked'))), done);
});

test('an error is told with its remedy', () => {
  const refusal = Object.assign(new Error('this workspace is not trusted'), { data: { code: 'refused', remedy: 'pointsman policy trust' } });
  assert.equal(told(refusal), 'this workspace is not trusted (pointsman policy trust)');
  assert.equal(told(Object.assign(new Error('no'), { data: { remedy: '' } })), 'no');
  assert.equal(told('why'), 'why');
});
