import { TablogError } from '../src/index.ts';
import type { Log } from '../src/index.ts';
import { CONNECTOR_GROUP, CREW, DEMO_TOPICS, createDemoTopics } from './demo-log.ts';
import { sleep } from './sleep.ts';

/** A tab's use of the log, which can pause. */
export interface Work {
  /** Resolves when none of the work is under way any more. */
  pause(): Promise<void>;
  resume(): void;
}

const NAME = 'tablog-demo/emptying';
const LOOK_EVERY_MS = 50;
/** The longest wait for tabs to leave the group: a frozen tab does not hear that it should. */
const LEAVE_WITHIN_MS = 3000;

/**
 * Empties the log in every tab at once. Each tab stops its work, because a group can only be
 * deleted without members. The emptying tab holds a lock meanwhile, so that the others notice the
 * end even when that tab is closed midway.
 */
export class Emptying {
  readonly #log: Log;
  readonly #works: readonly Work[];
  readonly #onDone: () => void;
  readonly #channel = new BroadcastChannel(NAME);
  /** The emptyings under way that this tab knows of; work resumes after the last. */
  #underWay = 0;

  /** `onDone`: called when the log is empty, whichever tab emptied it. */
  constructor(log: Log, works: readonly Work[], onDone: () => void) {
    this.#log = log;
    this.#works = works;
    this.#onDone = onDone;
    this.#channel.addEventListener('message', () => {
      void this.#withoutWork(() => navigator.locks.request(NAME, { mode: 'shared' }, () => {}));
    });
  }

  /** Rejects with the broker's error. Work resumes in any case. */
  async empty(): Promise<void> {
    await navigator.locks.request(NAME, async () => {
      this.#channel.postMessage('emptying');
      await this.#withoutWork(() => this.#clear());
    });
  }

  async #withoutWork(act: () => Promise<unknown>): Promise<void> {
    this.#underWay++;
    try {
      await Promise.all(this.#works.map((work) => work.pause()));
      await act();
    } finally {
      this.#underWay--;
      if (this.#underWay === 0) for (const work of this.#works) work.resume();
      this.#onDone();
    }
  }

  async #clear(): Promise<void> {
    const { admin } = this.#log;
    for (const group of [CREW, CONNECTOR_GROUP]) await this.#deleteGroup(group);
    await admin.deleteTopics(DEMO_TOPICS);
    await createDemoTopics(this.#log);
  }

  /** Deletes a group. A group with a frozen member stays; its offsets go with the topics. */
  async #deleteGroup(group: string): Promise<void> {
    for (let leftMs = LEAVE_WITHIN_MS; ; leftMs -= LOOK_EVERY_MS) {
      try {
        await this.#log.admin.deleteGroups([group]);
        return;
      } catch (error) {
        if (isCode(error, 'GROUP_ID_NOT_FOUND')) return;
        if (!isCode(error, 'NON_EMPTY_GROUP')) throw error;
        if (leftMs <= 0) return;
      }
      await sleep(LOOK_EVERY_MS);
    }
  }
}

function isCode(error: unknown, code: TablogError['code']): boolean {
  return error instanceof TablogError && error.code === code;
}
