// Which server to run. Pure: what is on the disk is asked through `Disk`.
import * as path from 'node:path';

export interface Wishes {
  /** The user's setting; "" for none. */
  path: string;
  /** Folders of PATH. */
  searchPath: readonly string[];
  /** Where the private environment of this version is, or would be. */
  environment: string;
  /** One that an earlier version of the extension made; "" for none. */
  older: string;
  /** Version of the server that this extension carries; "" when it carries none. */
  bundled: string;
  windows: boolean;
}

export interface Disk {
  isProgram(file: string): boolean;
  /** Whether the making of an environment came to its end. */
  isComplete(environment: string): boolean;
}

export type Found =
  | { kind: 'run'; command: string; from: 'setting' | 'path' | 'environment' }
  /** `instead` is what can be run when it is not made: the older server, or "". */
  | { kind: 'make'; instead: string }
  | { kind: 'problem'; message: string };

/** The program in a virtual environment. */
export function inEnvironment(environment: string, name: string): string {
  return path.join(environment, 'bin', name);
}

export function locate(wishes: Wishes, disk: Disk): Found {
  if (wishes.path) {
    return disk.isProgram(wishes.path)
      ? { kind: 'run', command: wishes.path, from: 'setting' }
      : { kind: 'problem', message: `The setting pointsman.server.path names ${wishes.path}, and no program is there.` };
  }
  const onPath = onSearchPath('pointsman', wishes.searchPath, disk);
  if (onPath) {
    return { kind: 'run', command: onPath, from: 'path' };
  }
  const made = [wishes.environment, wishes.older]
    .filter((folder) => folder !== '' && disk.isComplete(folder))
    .map((folder) => inEnvironment(folder, 'pointsman'))
    .filter((program) => disk.isProgram(program));
  const own = made.find((program) => program.startsWith(wishes.environment + path.sep));
  const instead = made[0] ?? '';
  if (own ?? (!wishes.bundled && instead)) {
    return { kind: 'run', command: own ?? instead, from: 'environment' };
  }
  if (!wishes.bundled) {
    return {
      kind: 'problem',
      message: 'No pointsman program is on PATH, and this build of the extension carries no server. Install the server, or name it in pointsman.server.path.',
    };
  }
  if (wishes.windows) {
    return { kind: 'problem', message: 'The server runs on Linux and macOS. On Windows, open the folder in WSL.' };
  }
  return { kind: 'make', instead };
}

/** The first program of that name; relative entries of PATH are skipped, for they would mean the workspace. */
export function onSearchPath(name: string, searchPath: readonly string[], disk: Disk): string | undefined {
  return searchPath
    .filter((folder) => path.isAbsolute(folder))
    .map((folder) => path.join(folder, name))
    .find((candidate) => disk.isProgram(candidate));
}

/** `Python 3.12.1` → whether that is new enough. */
export function isNewEnough(version: string): boolean {
  const found = /^Python (\d+)\.(\d+)/.exec(version.trim());
  return found !== null && (Number(found[1]) > 3 || (Number(found[1]) === 3 && Number(found[2]) >= 11));
}
