// One window at a time: a folder that names who made it, and that counts for nothing once its owner is gone.
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';

/** Milliseconds between two signs of life, and after how many without one an owner is taken for gone. */
const BEAT = 5_000;
const SILENCE = 60_000;

export class Lock {
  private readonly owner = `${process.pid} ${randomUUID()}`;
  private beat: NodeJS.Timeout | undefined;

  constructor(private readonly folder: string) {}

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
    return owner !== undefined && (!isAlive(Number.parseInt(owner, 10)) || silence(this.folder) > SILENCE);
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

function silence(folder: string): number {
  const status = fs.statSync(folder, { throwIfNoEntry: false });
  return status ? Date.now() - status.mtimeMs : 0;
}
