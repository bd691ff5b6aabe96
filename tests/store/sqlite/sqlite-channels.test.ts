import { expect, test } from 'vitest';
import { settle } from '../../support/waiting.ts';
import { Machine } from './processes-fixture.ts';
import type { Process } from './processes-fixture.ts';

function listen({ channels }: Process, name: string): { readonly heard: unknown[]; close(): void } {
  const heard: unknown[] = [];
  const channel = channels.openChannel(name);
  channel.addEventListener('message', ({ data }) => heard.push(data));
  return { heard, close: () => channel.close() };
}

test('a message reaches all other channels of its name, in this and in other processes', async () => {
  const machine = new Machine();
  const [one, other] = [machine.start(), machine.start()];
  const listeners = [listen(one, 'a'), listen(other, 'a'), listen(other, 'b')];
  const own = one.channels.openChannel('a');
  const ownHeard: unknown[] = [];
  own.addEventListener('message', ({ data }) => ownHeard.push(data));
  await machine.pass(300);
  const message = { bytes: Uint8Array.of(1), none: undefined };
  own.postMessage(message);
  own.postMessage('second');
  message.bytes[0] = 2;
  await machine.pass(50);
  const expected = [{ bytes: Uint8Array.of(1), none: undefined }, 'second'];
  expect(listeners.map(({ heard }) => heard)).toEqual([expected, expected, []]);
  expect(ownHeard).toEqual([]);
});

test('a channel hears nothing from before it was open, and nothing after it was closed', async () => {
  const machine = new Machine();
  const [one, other] = [machine.start(), machine.start()];
  const posting = one.channels.openChannel('a');
  const first = listen(other, 'a');
  await machine.pass(300);
  posting.postMessage('before');
  await machine.pass(50);
  first.close();
  const second = listen(other, 'a');
  await machine.pass(300);
  posting.postMessage('after');
  await machine.pass(50);
  expect([first.heard, second.heard]).toEqual([['before'], ['after']]);
});

test('what was said long ago is deleted', async () => {
  const machine = new Machine();
  const [one, other] = [machine.start(), machine.start()];
  const posting = one.channels.openChannel('a');
  listen(other, 'a');
  await machine.pass(300);
  for (let i = 0; i < 199; i++) posting.postMessage(i);
  await machine.pass(12_000);
  posting.postMessage('now');
  await settle();
  const [{ count }] = one.driver.all('SELECT count(*) AS count FROM tablog_message') as [
    { count: number },
  ];
  expect(count).toBe(1);
});

test('a process that is alone writes no messages', async () => {
  const machine = new Machine();
  const one = machine.start();
  const posting = one.channels.openChannel('a');
  await machine.pass(300);
  posting.postMessage('to nobody');
  await machine.pass(50);
  expect(one.driver.all('SELECT message FROM tablog_message')).toEqual([]);
});
