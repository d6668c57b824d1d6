import { type Context, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { parseTraceParent } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { Followed } from '../base/cause.js';
import type { AccessEntry } from './access-entry.js';
import type { RequestSpan, Tracing } from './request-span.js';

/** How traces are collected. */
export interface TracingOptions {
  /** URL of a collector that takes OTLP over HTTP. */
  readonly endpoint: string;
  /** Fields of requests to it. */
  readonly headers: Readonly<Record<string, string>>;
  /** Share of the requests that are followed, of those that no trusted hop before has decided on; from 0 to 1. */
  readonly sample: number;
  /** `service.name` of the resource. */
  readonly service: string;
  readonly version: string;
  /** `service.instance.id` of the resource. */
  readonly instance: string;
}

/** Spans that wait for the collector; of more the newest are dropped. */
const QUEUE = 2048;
/** Spans of one request to the collector, milliseconds between two, and for one. */
const BATCH = 256;
const INTERVAL = 2000;
const TIMEOUT = 5000;

/** Collects traces by OpenTelemetry. Names of attributes are those of its semantic conventions for HTTP. */
export class OtlpTracing implements Tracing {
  readonly #provider: BasicTracerProvider;
  readonly #share: number;

  constructor({ endpoint, headers, sample, service, version, instance }: TracingOptions) {
    this.#share = sample;
    const exporter = new OTLPTraceExporter({ url: endpoint, headers: { ...headers }, timeoutMillis: TIMEOUT });
    const batches = { maxQueueSize: QUEUE, maxExportBatchSize: BATCH, scheduledDelayMillis: INTERVAL };
    this.#provider = new BasicTracerProvider({
      resource: resourceFromAttributes({
        'service.name': service,
        'service.version': version,
        'service.instance.id': instance,
      }),
      spanProcessors: [new BatchSpanProcessor(exporter, { ...batches, exportTimeoutMillis: TIMEOUT })],
    });
  }

  begin(method: string, parent: string): RequestSpan | undefined {
    const before = parent === '' ? null : parseTraceParent(parent);
    const isFollowed =
      before === null ? Math.random() < this.#share : (before.traceFlags & TraceFlags.SAMPLED) === TraceFlags.SAMPLED;
    if (!isFollowed) return undefined;
    const context = before === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { ...before, isRemote: true });
    const tracer = this.#provider.getTracer('moovedge');
    const span = tracer.startSpan(method, { kind: SpanKind.SERVER, root: before === null }, context);
    span.setAttribute('http.request.method', method);
    return new FollowedRequest(span, (name, kind, under) => tracer.startSpan(name, { kind }, under));
  }

  /** Sends what waits, for the moment before the process ends. */
  async close(): Promise<void> {
    await this.#provider.shutdown().catch(() => {});
  }
}

class FollowedRequest implements RequestSpan {
  readonly #span: Span;
  readonly #start: (name: string, kind: SpanKind, under: Context) => Span;

  constructor(span: Span, start: (name: string, kind: SpanKind, under: Context) => Span) {
    this.#span = span;
    this.#start = start;
  }

  get traceparent(): string {
    return traceparentOf(this.#span);
  }

  follow(to: string, url: string): Followed {
    const span = this.#start('GET', SpanKind.CLIENT, trace.setSpan(ROOT_CONTEXT, this.#span));
    span.setAttributes({ 'http.request.method': 'GET', 'url.full': url, 'moovedge.origin': to });
    return {
      traceparent: traceparentOf(span),
      answered: outcome => {
        if (typeof outcome === 'number') span.setAttribute('http.response.status_code', outcome);
        const isError = typeof outcome === 'string' || outcome >= 400;
        if (isError) span.setAttribute('error.type', String(outcome));
        if (isError) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      },
    };
  }

  end({ status, bytes, outcome, origin, error, id, host, url, route, client, agent }: AccessEntry): void {
    const span = this.#span;
    span.setAttributes({
      'http.response.status_code': status,
      'http.response.body.size': bytes,
      'client.address': client,
      'server.address': host.replace(/:\d*$/, ''),
      // There may be tokens in the query.
      'url.path': url.split('?', 1)[0]!,
      'moovedge.request.id': id,
    });
    const known = {
      'http.route': route,
      'user_agent.original': agent,
      'moovedge.cache.outcome': outcome,
      'moovedge.origin': origin,
    };
    for (const [name, value] of Object.entries(known)) if (value !== undefined) span.setAttribute(name, value);
    if (error !== undefined) span.setAttribute('error.type', error.split(':', 1)[0]!);
    // What a client did wrong is no error of the server's (semantic conventions for HTTP spans).
    if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR, ...(error !== undefined && { message: error }) });
    span.end();
  }
}

function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}
