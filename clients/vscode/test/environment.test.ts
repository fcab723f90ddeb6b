// Making the private environment, with a Python that only writes down what it was asked for.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { disk, environments } from '../src/server/disk';
import { type Making, idle, makeEnvironment } from '../src/server/environment';
import { Lock } from '../src/server/lock';

const POSIX = { skip: process.platform === 'win32' };

function folder(t: TestContext): string {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'pointsman-'));
  t.after(() => fs.rmSync(made, { recursive: true, force: true }));
  return made;
}

/** A window that sets up: torch does not come before there is a file `go`. */
function making(storage: string, signal = new AbortController().signal, step: (message: string) => void = () => undefined): Making {
  const python = path.join(storage, 'python');
  const script = `#!/bin/sh
if [ "$2" = venv ]; then mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo made >> ${storage}/venvs; exit; fi
case "$*" in
  *requirements.lock) touch "$(dirname "$0")/../libs" ;;
  *torch.lock) touch ${storage}/torch; while [ ! -e ${storage}/go ]; do sleep 0.05; done ;;
esac
`;
  fs.writeFileSync(python, script, { mode: 0o755 });
  const bundle = { wheel: 'p.whl', lock: 'requirements.lock', torchLock: 'torch.lock', version: '2' };
  return { python, environment: path.join(storage, 'server-2'), bundle, signal, step, log: () => undefined };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) {
    await sleep(20);
  }
}

test('a second window waits for the first, and one that is cancelled spoils nothing', POSIX, async (t) => {
  const storage = folder(t);
  const first = makeEnvironment(making(storage));
  await until(() => fs.existsSync(path.join(storage, 'torch')));
  const cancel = new AbortController();
  const steps: string[] = [];
  const second = makeEnvironment(making(storage, cancel.signal, (message) => steps.push(message)));
  const third = makeEnvironment(making(storage));
  cancel.abort();
  await assert.rejects(second, /cancelled/);
  assert.match(steps.join(), /another window/);
  fs.writeFileSync(path.join(storage, 'go'), '');
  await Promise.all([first, third]);
  const environment = path.join(storage, 'server-2');
  assert.ok(disk.isComplete(environment) && fs.existsSync(path.join(environment, 'libs')));
  assert.equal(fs.readFileSync(path.join(storage, 'venvs'), 'utf8'), 'made\n');
  assert.deepEqual(environments(storage), [environment]);
});

test('an environment whose lock another window took meanwhile is not marked as complete', POSIX, async (t) => {
  const storage = folder(t);
  const first = makeEnvironment(making(storage));
  await until(() => fs.existsSync(path.join(storage, 'torch')));
  fs.writeFileSync(path.join(storage, '.server-2.lock', 'owner'), '1 other');
  fs.writeFileSync(path.join(storage, 'go'), '');
  await assert.rejects(first, /Another window/);
  assert.ok(!disk.isComplete(path.join(storage, 'server-2')));
});

test('a lock is held by one, and by nobody once its owner is gone or silent', POSIX, async (t) => {
  const at = path.join(folder(t), 'lock');
  const [one, two] = [new Lock(at), new Lock(at)];
  assert.deepEqual([one.take(), two.take()], [true, false]);
  one.release();
  assert.deepEqual([two.take(), two.isOurs()], [true, true]);
  const gone = spawn('true');
  await new Promise((resolve) => gone.on('close', resolve));
  fs.writeFileSync(path.join(at, 'owner'), `${gone.pid} x ${os.hostname()}`);
  assert.deepEqual([one.take(), two.isOurs()], [true, false]);
  two.release();
  assert.ok(one.isOurs());
  fs.utimesSync(at, new Date(0), new Date(0));
  const third = new Lock(at, 30); // who slept is not gone: only who waits and sees nothing takes it
  assert.ok(!third.take());
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.ok(third.take());
  third.release();
});

const PS = { skip: spawnSync('ps', ['--version']).error ? 'there is no ps' : POSIX.skip };

test('an environment from which a program runs is not idle', PS, async (t) => {
  const [used, unused] = [folder(t), folder(t)];
  const program = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)', path.join(used, 'bin', 'pointsman')]);
  t.after(() => program.kill());
  await new Promise((resolve) => program.on('spawn', resolve));
  assert.deepEqual(await idle([used, unused]), [unused]);
});
