import { describe, expect, onTestFinished, test } from 'vitest';
import type { Connector } from '../../src/connect.ts';
import { json, topic } from '../../src/index.ts';
import type { Log, Message, TopicLike } from '../../src/index.ts';
import {
  connectMirror,
  describeMirrors,
  followMirror,
  promoteMirrors,
  serveMirror,
} from '../../src/mirror.ts';
import type { ConnectMirrorOptions, MirrorPort, ServeMirrorOptions } from '../../src/mirror.ts';
import { pack, unpack } from '../../src/connect/mirror/mirror-protocol.ts';
import { Random } from '../checker/random.ts';
import { logWith, openTab, openTwoTabs, readAll, take, texts } from '../support/log-fixture.ts';
import { eventually } from '../support/waiting.ts';

/** A log with mirrors, which each call of `dial` serves over another port. */
class Far {
  readonly log: Log;
  readonly options: ServeMirrorOptions;
  /** What becomes of the next messages, in order; then each arrives. */
  readonly faults: ('lost' | 'answerLost' | 'cut')[] = [];
  dials = 0;

  constructor(log: Log, options: ServeMirrorOptions = {}) {
    this.log = log;
    this.options = options;
  }

  /** Opens a port whose other end is served; faults cut it. */
  readonly dial = (): MirrorPort => {
    this.dials++;
    const { port1, port2 } = new MessageChannel();
    const server = serveMirror(this.log, port2, this.options);
    onTestFinished(async () => {
      await server.close();
      port1.close();
    });
    const ended = new EventTarget();
    let isDeaf = false;
    return {
      postMessage: (message) => {
        const fault = this.faults.shift();
        if (fault === 'cut') {
          ended.dispatchEvent(new Event('close'));
          isDeaf = true;
        } else if (fault !== 'lost') {
          isDeaf ||= fault === 'answerLost';
          port1.postMessage(message);
        }
        if (fault === 'answerLost') ended.dispatchEvent(new Event('close'));
      },
      addEventListener: (type, listener) => {
        if (type === 'message') {
          port1.addEventListener('message', (event) => {
            if (!isDeaf) listener(event);
          });
        } else ended.addEventListener(type, listener);
      },
      removeEventListener: () => {},
      start: () => port1.start(),
    };
  };
}

function mirrored(
  log: Log,
  port: ConnectMirrorOptions['port'],
  topics: readonly TopicLike[] = ['t'],
  options: Partial<ConnectMirrorOptions> = {},
): Connector {
  const connector = connectMirror(log, {
    name: 'copy',
    topics,
    port,
    timeoutMs: 200,
    backoffMs: 5,
    maxBackoffMs: 20,
    ...options,
  });
  onTestFinished(() => connector.close());
  return connector;
}

async function send(log: Log, from: number, to: number): Promise<void> {
  const values = Array.from({ length: to - from }, (_, i) => ({ value: String(from + i) }));
  await log.producer().sendBatch('t', values);
}

function upTo(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i));
}

describe('a mirror', () => {
  test('has each record at its offset, as it was', async () => {
    const typed = topic('t', { value: json<{ n: number }>(), partitions: 3 });
    const log = await logWith(typed);
    const records = Array.from({ length: 50 }, (_, n) => ({
      key: `key ${n % 7}`,
      value: n % 5 === 0 ? null : { n },
      headers: { trace: new Uint8Array([n]) },
      timestamp: 1_000 + n,
    }));
    await log.producer().sendBatch(typed, records);
    const far = new Far(await openTab());
    await mirrored(log, far.dial, [typed]).drain();
    const [here, there] = await Promise.all([readAll(log, 't'), readAll(far.log, 't')]);
    // The mirror has an id of its own.
    const parts = (messages: readonly Message[]): object[] =>
      messages.map(({ partition, offset, timestamp, key, value, headers }) => {
        return { partition, offset, timestamp, key, value, headers };
      });
    expect(parts(there)).toEqual(parts(here));
    expect(there).toHaveLength(50);
  });

  test('begins where the log does, and has the gaps that the log has', async () => {
    const compacted = topic('t', { cleanup: 'compact' });
    const log = await logWith(compacted);
    await log.producer().sendBatch(
      't',
      Array.from({ length: 20 }, (_, i) => ({ key: `${i % 4}`, value: String(i) })),
    );
    await log.admin.deleteRecords([{ topic: 't', partition: 0, before: 5 }]);
    const far = new Far(await openTab());
    const connector = mirrored(log, far.dial);
    await connector.drain();
    expect((await connector.status()).lost).toBe(5);
    const there = await take(far.log.consumer({ topics: ['t'], from: 'earliest' }), 15);
    expect(there.map(({ offset }) => offset)).toEqual(Array.from({ length: 15 }, (_, i) => i + 5));
    expect(texts(there)).toEqual(upTo(20).slice(5));
  });

  test('is read only, until it is promoted; then the source stops', async () => {
    const log = await logWith('t');
    await send(log, 0, 10);
    const far = new Far(await openTab());
    const connector = mirrored(log, far.dial);
    await connector.drain();
    await expect(far.log.producer().send('t', { value: 'x' })).rejects.toMatchObject({
      code: 'TOPIC_READ_ONLY',
    });
    const [{ id }] = await log.admin.describeTopics(['t']);
    const partition = { partition: 0, endOffset: 10, sourceEndOffset: 10 };
    const expected = [{ topic: 't', mirrorOf: id, partitions: [partition] }];
    expect(await describeMirrors(far.log)).toMatchObject(expected);
    expect(await promoteMirrors(far.log, ['t'])).toMatchObject(expected);
    expect(await far.log.producer().send('t', { value: 'x' })).toMatchObject({ offset: 10 });
    await send(log, 10, 11);
    await eventually(async () => (await connector.status()).state === 'failed');
    expect((await connector.status()).error?.message).toContain("the mirror of 't' was promoted");
    expect(texts(await readAll(far.log, 't'))).toEqual([...upTo(10), 'x']);
    await expect(promoteMirrors(far.log, ['t'])).rejects.toThrow("the topic 't' is no mirror");
  });

  test('says how much it is short of', async () => {
    const log = await logWith('t');
    await send(log, 0, 10);
    const far = new Far(await openTab());
    const connector = mirrored(log, far.dial);
    await connector.drain();
    await connector.close();
    await send(log, 10, 15);
    const gone = new Far(far.log);
    gone.faults.push('cut', 'cut');
    const again = mirrored(log, gone.dial, ['t'], { timeoutMs: 5, maxBackoffMs: 60_000 });
    // The position is asked for, and the records themselves are lost on their way.
    await eventually(() => gone.dials >= 3);
    await again.close();
    const [mirror] = await describeMirrors(far.log);
    expect(mirror!.partitions).toMatchObject([{ partition: 0, sourceEndOffset: 15 }]);
  });

  test('of another log is refused, and of one that was lost and began anew', async () => {
    const far = new Far(await openTab());
    const log = await logWith('t');
    await send(log, 0, 3);
    await mirrored(log, far.dial).drain();
    const anew = await logWith('t');
    for (let i = 0; i < 5; i++) await anew.producer().send('t', { value: `new ${i}` });
    const connector = mirrored(anew, far.dial);
    await eventually(async () => (await connector.status()).state === 'failed');
    const { error } = await connector.status();
    expect(error?.message).toContain("'t' there is a mirror of ");
    expect(error?.message).toContain('Give each a name there (nameOf of serveMirror())');
    expect(texts(await readAll(far.log, 't'))).toEqual(upTo(3));
    const other = new Far(far.log, { nameOf: ({ topic: name }) => `device-2.${name}` });
    await mirrored(anew, other.dial, ['t'], { name: 'again' }).drain();
    expect(texts(await readAll(far.log, 'device-2.t'))).toHaveLength(5);
  });

  test('takes the topics that it is to take', async () => {
    const far = new Far(await openTab(), { topics: [/^public-/] });
    const log = await logWith('t');
    await send(log, 0, 3);
    const connector = mirrored(log, far.dial);
    await eventually(async () => (await connector.status()).state === 'failed');
    expect((await connector.status()).error?.message).toContain("no mirror of the topic 't'");
    expect(await far.log.admin.listTopics()).toEqual([]);
  });

  test('grows with the partitions of its topic', async () => {
    const far = new Far(await openTab());
    const log = await logWith('t');
    const connector = mirrored(log, far.dial);
    await send(log, 0, 3);
    await connector.drain();
    await log.admin.createPartitions([{ topic: 't', partitions: 3 }]);
    await log.producer().send('t', { partition: 2, value: 'third' });
    await eventually(async () => {
      const [described] = await far.log.admin.describeTopics(['t']);
      return described.partitions[2]?.endOffset === 1;
    });
  });

  test('of a mirror brings the records back to where they came from', async () => {
    const log = await logWith('t');
    await send(log, 0, 10);
    const far = new Far(await openTab());
    await mirrored(log, far.dial).drain();
    const restored = new Far(await openTab());
    await mirrored(far.log, restored.dial).drain();
    await promoteMirrors(restored.log, ['t']);
    await restored.log.producer().send('t', { value: '10' });
    expect(texts(await readAll(restored.log, 't'))).toEqual(upTo(11));
  });

  test('comes back to a page that follows, and the page is copied anew', async () => {
    const log = await logWith('t');
    await send(log, 0, 10);
    const copies = new Far(await openTab(), { nameOf: ({ topicId }) => `t-${topicId}` });
    await mirrored(log, copies.dial).drain();
    const [copy] = await describeMirrors(copies.log);

    const page = await openTab();
    const { port1, port2 } = new MessageChannel();
    const back = mirrored(copies.log, port1, [copy!.topic], { name: 'back' });
    const follower = followMirror(page, { name: 'back', port: () => port2, nameOf: () => 't' });
    onTestFinished(() => follower.close());
    await back.drain();
    await promoteMirrors(page, ['t']);
    await send(page, 10, 12);
    await mirrored(page, copies.dial).drain();
    const described = await describeMirrors(copies.log);
    const ends = described.map(({ partitions }) => partitions[0]!.endOffset);
    expect(ends.toSorted((a, b) => a - b)).toEqual([10, 12]);
    expect(texts(await readAll(page, 't'))).toEqual(upTo(12));
  });

  test.each(Array.from({ length: 10 }, (_, i) => i + 1))(
    'lacks nothing and doubles nothing, whatever is lost on the way (seed %i)',
    { timeout: 60_000 },
    async (seed) => {
      const random = new Random(seed);
      const [one, other] = await openTwoTabs('t');
      const far = new Far(await openTab());
      const connectors = [one, other].map((log) =>
        mirrored(log, far.dial, ['t'], { timeoutMs: 50 }),
      );
      for (let i = 0; i < 20; i++) {
        far.faults.push(random.pick(['lost', 'answerLost', 'cut'] as const));
        await send(one, i * 10, i * 10 + 10);
        await eventually(() => far.faults.length === 0);
        if (i === 10) await connectors[0]!.close();
      }
      await eventually(async () => {
        const [described] = await far.log.admin.describeTopics(['t']).catch(() => [undefined]);
        return described?.partitions[0]?.endOffset === 200;
      });
      expect(texts(await readAll(far.log, 't'))).toEqual(upTo(200));
    },
  );
});

describe('what is not right', () => {
  test.each([
    [{ port: undefined }, 'connectMirror() needs port'],
    [{ port: {} }, 'port must be a MessagePort or a WebSocket'],
    [{ topics: [] }, 'at least one topic'],
    [{ timeoutMs: 0 }, 'timeoutMs'],
    [{ sink: {} }, 'connectMirror() has no option "sink"'],
  ])('is refused: %o', async (wrong, message) => {
    const log = await logWith('t');
    const options = { name: 'copy', topics: ['t'], port: new MessageChannel().port1, ...wrong };
    expect(() => connectMirror(log, options as never)).toThrow(message);
  });

  test.each([
    ['a name that is none', () => 'a/b', /nameOf\(\) of serveMirror\(\): a topic name.*a\/b/],
    [
      'an error',
      () => {
        throw new Error('whose?');
      },
      /nameOf\(\) of serveMirror\(\): whose\?/,
    ],
  ])('nameOf() with %s ends the mirroring, with the reason', async (_, nameOf, message) => {
    const log = await logWith('t');
    await send(log, 0, 1);
    const far = new Far(await openTab(), { nameOf });
    const connector = mirrored(log, far.dial);
    await eventually(async () => (await connector.status()).state === 'failed');
    expect((await connector.status()).error?.message).toMatch(message);
  });

  test('at the other end, in a hurry, is asked to come again', async () => {
    const never = { producer() {}, admin: { createTopics: () => new Promise(() => {}) } };
    const { port1, port2 } = new MessageChannel();
    serveMirror(never as never, port2);
    onTestFinished(() => port1.close());
    const answers: unknown[] = [];
    port1.addEventListener('message', ({ data }) => {
      answers.push(unpack(data as Uint8Array)!.message);
    });
    port1.start();
    const source = { topicId: 'a', log: 'l', topic: 't', partition: 0, partitions: 1 };
    const payload = new Uint8Array(1024 * 1024);
    for (let id = 0; id < 70; id++) {
      const request = { protocol: 1, id, call: 'append', source, sourceEnd: 1, end: 0 } as const;
      port1.postMessage(pack(request, payload));
    }
    await eventually(() => answers.length > 0);
    expect(answers[0]).toMatchObject({ to: 64, error: { kind: 'retry' } });
  });

  test('at the other end gets an answer that names it, or none', async () => {
    const log = await logWith('t');
    const { port1, port2 } = new MessageChannel();
    const server = serveMirror(log, port2);
    onTestFinished(() => server.close());
    onTestFinished(() => port1.close());
    const answers: string[] = [];
    port1.addEventListener('message', ({ data }) => {
      answers.push(new TextDecoder().decode((data as Uint8Array).subarray(4)));
    });
    port1.start();
    const say = (json: string): void => {
      const text = new TextEncoder().encode(json);
      port1.postMessage(Uint8Array.of(0, 0, 0, text.length, ...text));
    };
    port1.postMessage('hello');
    port1.postMessage(new Uint8Array([1]));
    say('{');
    say('{"protocol":0,"id":7}');
    say('{"protocol":1,"id":8,"call":"drop"}');
    await eventually(() => answers.length === 2);
    expect(answers[0]).toContain('it speaks the protocol 0, and this side 1: update the older one');
    expect(answers[1]).toContain('it is no request of a mirrored log');
  });
});
