import type { Sink } from '../../src/connect.ts';
import { sinkTo } from './connector-fixture.ts';
import { testWalks } from './connector-walk.ts';
import type { WalkTarget } from './connector-walk.ts';
import { StreamServer } from './durable-streams-fixture.ts';
import { FakeTarget } from './fake-target.ts';

class ReceiverWalk extends FakeTarget implements WalkTarget {
  sink(): Sink {
    return sinkTo(this);
  }

  valuesOf(partition: number): readonly unknown[] {
    const [, records = []] = [...this.stored].find(([id]) => id.endsWith(`/${partition}`)) ?? [];
    return records.map(({ value }) => value);
  }
}

testWalks('a receiver', () => new ReceiverWalk());
testWalks('durable streams', () => StreamServer.start());
