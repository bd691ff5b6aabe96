import { TablogError } from '../src/index.ts';
import type { GroupDescription, Log } from '../src/index.ts';
import { CREW } from './demo-log.ts';
import type { GroupState } from './group-state.ts';

/** Two looks within a blink; a look costs the worker a millisecond or two. */
const LOOK_EVERY_MS = 200;

export interface GroupWatchEvents {
  readonly onChange: () => void;
  /** Somebody came or went, or partitions have moved: in words. */
  readonly onNews: (news: string) => void;
  readonly onError: (error: unknown) => void;
}

/** Keeps looking at the group while the page is seen. */
export class GroupWatch {
  readonly #log: Log;
  readonly #state: GroupState;
  readonly #events: GroupWatchEvents;
  #looking: Promise<void> | undefined;
  #again = false;

  constructor(log: Log, state: GroupState, events: GroupWatchEvents) {
    this.#log = log;
    this.#state = state;
    this.#events = events;
    setInterval(() => this.#lookIfSeen(), LOOK_EVERY_MS);
    document.addEventListener('visibilitychange', () => this.#lookIfSeen());
    this.#lookIfSeen();
  }

  /** Looks now; when it does already, once more after that. */
  look(): void {
    this.#again = this.#looking !== undefined;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
      if (this.#again) this.look();
    });
  }

  #lookIfSeen(): void {
    if (document.visibilityState === 'visible' && this.#looking === undefined) this.look();
  }

  async #look(): Promise<void> {
    try {
      const news = this.#state.describe(await this.#describe());
      if (news !== '') this.#events.onNews(news);
      this.#events.onChange();
    } catch (error) {
      this.#events.onError(error);
    }
  }

  async #describe(): Promise<GroupDescription | undefined> {
    try {
      return (await this.#log.admin.describeGroups([CREW]))[0];
    } catch (error) {
      // Nobody has joined yet.
      if (error instanceof TablogError && error.code === 'GROUP_ID_NOT_FOUND') return undefined;
      throw error;
    }
  }
}
