// Paths that others wrote: relative, with `/`, and never up and out.

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
