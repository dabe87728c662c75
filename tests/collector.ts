import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The numbers of span kinds in OTLP. */
export const SPAN_KIND = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const;

/** A span as it was exported. */
export interface ExportedSpan {
  readonly service: string;
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  /** Undefined for the first span of a trace. */
  readonly parentSpanId?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

type Attributes = { key: string; value: Record<string, unknown> }[];
type OtlpSpan = Omit<ExportedSpan, 'service' | 'attributes'> & { attributes: Attributes };
interface TraceExport {
  readonly resourceSpans: { resource: { attributes: Attributes }; scopeSpans: { spans: OtlpSpan[] }[] }[];
}

const flat = (attributes: Attributes) => Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

function spansOf(body: string): ExportedSpan[] {
  return (JSON.parse(body) as TraceExport).resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(flat(resource.attributes)['service.name']);
    return scopeSpans.flatMap(({ spans }) => spans.map((span) => ({ ...span, service, attributes: flat(span.attributes) })));
  });
}

/** Receives the spans that OpenTelemetry exports over HTTP as JSON, and keeps all of them. */
export class SpanCollector {
  readonly requests: { readonly path: string; readonly body: string }[] = [];
  readonly spans: ExportedSpan[] = [];
  readonly #server = createServer(async (request: IncomingMessage, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const path = request.url ?? '';
    this.requests.push({ path, body });
    if (path === '/v1/traces') this.spans.push(...spansOf(body));
    response.setHeader('content-type', 'application/json').end('{}');
  });

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Returns all spans of a trace that have arrived. */
  trace(traceId: string): ExportedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
