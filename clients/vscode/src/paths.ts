// What lies inside of what, by its path.

/** Whether a path that others wrote is relative, with `/`, and never up and out. */
export function isInside(path: string): boolean {
  return (
    path !== '' &&
    !path.startsWith('/') &&
    !path.includes('\\') &&
    !path.includes('\0') &&
    !/^[a-zA-Z][\w+.-]*:/.test(path) &&
    !path.split('/').includes('..')
  );
}

/** Those of the roots that are one of the folders, or inside of one. */
export function within(folders: readonly string[], roots: readonly string[]): string[] {
  return roots.filter((root) => folders.some((folder) => root === folder || root.startsWith(folder.replace(/\/?$/, '/'))));
}
