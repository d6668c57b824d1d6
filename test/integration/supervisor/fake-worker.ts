/**
 * A worker that answers every path with its generation and index, for tests of the supervisor. Special paths: `/told`
 * answers with what a service has told, `/slow?ms=N` answers late, `/crash` throws, `/hang` blocks the event loop. The
 * name of its first origin says how it fails: `refuse-start`, `crash-start`.
 */

import type { EdgeEvents } from '../../../src/app/services/edge-events.js';
import { EdgeError } from '../../../src/base/errors.js';
import { native } from '../../../src/base/native.js';
import type { Config } from '../../../src/config/schema.js';
import { App, closeListenSocket, type us_listen_socket } from '../../../src/http/uws.js';
import { Metrics } from '../../../src/observe/metrics.js';
import { quiesceListener } from '../../../src/supervisor/listener.js';
import { runWorker } from '../../../src/supervisor/worker-link.js';

runWorker<Config, EdgeEvents>({
  async start(config, { index, workers, generation, log, on }) {
    let epoch = 0;
    on('clusterState', state => {
      epoch = state.epoch;
    });
    const [origin] = config.origins;
    if (origin?.name === 'refuse-start') throw new EdgeError('cache_file', 'expected a better day to start');
    if (origin?.name === 'crash-start') process.exit(3);
    const { host, port } = config.listen[0]!;
    const app = App();
    const metrics = new Metrics();
    let requests = 0;
    let open = 0;
    let drained = () => {};
    metrics.counter('moovedge_http_requests_total', () => [[{ status: 200, outcome: 'memory' }, requests]]);
    metrics.gauge('moovedge_http_open_responses', () => open);
    const ttfb = metrics.histogram('moovedge_http_ttfb_seconds');

    let draining = false;
    app.any('/*', (res, req) => {
      requests++;
      ttfb(0.001);
      const url = req.getUrl();
      if (url === '/crash') setImmediate(() => Promise.reject(new Error('told to crash')));
      if (url === '/hang') for (;;);
      const wait = Number(req.getQuery('ms') ?? 0);
      let gone = false;
      open++;
      res.onAborted(() => {
        gone = true;
        open--;
      });
      const answer = () => {
        if (gone) return;
        open--;
        const text = url === '/told' ? `${process.pid} ${epoch}` : `${generation}/${index}/${process.pid}`;
        res.cork(() => res.end(text, draining));
        if (draining && open === 0) drained();
      };
      if (wait > 0) setTimeout(answer, wait);
      else answer();
    });
    const socket = await new Promise<us_listen_socket | false>(resolve => app.listen(host, port, resolve));
    if (socket === false) throw new EdgeError('bad_config', `can't listen on port ${port}`);

    return {
      async drain(deadline) {
        if (draining) return;
        await quiesceListener(port, workers, native, [host]);
        closeListenSocket(socket);
        draining = true;
        if (open > 0) {
          await new Promise<void>(resolve => {
            drained = resolve;
            setTimeout(resolve, deadline);
          });
        }
        app.close();
      },
      metrics: () => metrics.snapshot(),
      stats: () => ({ requests, index }),
      reopenLogs: () => log.info({}, 'logs reopened'),
    };
  },
});
