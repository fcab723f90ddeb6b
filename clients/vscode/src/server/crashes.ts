// How often the server may end by itself before it is left alone.
const MOST = 5;
const WITHIN_MS = 180_000;

export class Crashes {
  private times: number[] = [];

  /** Note one, at `now` in milliseconds. Whether to start again. */
  again(now: number): boolean {
    this.times = [...this.times.filter((time) => now - time < WITHIN_MS), now];
    return this.times.length < MOST;
  }

  forget(): void {
    this.times = [];
  }
}
