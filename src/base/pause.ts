const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Blocks the event loop: for processes without players, and where nothing else can be done. */
export function pause(milliseconds: number): void {
  Atomics.wait(sleeper, 0, 0, milliseconds);
}
