import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/**
 * The next message of a child process.
 * @throws Error when the process ends instead: a message of it would be waited for without end
 */
export async function told<T>(child: ChildProcess): Promise<T> {
  const settled = new AbortController();
  const { signal } = settled;
  const ended = once(child, 'exit', { signal }).then(([code, killedBy]) => {
    throw new Error(`${child.spawnargs.slice(1).join(' ')} ended by itself: ${killedBy ?? `code ${code}`}`);
  });
  try {
    const [message] = await Promise.race([once(child, 'message', { signal }), ended]);
    return message as T;
  } finally {
    ended.catch(() => undefined);
    settled.abort();
  }
}
