// A connector that delivers to a receiver in another runtime, and is taken over amid it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { json, openLog, topic } from 'tablog';
import { connect, httpSink } from 'tablog/connect';
import { inline } from 'tablog/inline';
import { startMiniflare } from '../objects/start-miniflare.mjs';

const SERVER = fileURLToPath(new URL('serve.mjs', import.meta.url));
const OBJECT = fileURLToPath(new URL('../objects/receiver.js', import.meta.url));
const RECORDS = 500;
const events = topic('events', { value: json() });

/** Delivers to a process of the runtime. */
export async function runReceiver({ command, args }) {
  const child = spawn(command, [...args, SERVER], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const lines = createInterface({ input: child.stdout });
    const [port] = await once(lines, 'line', { signal: AbortSignal.timeout(30_000) });
    return await deliver(`http://127.0.0.1:${port}`);
  } finally {
    child.kill('SIGKILL');
  }
}

/** Delivers to a Durable Object in workerd. */
export async function runReceiverObject() {
  const { url, stop } = await startMiniflare(OBJECT, { RECEIVED: 'Received' });
  try {
    return await deliver(url);
  } finally {
    await stop();
  }
}

async function deliver(url) {
  const log = await openLog('shop', { host: inline({ storage: 'memory' }) });
  await log.admin.createTopics([events]);
  const producer = log.producer();
  const expected = [];
  for (const compression of ['none', 'gzip']) {
    const values = Array.from({ length: RECORDS }, (_, n) => `${compression} ${n}`);
    expected.push(...values);
    await producer.sendBatch(
      events,
      values.map((value) => ({ value })),
    );
    const sink = httpSink({ url: `${url}/events`, receiver: true, compression });
    const connector = connect(log, { name: 'server', topics: [events], sink, maxRecords: 100 });
    await connector.drain();
    await connector.close();
  }
  await log.close();
  assert.deepEqual(await (await fetch(`${url}/stored`)).json(), expected);
  return `${expected.length} records, each once`;
}
