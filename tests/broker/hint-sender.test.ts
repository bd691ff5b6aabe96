import { expect, test } from 'vitest';
import { HintSender } from '../../src/broker/hint-sender.ts';
import type { AppendedHint, Hint } from '../../src/protocol/hint.ts';
import { ManualClock } from '../support/manual-clock.ts';

function sending(): { clock: ManualClock; sender: HintSender; sent: Hint[] } {
  const clock = new ManualClock();
  const sent: Hint[] = [];
  return { clock, sent, sender: new HintSender(clock, (hint) => sent.push(hint)) };
}

const at = (endOffset: number, partition = 0, topicId = 't'): AppendedHint => ({
  topicId,
  partition,
  endOffset,
});
const appended = (...partitions: AppendedHint[]): Hint => ({ kind: 'appended', partitions });

test('the first hint goes out at once', () => {
  const { sender, sent } = sending();
  sender.appended([at(1)]);
  expect(sent).toEqual([appended(at(1))]);
});

test('what follows within 20 ms goes out together, the last state of each partition', () => {
  const { clock, sender, sent } = sending();
  sender.appended([at(1)]);
  sender.appended([at(2), at(7, 1)]);
  clock.advance(10);
  sender.appended([at(3)]);
  sender.appended([at(1, 0, 'other')]);
  clock.advance(9);
  expect(sent).toHaveLength(1);
  clock.advance(1);
  expect(sent.slice(1)).toEqual([appended(at(3), at(7, 1), at(1, 0, 'other'))]);
});

test('at most one message goes out every 20 ms, however long it lasts', () => {
  const { clock, sender, sent } = sending();
  for (let ms = 0; ms < 200; ms++) {
    sender.appended([at(ms)]);
    clock.advance(1);
  }
  expect(sent).toHaveLength(11);
  expect(sent.at(-1)).toEqual(appended(at(199)));
});

test('after a pause the next one goes out at once again, and no timer is left', () => {
  const { clock, sender, sent } = sending();
  sender.appended([at(1)]);
  clock.advance(20);
  expect(clock.timers).toBe(0);
  clock.advance(1_000);
  sender.appended([at(2)]);
  expect(sent).toEqual([appended(at(1)), appended(at(2))]);
});

test('nothing is sent for nothing', () => {
  const { clock, sender, sent } = sending();
  sender.appended([]);
  clock.advance(20);
  expect(sent).toEqual([]);
  expect(clock.timers).toBe(0);
});

test('what waited is sent by close, and nothing after it', () => {
  const { clock, sender, sent } = sending();
  sender.appended([at(1)]);
  sender.appended([at(2)]);
  sender.close();
  sender.close();
  clock.advance(100);
  sender.appended([at(3)]);
  clock.advance(100);
  expect(sent).toEqual([appended(at(1)), appended(at(2))]);
  expect(clock.timers).toBe(0);
});
