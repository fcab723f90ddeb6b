// What an error of the server says beside its message, and the error as a user is told it.

/** A word of the error's data, such as its remedy or its rule; "" where there is none. */
export function detail(error: unknown, name: string): string {
  const data: unknown = error instanceof Error && 'data' in error ? error.data : undefined;
  const found: unknown = typeof data === 'object' && data !== null ? (data as Record<string, unknown>)[name] : undefined;
  return typeof found === 'string' ? found : '';
}

/** The message, and what to do about it where the server says that. */
export function told(error: unknown): string {
  const remedy = detail(error, 'remedy');
  const message = error instanceof Error ? error.message : String(error);
  return remedy ? `${message} (${remedy})` : message;
}
