// An error as a user is told it: the message, and what to do about it where the server says that.

export function told(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const data: unknown = 'data' in error ? error.data : undefined;
  const remedy = typeof data === 'object' && data !== null && 'remedy' in data ? data.remedy : '';
  return typeof remedy === 'string' && remedy !== '' ? `${error.message} (${remedy})` : error.message;
}
