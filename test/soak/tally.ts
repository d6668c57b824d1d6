/** How an answer to a player ended. */
export type Ending =
  /** All that was asked for came. */
  | 'whole'
  /** The player left. */
  | 'left'
  /** The connection closed within the body. */
  | 'cut'
  /** The connection closed before an answer. */
  | 'unanswered'
  /** No connection. */
  | 'refused'
  /** 304. */
  | 'not modified'
  /** Another status that says no; counted by status as well. */
  | 'denied';

/** What a run has counted. */
export class Tally {
  readonly endings: Record<Ending, number> = {
    whole: 0,
    left: 0,
    cut: 0,
    unanswered: 0,
    refused: 0,
    'not modified': 0,
    denied: 0,
  };
  /** Answers by status. */
  readonly statuses = new Map<number, number>();
  /** Faults by kind. */
  readonly faults = new Map<string, number>();
  /** Times that a kind of fault found nothing to harm. */
  readonly skipped = new Map<string, number>();
  /**
   * While there is a calm: requests begun in it that got less than they asked for, against the player's will, by what
   * they got.
   */
  calm: Map<string | number, number> | undefined;
  /** Requests by what the player was up to. */
  readonly behaviours = new Map<string, number>();
  /** Lines of the edge's log at the levels warn and error, by text. */
  readonly complaints = new Map<string, number>();
  requests = 0;
  bytesVerified = 0;
  wrongBytes = 0;
  hangs = 0;
  /** Processes that died by themselves. */
  crashes = 0;
  /**
   * Processes that touched pages of a damaged store and were ended by the kernel, as the design of the stores has it.
   */
  endedByDamage = 0;
  leakedProcesses = 0;
  /** Milliseconds from a fault, or from its end when it lasts, until a fresh request succeeded. */
  readonly recoveries: { readonly kind: string; readonly took: number }[] = [];
  /** What must not be; the first so many in words. */
  readonly violations: string[] = [];
  #violationCount = 0;

  get faultCount(): number {
    return [...this.faults.values()].reduce((sum, count) => sum + count, 0);
  }

  get violationCount(): number {
    return this.#violationCount;
  }

  violation(text: string): void {
    this.#violationCount++;
    if (this.violations.length < 20) this.violations.push(text);
  }
}

/** Adds one to a count of a map. */
export function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** The value that `share` of all values do not exceed; 0 of none. */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** The tally as a person reads it. */
export function report(tally: Tally): string {
  const list = (counts: Iterable<readonly [unknown, number]>) =>
    [...counts]
      .filter(([, times]) => times > 0)
      .map(([name, times]) => `${name} ${times}`)
      .join(', ') || 'none';
  const times = tally.recoveries.map(({ took }) => took);
  const kinds = [...new Set(tally.recoveries.map(({ kind }) => kind))].map(kind => {
    const own = tally.recoveries.filter(each => each.kind === kind).map(({ took }) => took);
    return `${kind} ${quantile(own, 0.5).toFixed(0)}/${Math.max(...own).toFixed(0)}`;
  });
  return [
    `requests           ${tally.requests} (${list(tally.behaviours)})`,
    `answers            ${list(Object.entries(tally.endings))}`,
    `statuses           ${list(tally.statuses)}`,
    `bytes verified     ${tally.bytesVerified} (${(tally.bytesVerified / 2 ** 30).toFixed(2)} GiB)`,
    `faults injected    ${tally.faultCount} (${list(tally.faults)})`,
    `faults skipped     ${list(tally.skipped)}`,
    `wrong bytes        ${tally.wrongBytes}`,
    `answers cut        ${tally.endings.cut}`,
    `hangs              ${tally.hangs}`,
    `crashes            ${tally.crashes} (besides ${tally.endedByDamage} ended by pages that a fault had damaged)`,
    `leaked processes   ${tally.leakedProcesses}`,
    `time to recover    p50 ${quantile(times, 0.5).toFixed(0)} ms, p99 ${quantile(times, 0.99).toFixed(0)} ms, max ${Math.max(0, ...times).toFixed(0)} ms`,
    `  p50/max in ms    ${kinds.join(', ')}`,
    `edge's complaints  ${list(tally.complaints)}`,
    `violations         ${tally.violationCount}`,
    ...tally.violations.map(text => `  ${text}`),
  ].join('\n');
}
