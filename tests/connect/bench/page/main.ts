import type { Delivered, Job, Side } from '../job.ts';
import { readNats } from './nats.ts';
import * as plain from './plain.ts';
import * as tablog from './tablog.ts';

/** What the other side, in Node, calls. */
const api = {
  deliver: (side: Side, job: Job): Promise<Delivered> =>
    side === 'tablog' ? tablog.deliver(job) : plain.deliver(job),
  readNats,
};

Object.assign(globalThis, { api });
