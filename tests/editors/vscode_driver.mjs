// Drives a VS Code workbench in Chromium through one session, step by step. Prints a JSON line for each step.
// usage: node vscode_driver.mjs PLAN, a JSON object: url, folder, home, steps, shots, playwright, chromium,
// graphics, whether the machine's graphics card draws, made, a file that the step tests makes, and typing, which has file, text, every and pause in milliseconds, for the step of that name
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const plan = JSON.parse(process.argv[2]);
const { chromium } = createRequire(plan.playwright + '/')('playwright-core');
const DRAWING = plan.graphics ? ['--use-angle=gl-egl', '--ignore-gpu-blocklist', '--enable-gpu-rasterization'] : ['--disable-gpu'];
const FLAGS = ['--no-sandbox', ...DRAWING, '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'];
const SECONDS = 1000;
const file = (name) => path.join(plan.folder, name);
const read = (name) => readFileSync(file(name), 'utf8');
const browser = await chromium.launch({ executablePath: plan.chromium, headless: true, args: FLAGS, ignoreDefaultArgs: plan.graphics ? ['--enable-unsafe-swiftshader'] : [] });
const page = await (await browser.newContext({ viewport: { width: 1080, height: 660 }, colorScheme: 'light' })).newPage();
page.setDefaultTimeout(30 * SECONDS);

// --- what a user sees and does

const press = (key) => page.keyboard.press(key);
const status = () => page.locator('.statusbar-item[id^="pointsman"]');
const chat = () => page.frameLocator('iframe.webview.ready').frameLocator('#active-frame');

async function until(what, look, ms = 60 * SECONDS) {
  const end = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what} did not come`);
    await page.waitForTimeout(100);
  }
}

const rows = () => page.locator('.quick-input-list .monaco-list-row');

/** Open a quick input by a key, write into it, and take the first entry once it names what is wanted. */
async function quick(key, text, wanted) {
  const tab = page.locator('.tab.active .tab-label').first();
  await tab.click({ timeout: 2 * SECONDS }).catch(() => undefined); // keys go to the workbench, not to a webview
  const box = page.locator('.quick-input-widget input').first();
  await until('a quick input', async () => {
    await press(key);
    // It closes again when something takes the focus meanwhile.
    return box.fill(text, { timeout: 5 * SECONDS }).then(() => true, () => false);
  });
  await until(wanted, async () => (await rows().first().textContent({ timeout: 1000 }).catch(() => ''))?.includes(wanted), 30 * SECONDS);
  await press('Enter');
}

const command = (title) => quick('F1', '>' + title, title);

async function open(name) {
  await quick('Control+p', name, path.basename(name));
  await page.locator(`.tab.active[data-resource-name="${path.basename(name)}"]`).waitFor();
  await page.locator('.editor-group-container.active .view-line').first().waitFor();
}

const ghost = () =>
  page.evaluate(() =>
    [...document.querySelectorAll('[class*=ghost-text]')].map((each) => each.textContent.replaceAll('\u00a0', ' ')).join(''));

const plain = (text) => text.replaceAll('\u00a0', ' ');

/** Type at the file's end; asks again when the first edits came before the server was there. */
async function typeUntilGhost(text) {
  await press('Control+End');
  await page.keyboard.type(text);
  text = text || ' ';
  const end = Date.now() + 90 * SECONDS;
  while (Date.now() < end) {
    try {
      return await until('ghost text', async () => plain(await ghost()), 5 * SECONDS);
    } catch {
      await press('Backspace');
      await page.keyboard.type(text.at(-1));
    }
  }
  throw new Error('ghost text did not come');
}

/** Press a key that takes of the ghost text, and save what became of the file. */
async function taken(key, name) {
  await save();
  const before = read(name);
  await until('ghost text', ghost, 10 * SECONDS);
  await page.waitForTimeout(300);
  await press(key);
  await until('the taken text', async () => {
    await save();
    return read(name) !== before && read(name) !== '';
  }, 15 * SECONDS);
}

async function save() {
  await press('Control+s');
  await page.locator('.tab.active.dirty').waitFor({ state: 'detached', timeout: 10 * SECONDS });
}

/** The text of files once they are all saved. */
async function saved(...names) {
  await page.waitForTimeout(700); // what was pressed before shows
  await command('File: Save All');
  await page.waitForTimeout(700);
  await page.locator('.tab.dirty').first().waitFor({ state: 'detached', timeout: 10 * SECONDS });
  return names.map(read);
}

async function discard() {
  await page.getByRole('button', { name: 'Discard' }).or(page.getByText('Discard', { exact: true })).first().click();
  await tree().waitFor({ state: 'hidden', timeout: 20 * SECONDS });
}

async function openChat() {
  await command('Pointsman: Ask About the Code');
  await chat().locator('#question').waitFor();
}

async function ask(text) {
  await chat().locator('#question').fill(text);
  await chat().locator('#send').click();
}

/** Select the line that begins so, and the next. */
async function select(content, start) {
  await open('shop/cart.py');
  const first = content.split('\n').findIndex((line) => line.startsWith(start)) + 1;
  await press('Control+g');
  await page.locator('.quick-input-widget input').first().fill(`:${first}`);
  await press('Enter');
  await press('Shift+ArrowDown');
  await press('Shift+ArrowDown');
}

/** Select, and tell what should become of it. */
async function instruct(text, content, start, shot) {
  await select(content, start);
  await press('Control+Alt+i');
  await page.getByPlaceholder('add a docstring').fill(text);
  if (shot) {
    await page.waitForTimeout(300);
    await shoot(shot);
  }
  await press('Enter');
}

async function tell(text) {
  await page.getByPlaceholder('add a docstring').fill(text);
  await press('Enter');
}

/** Choose files of one folder in the Explorer, and tell what should become of them. */
async function instructFiles(text, names) {
  await open(names[0]);
  await command('View: Show Explorer');
  const row = (name) => page.locator('.explorer-folders-view .monaco-list-row').filter({ hasText: path.basename(name) }).first();
  await row(names[0]).click();
  for (const name of names.slice(1)) await row(name).click({ modifiers: ['Control'] });
  await row(names[0]).click({ button: 'right' });
  // A menu takes no click in its first moments.
  await until('the prompt', async () => {
    await page.getByRole('menuitem', { name: 'Change These Files…' }).click({ timeout: SECONDS }).catch(() => undefined);
    return page.getByPlaceholder('add a docstring').waitFor({ timeout: 2 * SECONDS }).then(() => true, () => false);
  });
  await tell(text);
}

const tree = () => page.locator('.refactor-preview, [id="refactorPreview"]').first();
const apply = () => page.getByRole('button', { name: 'Apply' }).or(page.getByText('Apply', { exact: true })).first();

/** What the refactor preview offers. */
async function previewed() {
  await apply().waitFor({ timeout: 120 * SECONDS });
  await page.waitForTimeout(700);
  return tree().innerText();
}

/** What the annotation of the first change says, when the pointer rests on it. */
async function annotation() {
  await tree().locator('.monaco-list-row[aria-level="2"] .monaco-highlighted-label, .monaco-list-row[aria-level="2"] .label-name').first().hover();
  return until('the annotation', async () => {
    const texts = await page.locator('.monaco-hover').allInnerTexts();
    return texts.find((text) => text.includes('Pointsman'));
  }, 20 * SECONDS);
}

/** Tick files, all or those that are named, for nothing is ticked that needs to be confirmed, and apply. */
async function applyPreview(wanted = '') {
  await previewed();
  for (const row of await tree().locator('.monaco-list-row[aria-level="1"]').filter({ hasText: wanted }).all()) {
    await row.locator('input, .monaco-checkbox, .edit-checkbox').first().click();
  }
  await apply().click();
  await tree().waitFor({ state: 'hidden', timeout: 20 * SECONDS });
}

/** The state in light and dark, as small as it stays readable. */
async function shoot(name) {
  await page.mouse.move(300, 648); // where nothing tells what it is when the pointer rests
  for (const scheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.locator(`.monaco-workbench.${scheme === 'light' ? 'vs' : 'vs-dark'}`).waitFor();
    await page.waitForTimeout(600);
    await page.screenshot({ path: path.join(plan.shots, `vscode-${name}-${scheme}.png`) });
  }
}

/** Processes of the language server under this test's home alone. */
function servers() {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      const own = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`POINTSMAN_HOME=${plan.home}`);
      return own && args.includes('serve') && args.some((each) => each.endsWith('pointsman'));
    } catch {
      return false;
    }
  });
}

const ready = () => until('a ready status', async () => {
  const label = (await status().getAttribute('aria-label').catch(() => '')) ?? '';
  const inner = (await status().locator('a').getAttribute('aria-label').catch(() => '')) ?? '';
  const text = label + inner;
  return /ready|indexing/i.test(text) && text;
});

// --- the steps

const steps = {
  async opened() {
    await page.goto(`${plan.url}/?folder=${plan.folder}`);
    await page.locator('.monaco-workbench').waitFor({ timeout: 60 * SECONDS });
    return {};
  },

  async ready() {
    await steps.opened();
    await status().waitFor({ timeout: 60 * SECONDS });
    return { label: await ready() };
  },

  async walkthrough() {
    await page.getByText('Start with Pointsman').first().waitFor();
    if (plan.steps.includes('tab')) await shoot('walkthrough'); // the session that shows everything
    await command('View: Close All Editors');
    return {};
  },

  async tab() {
    await open('shop/cart.py');
    await press('Control+1');
    await typeUntilGhost(' ');
    await shoot('ghost-text');
    const shown = await typeUntilGhost('');
    await taken('Tab', 'shop/cart.py');
    return { shown, text: read('shop/cart.py') };
  },

  async word() {
    await open('shop/inventory.py');
    await press('Control+1');
    const shown = await typeUntilGhost(' ');
    await taken('Control+ArrowRight', 'shop/inventory.py');
    return { shown, text: read('shop/inventory.py') };
  },

  async menu() {
    await command('Pointsman: Menu');
    await page.getByPlaceholder('Last 24 hours').or(page.getByPlaceholder('What would you')).waitFor();
    await page.waitForTimeout(500);
    const entries = await rows().allTextContents();
    await shoot('menu');
    await press('Escape');
    return { entries };
  },

  async pause() {
    await command('Pointsman: Pause or Resume for This Language');
    const label = await until('the pause', async () => {
      const text = await status().locator('a').getAttribute('aria-label');
      return text?.includes('paused for python') && text;
    });
    await open('shop/inventory.py');
    await press('Control+1');
    await press('Escape');
    await press('Control+End');
    await page.keyboard.type(' ');
    await page.waitForTimeout(3 * SECONDS); // longer than a suggestion waits for the next key
    const quiet = await ghost();
    if (quiet) throw new Error(`ghost text while paused: ${quiet}`);
    await press('Backspace');
    await command('Pointsman: Pause or Resume for This Language');
    await ready();
    await press('Control+1');
    await typeUntilGhost(' '); // there is one at this place
    await press('Escape');
    await press('Backspace');
    await save();
    return { label };
  },

  async ask() {
    await openChat();
    await ask('How is a discount applied to a total?');
    const turn = chat().locator('article').last();
    let drafted = '';
    await until('an answer', async () => {
      const busy = await turn.locator('.answer[aria-busy=true]').innerText({ timeout: 100 }).catch(() => '');
      drafted = busy || drafted;
      return (await turn.locator('.route').count()) > 0;
    }, 120 * SECONDS);
    await shoot('chat');
    const seen = {
      drafted,
      answer: await turn.locator('.answer').innerText(),
      route: await turn.locator('.route').innerText(),
      places: await turn.locator('.place').allInnerTexts(),
    };
    await open('web/page.ts');
    await turn.locator('.place').first().click();
    const [name] = seen.places[0].split(':');
    await page.locator(`.tab.active[data-resource-name="${path.basename(name)}"]`).waitFor();
    const first = seen.places[0].split(':')[1].split('-')[0];
    const at = await until('the lines', async () => {
      const text = await page.locator('.statusbar-item[id="status.editor.selection"]').innerText();
      return text.includes(`Ln ${first},`) && text;
    }, 10 * SECONDS);
    await shoot('citation');
    return { ...seen, at };
  },

  /** Of a folder within a repository: places are below the repository. */
  async below() {
    await openChat();
    const places = [];
    for (const question of ['/search apply_discount', 'How is a discount applied to a total?']) {
      await ask(question);
      const turn = chat().locator('article').last();
      await turn.locator('.actions').waitFor({ timeout: 120 * SECONDS });
      const place = turn.locator('.place').filter({ hasText: 'shop/cart.py' }).first();
      places.push(await place.innerText());
      await place.click();
      await page.locator('.tab.active[data-resource-name="cart.py"]').waitFor();
      await command('View: Close All Editors');
    }
    return { places };
  },

  async mention() {
    const box = chat().locator('#question');
    await box.fill('');
    await box.pressSequentially('what is @inven');
    const offered = await until('files and symbols', async () => {
      const items = await chat().locator('#mentions li').allInnerTexts();
      return items.some((item) => item.includes('file')) && items.some((item) => item.includes(' in shop/inventory.py')) && items;
    });
    await shoot('mention');
    await box.press('Tab');
    const text = await box.inputValue();
    await box.fill('');
    return { offered, text };
  },

  async history() {
    await page.reload();
    await status().waitFor({ timeout: 60 * SECONDS });
    await ready();
    await command('Pointsman: Ask About the Code');
    await chat().locator('article').first().waitFor();
    return { questions: await chat().locator('article .question').allInnerTexts() };
  },

  async declined() {
    const before = read('shop/cart.py');
    await instruct('add a docstring', before, 'def subtract');
    await previewed();
    await discard();
    await save();
    return { before, after: read('shop/cart.py') };
  },

  async refactor() {
    const before = read('shop/cart.py');
    await instruct('add a docstring', before, 'def subtract', 'instruction');
    const preview = await previewed();
    await shoot('refactor');
    const untouched = read('shop/cart.py') === before;
    await applyPreview();
    await open('shop/cart.py');
    await save().catch(() => undefined);
    const applied = await until('the applied change', () => read('shop/cart.py') !== before && read('shop/cart.py'), 20 * SECONDS);
    await press('Control+1');
    await press('Control+z'); // once
    const undone = await until('the undone change', async () => {
      await save();
      return read('shop/cart.py') !== applied && read('shop/cart.py');
    }, 20 * SECONDS);
    return { preview, untouched, before, applied, undone };
  },

  async actions() {
    const before = read('shop/cart.py');
    await select(before, 'def subtract');
    await command('Source Action...');
    const offered = page.locator('.action-widget .monaco-list-row');
    await offered.filter({ hasText: 'Pointsman' }).first().waitFor();
    const titles = await offered.allInnerTexts();
    await shoot('actions');
    await offered.filter({ hasText: 'Add a docstring' }).first().click();
    await previewed();
    const said = await annotation();
    const untouched = read('shop/cart.py') === before;
    await applyPreview();
    await open('shop/cart.py');
    const [applied] = await saved('shop/cart.py');
    await press('Control+1');
    await press('Control+z');
    const [undone] = await saved('shop/cart.py');
    return { titles, said, untouched, before, applied, undone };
  },

  async files() {
    const both = ['shop/cart.py', 'shop/inventory.py'];
    const before = both.map(read);
    const asked = 'rename reserve to take_out';
    await instructFiles(asked, both);
    const preview = await previewed();
    await shoot('files');
    await discard();
    const declined = await saved(...both);
    await instructFiles(asked, both);
    await applyPreview('inventory.py');
    const some = await saved(...both);
    await open('shop/inventory.py');
    await press('Control+1');
    await press('Control+z');
    const back = await saved(...both);
    await instructFiles(asked, both);
    await applyPreview();
    const all = await saved(...both);
    await open('shop/cart.py');
    await press('Control+1');
    await press('Control+z'); // once; it may ask whether in both files
    await page.getByRole('button', { name: /Undo in 2 Files/ }).click({ timeout: 3 * SECONDS }).catch(() => undefined);
    const undone = await saved(...both);
    return { preview, before, declined, some, back, all, undone };
  },

  async picked() {
    const both = ['shop/cart.py', 'shop/inventory.py'];
    for (const name of both) await open(name);
    await command('Pointsman: Change These Files…');
    await page.locator('.quick-input-list .quick-input-list-entry').nth(1).waitFor();
    const offered = await rows().allInnerTexts();
    await press('Enter');
    await tell('rename reserve to take_out');
    const preview = await previewed();
    await discard();
    return { offered, preview };
  },

  async tests() {
    const before = read('shop/cart.py');
    await select(before, 'def apply_discount');
    await command('Source Action...');
    await page.locator('.action-widget .monaco-list-row').filter({ hasText: 'Write tests' }).first().click();
    const preview = await previewed();
    await shoot('tests');
    const there = existsSync(file(plan.made));
    await applyPreview();
    await until('the made file', () => existsSync(file(plan.made)), 20 * SECONDS);
    const [after] = await saved('shop/cart.py');
    return { preview, there, made: read(plan.made), before, after };
  },

  /** The same, asked for in the panel, and declined. */
  async asked() {
    const before = read('shop/cart.py');
    await openChat();
    await ask('/tests half a cent @apply_discount');
    const preview = await previewed();
    await discard();
    const turn = chat().locator('article').last();
    await turn.locator('.route').waitFor({ timeout: 20 * SECONDS });
    const [after] = await saved('shop/cart.py');
    return { preview, answer: await turn.locator('.answer').innerText(), there: existsSync(file(plan.made)), before, after };
  },

  /** A code action whose body has to be seen: once left, once sent. */
  async reviewed() {
    const before = read('shop/cart.py');
    const asking = page.locator('.quick-input-widget');
    const answer = (words) => rows().filter({ hasText: words }).first().click();
    const act = async () => {
      await select(before, 'def apply_discount');
      await command('Source Action...');
      await page.locator('.action-widget .monaco-list-row').filter({ hasText: 'Add a docstring' }).first().click();
      await rows().filter({ hasText: 'Send Exactly This' }).waitFor({ timeout: 60 * SECONDS });
    };
    await act();
    const asked = await asking.innerText();
    await shoot('reviewed');
    await answer('Do Not Send');
    await asking.waitFor({ state: 'hidden' });
    await page.waitForTimeout(500);
    const problems = await page.locator('.notification-list-item.error, .notification-toast .codicon-error').allInnerTexts();
    const left = await page.locator('.tab[data-resource-name^="outgoing"]').count();
    await act();
    await page.locator('.tab[data-resource-name^="outgoing"]').first().waitFor();
    await answer('Send Exactly This');
    await previewed();
    const untouched = read('shop/cart.py') === before;
    await applyPreview();
    const [applied] = await saved('shop/cart.py');
    return { asked, problems, left, untouched, before, applied };
  },

  async typing() {
    await open(plan.typing.file);
    await press('Control+1');
    await press('Control+End');
    await page.evaluate(() => {
      window.seen = [];
      window.keys = [];
      addEventListener('keydown', (event) => {
        const key = { handled: 0, painted: 0 };
        window.keys.push(key);
        const after = (what) => {
          const channel = new MessageChannel();
          channel.port1.onmessage = () => { key[what] = performance.now() - event.timeStamp; };
          channel.port2.postMessage(0);
        };
        after('handled');
        requestAnimationFrame(() => after('painted'));
      }, true);
      const look = () => {
        const line = document.querySelector('[class*=ghost-text]')?.closest('.view-line');
        const text = line ? line.textContent.replaceAll('\u00a0', ' ') : '';
        if (window.seen.at(-1) !== text) window.seen.push(text);
        requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
    const begun = Date.now();
    let pauses = 0;
    for (const [index, char] of [...plan.typing.text].entries()) {
      const due = begun + index * plan.typing.every + pauses;
      await page.waitForTimeout(Math.max(due - Date.now(), 0));
      await press(char === '\n' ? 'Enter' : char);
      pauses += ' .('.includes(char) ? plan.typing.pause : 0;
    }
    await page.waitForTimeout(500);
    await press('Escape');
    await shoot('typing');
    const [text] = await saved(plan.typing.file);
    const [seen, keys] = await page.evaluate(() => [window.seen, window.keys]);
    return { seen, keys: keys.slice(0, plan.typing.text.length), text };
  },

  async unsent() {
    await command('View: Close All Editors'); // the walkthrough is a webview too
    await openChat();
    await ask('/refactor rename percent to share @apply_discount');
    const turn = chat().locator('article').last();
    await turn.getByRole('button', { name: 'Do Not Send' }).click({ timeout: 90 * SECONDS });
    await turn.getByText('Nothing was sent.').waitFor();
    return {};
  },

  async sent() {
    await ask('/refactor rename percent to share @apply_discount');
    const turn = chat().locator('article').last();
    await turn.locator('.outgoing pre').waitFor({ timeout: 90 * SECONDS });
    const shown = await turn.locator('.outgoing pre').innerText();
    await turn.locator('.outgoing').scrollIntoViewIfNeeded();
    await shoot('approval');
    await turn.getByRole('button', { name: 'Send Exactly This' }).click();
    await applyPreview();
    await turn.locator('.receipt').waitFor();
    await turn.locator('.receipt summary').click();
    await turn.locator('.receipt').scrollIntoViewIfNeeded();
    await shoot('receipt');
    await open('shop/cart.py');
    await until('the applied change', async () => {
      await save();
      return read('shop/cart.py').includes('share');
    }, 20 * SECONDS);
    return { shown, receipt: await turn.locator('.receipt').innerText(), text: read('shop/cart.py') };
  },

  /** A question in the chat view of VS Code itself. */
  async native() {
    await command('Chat: Open Chat');
    const input = page.locator('.interactive-session .chat-input-container .monaco-editor').first();
    await until('a model', async () => {
      const model = page.locator('.interactive-session').getByText('Models', { exact: true }).first();
      if (!(await model.isVisible())) return true;
      await model.click();
      const silent = page.locator('.action-widget .monaco-list-row').filter({ hasText: 'Silent' }).first();
      await silent.click({ timeout: 3 * SECONDS }).catch(() => undefined);
      await press('Escape');
      return false;
    }, 30 * SECONDS);
    await input.click();
    await page.keyboard.type('@pointsman How is a discount applied to a total?');
    await page.waitForTimeout(1500);
    await press('Escape');
    await input.click();
    await press('Enter');
    const response = page.locator('.interactive-response').last();
    const answer = await until('an answer', async () => {
      const text = await response.innerText({ timeout: SECONDS }).catch(() => '');
      return /smollm2|unavailable|silent/.test(text) && text;
    }, 120 * SECONDS);
    await shoot('native');
    const anchor = response.locator('.chat-inline-anchor-widget, a[data-href]').first();
    const place = await anchor.innerText({ timeout: 5 * SECONDS });
    await anchor.click();
    const at = await until('the lines', async () => {
      const text = await page.locator('.statusbar-item[id="status.editor.selection"]').innerText({ timeout: SECONDS }).catch(() => '');
      return /Ln .*selected/.test(text) && text;
    }, 10 * SECONDS);
    return { answer, place, at };
  },

  async killed() {
    const before = servers();
    before.forEach((pid) => process.kill(Number(pid), 'SIGKILL'));
    await until('another server', () => { const now = servers(); return now.length > 0 && now.every((pid) => !before.includes(pid)); });
    await ready();
    await open('shop/__init__.py');
    await press('Control+1');
    const shown = await typeUntilGhost('\n\ndef add(a, b):\nreturn ');
    await press('Control+s');
    return { before, after: servers(), shown };
  },

  /** A machine without models: they are offered, fetched, and used. */
  async fetched() {
    await page.goto(`${plan.url}/?folder=${plan.folder}`);
    const offer = page.locator('.notification-list-item', { hasText: 'models are not on this machine yet' });
    await offer.waitFor({ timeout: 120 * SECONDS });
    const asked = plain(await offer.innerText());
    await offer.getByRole('button', { name: 'Download' }).click();
    const fetching = page.locator('.notification-list-item', { hasText: 'downloading the models' });
    await fetching.waitFor();
    await fetching.waitFor({ state: 'hidden', timeout: 240 * SECONDS });
    await until('the server', async () => (await status().locator('a').getAttribute('aria-label'))?.includes('smollm2'));
    await open('shop/cart.py');
    await press('Control+1');
    return { asked, shown: await typeUntilGhost(' ') };
  },

  async restricted() {
    const label = await until('local work only', async () => {
      const text = await status().locator('a').getAttribute('aria-label');
      return text?.includes('not trusted') && text;
    });
    await open('shop/cart.py');
    await press('Control+1');
    const shown = await typeUntilGhost(' ');
    await shoot('untrusted');
    return { label, shown };
  },

  /** Where a change of the user's choice goes in Restricted Mode. */
  async kept() {
    await openChat();
    const routes = [];
    for (const question of ['/docs @apply_discount', 'How is a discount applied to a total?']) {
      await ask(question);
      const turn = chat().locator('article').last();
      if (question.startsWith('/')) {
        await previewed();
        await discard();
      }
      await turn.locator('.route').waitFor({ timeout: 120 * SECONDS });
      routes.push(await turn.locator('.route').innerText());
    }
    return { routes };
  },

  async trusted() {
    await command('Workspaces: Manage Workspace Trust');
    await page.locator('.workspace-trust-editor').getByText('Trust', { exact: true }).first().click();
    const label = await until('trust', async () => {
      const text = await status().locator('a').getAttribute('aria-label');
      return text && !text.includes('not trusted') && text;
    });
    await page.waitForTimeout(1500);
    return { label };
  },

  /** Rules of the workspace change, which ends the server's trust, and it is given again. */
  async again() {
    writeFileSync(file('.pointsmanignore'), 'notes/');
    await command('Pointsman: Trust the Workspace for Closed Models');
    const dialog = page.locator('.monaco-dialog-box');
    const asked = plain(await dialog.innerText());
    await dialog.getByRole('button', { name: 'Trust' }).click();
    await page.getByText('the workspace is trusted').first().waitFor();
    return { asked };
  },
};

for (const step of plan.steps) {
  try {
    console.log(JSON.stringify({ step, ...(await steps[step]()) }));
  } catch (error) {
    // Not among the pictures of the documentation.
    await page.screenshot({ path: path.join(path.dirname(plan.home), `failed-${step}.png`) });
    console.log(JSON.stringify({ step, error: String(error).slice(0, 800) }));
    if (step === 'ready') break;
    await press('Escape');
  }
}
await browser.close();
