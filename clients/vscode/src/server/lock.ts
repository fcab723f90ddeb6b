// One window at a time: a folder that names who made it, and that counts for nothing once its owner is gone.
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

/** Milliseconds between two signs of life, and for how long who waits must see none to take the owner for gone. */
const BEAT = 5_000;
const SILENCE = 60_000;

export class Lock {
  private readonly owner = `${process.pid} ${randomUUID()} ${os.hostname()}`;
  private beat: NodeJS.Timeout | undefined;
  /** The owner's last sign of life, and when it was first seen here: a machine that slept is given time to go on. */
  private last = { sign: '', seen: 0 };

  constructor(
    private readonly folder: string,
    private readonly silence = SILENCE,
  ) {}

  /** False while another owner has it. */
  take(): boolean {
    if (this.isStale()) {
      fs.rmSync(this.folder, { recursive: true, force: true });
    }
    const made = `${this.folder}-${this.owner.split(' ')[1]}`;
    fs.mkdirSync(made, { recursive: true });
    fs.writeFileSync(path.join(made, 'owner'), this.owner);
    try {
      fs.renameSync(made, this.folder); // with its owner in it, and only where there is none
    } catch (error) {
      fs.rmSync(made, { recursive: true, force: true });
      if (['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) {
        return false;
      }
      throw error;
    }
    this.beat = setInterval(() => this.isOurs() && touch(this.folder), BEAT);
    this.beat.unref();
    return true;
  }

  /** Whether no other window took it for stale since. */
  isOurs(): boolean {
    return ownerOf(this.folder) === this.owner;
  }

  release(): void {
    clearInterval(this.beat);
    if (this.isOurs()) {
      fs.rmSync(this.folder, { recursive: true, force: true });
    }
  }

  private isStale(): boolean {
    const owner = ownerOf(this.folder);
    if (owner === undefined) {
      return false;
    }
    const [pid, , host] = owner.split(' ');
    if (host === os.hostname() && !isAlive(Number(pid))) {
      return true;
    }
    const sign = `${owner} ${fs.statSync(this.folder, { throwIfNoEntry: false })?.mtimeMs}`;
    if (sign !== this.last.sign) {
      this.last = { sign, seen: performance.now() };
    }
    return performance.now() - this.last.seen > this.silence;
  }
}

function ownerOf(folder: string): string | undefined {
  try {
    return fs.readFileSync(path.join(folder, 'owner'), 'utf8');
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function touch(folder: string): void {
  const now = new Date();
  fs.utimes(folder, now, now, () => undefined);
}
