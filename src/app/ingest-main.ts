import { ignoreStopSignals, parentLog, tellParent } from '../supervisor/parent.js';
import { Ingest } from './services/ingest.js';
import type { IngestOrder, IngestReport } from './services/ingest-process.js';
import { LivePeers } from './services/live-peers.js';

/* The process that takes streams from publishers: see ingest-process.ts. It ends when its parent does. */

const REPORT_INTERVAL = 1000;
/** Milliseconds between tries to listen, when another process has the port still. */
const LISTEN_RETRY = 1000;

let ingest: Ingest | undefined;
let isEnding = false;
/** Those who wait to be told whether a name may be published here, by numbers. */
const taking = new Map<number, (keeper: string | undefined) => void>();
let takes = 0;

const report: (message: IngestReport) => void = message => tellParent(message);
const log = parentLog();

async function start({
  settings,
  folder,
  self,
  cluster,
  peers,
  isRestart,
}: IngestOrder & { kind: 'start' }): Promise<void> {
  const known = cluster && (await LivePeers.make(cluster, peers));
  ingest = new Ingest(settings, folder, { self, peers: known }, log, {
    changed: streams => report({ kind: 'streams', streams }),
    missing: name => report({ kind: 'missing', name }),
    names: (names, all) => report({ kind: 'names', names, all }),
    drop: name => report({ kind: 'drop', name }),
    take: (name, replaces) => {
      report({ kind: 'take', number: ++takes, name, replaces });
      return new Promise(resolve => taking.set(takes, resolve));
    },
  });
  for (;;) {
    try {
      await ingest.listen();
      report({ kind: 'ready' });
      return;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (!isRestart) report({ kind: 'failed', code: code ?? '', message });
      if (!isRestart || isEnding) return;
      log.error({ error }, 'the RTMP port can not be listened on; it is tried again');
    }
    await new Promise(resolve => setTimeout(resolve, LISTEN_RETRY));
  }
}

async function configure(order: IngestOrder & { kind: 'configure' }): Promise<void> {
  try {
    await ingest?.configure(order.settings);
  } catch (error) {
    log.error({ error }, 'the RTMP port can not be changed by this reload; publishers can not connect');
  }
}

/** Lets go of everything, and tells so: the parent closes the channel then, which ends this process. */
async function end(how: 'end' | 'leave'): Promise<void> {
  if (isEnding) return;
  isEnding = true;
  await ingest?.stop(how);
  if (process.connected) process.disconnect();
  process.exit();
}

process.on('message', message => {
  const order = message as IngestOrder;
  if (order.kind === 'start') void start(order);
  else if (order.kind === 'configure') void configure(order);
  else if (order.kind === 'want') ingest?.want(order.streams);
  else if (order.kind === 'peers') ingest?.tellPeers(order.peers);
  else if (order.kind === 'lose') ingest?.lose(order.name);
  else if (order.kind === 'taken') {
    taking.get(order.number)?.(order.keeper);
    taking.delete(order.number);
  } else if (order.kind === 'reconnect') ingest?.requestReconnects();
  else void end(order.how);
});

// Without its parent it leaves the streams to the next one: those who watch wait for their publishers meanwhile.
process.once('disconnect', () => void end('leave'));
ignoreStopSignals();
setInterval(() => {
  if (ingest !== undefined) report({ kind: 'stats', stats: ingest.stats });
}, REPORT_INTERVAL);
report({ kind: 'here' });
