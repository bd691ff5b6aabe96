import type { Page } from 'playwright';
import { beforeEach } from 'vitest';
import { NO_NATS, NatsServer, hasNats } from '../support/nats-server.ts';
import { freePort } from '../support/ports.ts';
import { testRuns } from './connect-run.ts';
import type { Server } from './connect-run.ts';
import type { Target } from './page/connector.ts';

beforeEach(({ skip }) => {
  skip(!hasNats, NO_NATS);
});

class NatsTarget extends NatsServer implements Server {
  get target(): Target {
    return { kind: 'nats', url: this.url };
  }

  /** Does nothing: the window of the stream, of milliseconds, has passed in any case. */
  passTime(): void {}

  stored(tab: Page): Promise<readonly number[]> {
    return tab.evaluate((url) => window.api.connector.readNats(url), this.url);
  }
}

testRuns('NATS', async () => new NatsTarget(await freePort(), await freePort()));
