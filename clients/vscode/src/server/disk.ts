// What `locate` asks of the disk, answered.
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Disk } from './locate';

const COMPLETE = 'complete';

export const disk: Disk = {
  isProgram(file) {
    try {
      fs.accessSync(file, fs.constants.X_OK);
      return fs.statSync(file).isFile();
    } catch {
      return false;
    }
  },
  isComplete(environment) {
    return fs.existsSync(path.join(environment, COMPLETE));
  },
};

/** Written last, so that an environment whose making was cut short does not count. */
export function markComplete(environment: string): void {
  fs.writeFileSync(path.join(environment, COMPLETE), '');
}

/** Folders of environments, of any version. */
export function environments(storage: string): string[] {
  const names = fs.existsSync(storage) ? fs.readdirSync(storage) : [];
  return names.filter((name) => name.startsWith('server-')).map((name) => path.join(storage, name));
}
