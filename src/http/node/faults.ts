/** Statuses of requests that are wrong in themselves. */
const FAULTS: ReadonlySet<number> = new Set([400, 405, 414]);
/** So many of them end a connection, as at the gate. */
const FAULTS_MAX = 8;

/** Counts what is wrong on a connection. */
export class Faults {
  #count = 0;

  /**
   * Counts an answer; whether the connection has had enough of wrong requests with it.
   * @param isPassedOn the request is that of one of many clients of a proxy
   */
  isEnough(status: number, isPassedOn: boolean): boolean {
    return FAULTS.has(status) && !isPassedOn && ++this.#count >= FAULTS_MAX;
  }
}
