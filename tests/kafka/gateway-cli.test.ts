import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { freePort } from '../support/ports.ts';
import { kafkaAt, newTopic, useKafka } from './kafka-fixture.ts';

const broker = useKafka();
const TABLOG = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const TOKEN = 'secret';

/** `told`: what it has written to the standard error. */
async function started(
  ...mirrors: readonly string[]
): Promise<{ port: number; child: ChildProcess; told: () => string }> {
  const port = await freePort();
  const { address } = broker();
  const asked = mirrors.flatMap((mirror) => ['--mirror', mirror]);
  const args = ['--bootstrap-server', address, ...asked, '--port', String(port)];
  const child = spawn('node', [TABLOG, 'gateway', ...args], {
    env: { ...process.env, TABLOG_GATEWAY_TOKEN: TOKEN },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let told = '';
  child.stderr.on('data', (text) => (told += String(text)));
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
  expect(String(line)).toContain(`http://127.0.0.1:${port}`);
  return { port, child, told: () => told };
}

/** Writes to a connection, and to its answer where that is asked for, until the server ends it. */
async function say(port: number, text: string, answer?: Uint8Array): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {}); // the server may break it off
  await once(socket, 'connect');
  socket.write(text);
  if (answer !== undefined) {
    await once(socket, 'data');
    socket.write(answer);
  }
  socket.resume();
  await once(socket, 'close');
}

function upgrade(target: string, host: string, headers: readonly string[] = []): string {
  const lines = [
    `GET ${target} HTTP/1.1`,
    `Host: ${host}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** A close frame of a client, masked by nothing. */
const CLOSE = Uint8Array.of(0x88, 0x80, 0, 0, 0, 0);

test('topics that Kafka has not are told at the start', async () => {
  const topic = await newTopic(kafkaAt(broker()));
  const { told } = await started(topic, 'nowhere', 'elsewhere');
  expect(told()).toBe(
    'tablog gateway: Kafka has no nowhere, elsewhere yet: what is for them waits\n',
  );
});

test('the command goes on, whatever is said to it, and ends with its mirrors', async () => {
  const topic = await newTopic(kafkaAt(broker()));
  const { port, child, told } = await started(topic);
  await say(port, upgrade('/?topic=x', '['));
  await say(port, upgrade('//', 'localhost'));
  const reserved = Uint8Array.of(0xf1, 0x80, 0, 0, 0, 0);
  await say(port, upgrade('/?topic=x', 'localhost'), reserved);
  const euros = encodeURIComponent('€'.repeat(90));
  await say(port, upgrade(`/?token=${TOKEN}&topic=${euros}`, 'localhost'), CLOSE);
  const sandboxed = ['Origin: null'];
  await say(port, upgrade(`/?token=${TOKEN}&topic=${topic}`, 'localhost', sandboxed), CLOSE);

  const socket = new WebSocket(`ws://127.0.0.1:${port}/?token=${TOKEN}&topic=${topic}`);
  await once(socket, 'open');
  await once(socket, 'message'); // it asks for the position
  child.kill('SIGTERM');
  const [[code], [closed]] = await Promise.all([once(child, 'exit'), once(socket, 'close')]);
  expect(told()).toBe('');
  expect(code).toBe(0);
  expect(closed).toBe(1001);
});

test.each([
  [[], 'gateway needs --bootstrap-server'],
  [['--bootstrap-server', 'a:1'], 'gateway needs a --topic or a --mirror'],
  [['--bootstrap-server', 'a:1', '--topic', 't'], 'gateway needs TABLOG_GATEWAY_TOKEN'],
  [
    ['--bootstrap-server', 'a:1', '--topic', 't', '--allow-anonymous', '--port', '0'],
    '--port must',
  ],
  [['--bootstrap-server', 'a:1', '--topics', 't'], "Unknown option '--topics'"],
  [
    ['--bootstrap-server', 'a:1', '--topic', 't', '--allow-anonymous', '--origin', 'http://x/'],
    'each of origins must be',
  ],
])('a wrong command line is told: %j', (args, message) => {
  const env = { ...process.env, TABLOG_GATEWAY_TOKEN: '' };
  const { status, stderr } = spawnSync('node', [TABLOG, 'gateway', ...args], { env });
  expect([status, String(stderr)]).toEqual([2, expect.stringContaining(message)]);
  expect(String(stderr)).not.toContain('\n    at ');
});
