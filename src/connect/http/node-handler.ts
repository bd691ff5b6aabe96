/** What is used of an `IncomingMessage` of `node:http`. */
export interface NodeRequest extends AsyncIterable<Uint8Array> {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Whether the body was read already. */
  readonly readableEnded?: boolean;
}

/** What is used of a `ServerResponse`. */
export interface NodeResponse {
  writeHead(status: number, headers: Readonly<Record<string, string>>): unknown;
  end(body: Uint8Array): unknown;
  destroy(): unknown;
}

/**
 * Makes a listener of `node:http` and of frameworks with its requests (Express, Fastify's `raw`) of a
 * handler of web requests: `createServer(nodeHandler(receiver({ … })))`.
 */
export function nodeHandler(
  handle: (request: Request) => Promise<Response>,
): (request: NodeRequest, response: NodeResponse) => void {
  const answer = async (request: NodeRequest, response: NodeResponse): Promise<void> => {
    if (request.readableEnded === true) {
      // As by `express.json()`: each request would be one without records.
      response.writeHead(500, {});
      response.end(
        new TextEncoder().encode('the body was read already: mount nodeHandler() before'),
      );
      return;
    }
    const answered = await handle(webRequest(request));
    const body = new Uint8Array(await answered.arrayBuffer());
    response.writeHead(answered.status, Object.fromEntries(answered.headers));
    response.end(body);
  };
  return (request, response) => {
    // A connection that broke amid the body: nobody waits for the answer.
    answer(request, response).catch(() => response.destroy());
  };
}

function webRequest(request: NodeRequest): Request {
  const { method = 'GET', url = '/', headers } = request;
  const { host = 'localhost' } = headers;
  const hasBody = method !== 'GET' && method !== 'HEAD';
  const init = {
    method,
    headers: Object.entries(headers).flatMap(([name, value]): [string, string][] => {
      // Of a name that HTTP/2 has for itself there is no header.
      if (value === undefined || name.startsWith(':')) return [];
      return [[name, typeof value === 'string' ? value : value.join(', ')]];
    }),
    ...(hasBody && { body: streamOf(request), duplex: 'half' }),
  };
  return new Request(new URL(url, `http://${String(host)}`), init);
}

function streamOf(chunks: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const next = await iterator.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}
