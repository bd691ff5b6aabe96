import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DemoServer } from '../../demo/server/demo-server.ts';
import { TAB_HEADER } from '../../demo/server/protocol.ts';
import type { ServerState } from '../../demo/server/protocol.ts';
import { batchHeaders, sourceHeaders } from '../../src/connect/http/http-protocol.ts';
import type { SinkBatch, SinkSource } from '../../src/connect/sink/sink.ts';

const source: SinkSource = {
  id: 'server/topic-id/2',
  connector: 'server',
  log: 'demo',
  topic: 'github-events',
  partition: 2,
};

let url: string;
let close: () => void;

beforeEach(async () => {
  const demo = new DemoServer();
  const server = createServer((request, response) => {
    const listen = request.url!.startsWith('/state') ? demo.control : demo.receive;
    listen(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  close = () => {
    server.closeAllConnections();
    server.close();
  };
});
afterEach(() => close());

const batch = (from: number, to: number): SinkBatch => ({
  source,
  from,
  to,
  records: Array.from({ length: to - from }, (_, i) => ({
    id: `topic-id/2/${from + i}`,
    topic: source.topic,
    offset: from + i,
    timestamp: 0,
    key: null,
    value: null,
    headers: [],
  })),
});

const put = (from: number, to: number): Promise<Response> => {
  const sent = batch(from, to);
  return fetch(url, {
    method: 'POST',
    headers: {
      ...batchHeaders(sent),
      [TAB_HEADER]: 'siskin',
      'content-type': 'application/json',
    },
    body: JSON.stringify(sent.records),
  });
};

const state = async (init: RequestInit = {}): Promise<ServerState> => {
  const answer = await fetch(`${url}/state?topic=topic-id`, init);
  return (await answer.json()) as ServerState;
};

const behave = (behaviour: unknown): Promise<ServerState> =>
  state({ method: 'PUT', body: JSON.stringify(behaviour) });

test('counts records by partition and tab, each once', async () => {
  expect((await state()).partitions).toEqual([]);
  await put(5, 8);
  await put(5, 10);
  expect((await state()).partitions).toEqual([
    { partition: 2, first: 5, position: 10, records: 5, doubled: 0, byTab: { siskin: 5 } },
  ]);
});

test('says 503, and stores nothing', async () => {
  expect((await behave('unavailable')).behaviour).toBe('unavailable');
  expect((await put(0, 3)).status).toBe(503);
  expect((await state()).partitions).toEqual([]);
});

test('is silent, until it is told otherwise', async () => {
  await behave('silent');
  const answered = put(0, 3);
  expect((await state()).partitions).toEqual([]);
  await behave('normal');
  expect((await answered).status).toBe(200);
});

test('loses the answer to what it has stored, and tells its position all the same', async () => {
  await behave('losesAnswers');
  await expect(put(0, 3)).rejects.toThrow('fetch failed');
  const answer = await fetch(url, { headers: sourceHeaders(source) });
  expect(answer.headers.get('tablog-position')).toBe('3');
  expect((await state()).partitions).toMatchObject([{ records: 3, doubled: 0 }]);
});

test('keeps its behaviour where it is told another one that it does not know', async () => {
  await behave('unavailable');
  await behave('on fire');
  expect((await state()).behaviour).toBe('unavailable');
});
