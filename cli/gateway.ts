// `npx tablog gateway`: Kafka, for pages.
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { parseArgs } from 'node:util';
import { kafkaGateway, nodeHandler } from 'tablog/gateway';
import type { KafkaClient, KafkaGateway, MirrorSocket } from 'tablog/gateway';
import { InputError, fail } from './fail.ts';

const USAGE = `tablog gateway [options]

Takes what httpSink({ url, receiver: true }) of pages delivers into topics of Kafka, each record once, and
sends topics to mirrors in pages, followMirror(). Needs KafkaJS, and 'ws' for mirrors: npm install kafkajs ws

  --bootstrap-server HOST:PORT   a broker of Kafka; several, separated by commas
  --topic T        a topic that may be written to; may be given several times
  --mirror T       a topic that may be mirrored; may be given several times
  --origin URL     whose pages may use it; may be given several times
  --host H         default 127.0.0.1, as TLS is for a server in front of it
  --port N         default 8080
  --allow-anonymous              otherwise TABLOG_GATEWAY_TOKEN has the token that requests bring, as
                                 'Authorization: Bearer …', or a socket as '&token=…'
  --positions-topic T            default tablog-positions

Users of your own, and TLS and SASL to Kafka: kafkaGateway() of 'tablog/gateway', in a server of yours.
`;

interface Options {
  readonly brokers: readonly string[];
  readonly topics: readonly string[];
  readonly mirrors: readonly string[];
  readonly origins: readonly string[];
  readonly host: string;
  readonly port: number;
  /** `undefined`: everybody may use the gateway. */
  readonly token: string | undefined;
  readonly positionsTopic: string | undefined;
}

/** Runs until a signal ends it; resolves to the exit code. */
export async function gateway(args: readonly string[]): Promise<number> {
  const options = parse(args);
  if (options === undefined) {
    process.stdout.write(USAGE);
    return 0;
  }
  const { brokers, topics, mirrors, origins, host, port, token, positionsTopic } = options;
  const kafka = await kafkaOf(brokers);
  const running = checked(() =>
    kafkaGateway({
      kafka,
      topics,
      mirrors,
      origins,
      authorize: token === undefined ? 'everybody' : (request) => userOf(request, token),
      ...(positionsTopic !== undefined && { positionsTopic }),
    }),
  );
  await running.ready().catch((error: unknown) => {
    throw new InputError(
      `no answer from Kafka at ${brokers.join()} (--bootstrap-server): ${(error as Error).message.split('\n')[0]}`,
    );
  });
  const server = createServer(nodeHandler(running.handle));
  if (mirrors.length > 0) await serveMirrors(server, running);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const missing = await running.missingTopics();
  if (missing.length > 0) {
    const names = missing.join(', ');
    process.stderr.write(`tablog gateway: Kafka has no ${names} yet: what is for them waits\n`);
  }
  process.stdout.write(`tablog gateway: http://${host}:${port}, to Kafka at ${brokers.join()}\n`);
  await new Promise<void>((resolve) => {
    for (const stop of ['SIGINT', 'SIGTERM'] as const) process.once(stop, () => resolve());
  });
  server.closeAllConnections();
  server.close();
  await running.close(); // and with it the sockets of mirrors
  return 0;
}

function parse(args: readonly string[]): Options | undefined {
  const many = { type: 'string', multiple: true } as const;
  const { values } = checked(() =>
    parseArgs({
      args: [...args],
      options: {
        'bootstrap-server': many,
        topic: many,
        mirror: many,
        origin: many,
        host: { type: 'string', default: '127.0.0.1' },
        port: { type: 'string', default: '8080' },
        'allow-anonymous': { type: 'boolean', default: false },
        'positions-topic': { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }),
  );
  if (values.help) return undefined;
  const brokers = (values['bootstrap-server'] ?? []).flatMap((each) => each.split(','));
  const { topic: topics = [], mirror: mirrors = [], origin: origins = [], host } = values;
  if (brokers.length === 0) fail('gateway needs --bootstrap-server; see tablog gateway --help');
  if (topics.length + mirrors.length === 0) {
    fail('gateway needs a --topic or a --mirror: no topic is open by itself');
  }
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    fail(`--port must be from 1 to 65535, got '${values.port}'`);
  }
  const { TABLOG_GATEWAY_TOKEN: token } = process.env;
  const isOpen = values['allow-anonymous'];
  if ((token === undefined || token === '') !== isOpen) {
    fail(
      isOpen
        ? '--allow-anonymous and TABLOG_GATEWAY_TOKEN exclude each other'
        : 'gateway needs TABLOG_GATEWAY_TOKEN in its environment, or --allow-anonymous',
    );
  }
  const positionsTopic = values['positions-topic'];
  return {
    brokers,
    topics,
    mirrors,
    origins,
    host,
    port,
    token: isOpen ? undefined : token,
    positionsTopic,
  };
}

function checked<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    return fail(`${(error as Error).message}; see tablog gateway --help`);
  }
}

/** A browser's socket has no headers of its own: its token is in the URL. */
function userOf(request: Request, token: string): { user: string } | null {
  const given =
    request.headers.get('authorization') ?? new URL(request.url).searchParams.get('token');
  const isKnown = given !== null && isSame(given.replace(/^Bearer /, ''), token);
  return isKnown ? { user: 'token' } : null;
}

/** Compares in a time that tells nothing of where they differ. */
function isSame(given: string, token: string): boolean {
  const [one, other] = [given, token].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(one!, other!);
}

async function kafkaOf(brokers: readonly string[]): Promise<KafkaClient> {
  const { Kafka, logLevel } = await loaded('kafkajs', () => import('kafkajs'));
  return new Kafka({
    clientId: 'tablog-gateway',
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
  });
}

async function serveMirrors(
  server: ReturnType<typeof createServer>,
  running: KafkaGateway,
): Promise<void> {
  const { WebSocketServer } = await loaded('ws', () => import('ws'));
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on('error', () => {}); // a connection that breaks
    const asked = webRequest(request);
    if (asked === undefined) {
      stream.end('HTTP/1.1 400 Bad Request\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, stream, head, (socket) => {
      socket.on('error', () => {}); // a bad frame: the socket closes
      void running.mirror(socket as unknown as MirrorSocket, asked);
    });
  });
}

/** `undefined` where the target or the host are none. */
function webRequest({ url = '/', headers }: IncomingMessage): Request | undefined {
  const { host = 'localhost', origin } = headers;
  const given = { host, ...(origin !== undefined && { origin }) };
  try {
    return new Request(new URL(url, `http://${host}`), { headers: given });
  } catch {
    return undefined;
  }
}

async function loaded<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if ((error as { readonly code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    return fail(`gateway needs the package '${name}': npm install ${name}`);
  }
}
