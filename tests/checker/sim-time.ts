import type { Clock } from '../../src/platform/clock.ts';

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/**
 * Time that stands still until a walk moves it. Due timers run one by one: the work of each is done
 * before the next.
 */
export class SimTime {
  readonly #timers = new Set<Timer>();
  #now = 1_700_000_000_000;

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let timer = this.#next(end); timer !== undefined; timer = this.#next(end)) {
      this.#timers.delete(timer);
      this.#now = timer.at;
      timer.run();
      await settle();
    }
    this.#now = end;
  }

  #next(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= end && (next === undefined || timer.at < next.at)) next = timer;
    }
    return next;
  }
}

/** Waits until all work that needs no timer and no message is done. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The thread of a tab or a worker, which can freeze, thaw and die. */
export class Realm implements Clock {
  readonly #time: SimTime;
  readonly #waiting: (() => void)[] = [];
  #state: 'running' | 'frozen' | 'dead' = 'running';

  constructor(time: SimTime) {
    this.#time = time;
  }

  get state(): 'running' | 'frozen' | 'dead' {
    return this.#state;
  }

  now(): number {
    return this.#time.now();
  }

  after(ms: number, then: () => void): () => void {
    let called = false;
    const once = (): void => {
      if (!called) then();
    };
    const cancel = this.#time.after(ms, () => this.run(once));
    return () => {
      called = true;
      cancel();
    };
  }

  /**
   * Runs a task: a due timer, or an arrived message. A frozen realm keeps the task until `thaw`.
   */
  run(task: () => void): void {
    if (this.#state === 'running') task();
    else if (this.#state === 'frozen') this.#waiting.push(task);
  }

  freeze(): void {
    this.#state = 'frozen';
  }

  /** Runs the tasks that arrived while the realm was frozen, in their order. */
  thaw(): void {
    this.#state = 'running';
    for (const task of this.#waiting.splice(0)) this.#time.after(0, () => this.run(task));
  }

  die(): void {
    this.#state = 'dead';
    this.#waiting.length = 0;
  }
}

/** Delivers messages in one direction and in the order of sending, each with its own delay. */
export class Lane {
  readonly #time: SimTime;
  readonly #delay: () => number;
  #last = 0;
  #underWay = 0;

  constructor(time: SimTime, delay: () => number) {
    this.#time = time;
    this.#delay = delay;
  }

  /** Runs `receive` in `realm` after the delay, and never synchronously. */
  send(realm: Realm, receive: () => void): void {
    const now = this.#time.now();
    const at = Math.max(now + this.#delay(), this.#last);
    this.#last = at;
    this.#underWay++;
    const arrive = (): void => {
      this.#underWay--;
      realm.run(receive);
    };
    if (at === now && this.#underWay === 1) queueMicrotask(arrive);
    else this.#time.after(at - now, arrive);
  }
}

/** Runs work in another realm, and delivers the result back. */
export class RoundTrip {
  readonly #there: Lane;
  readonly #back: Lane;
  readonly #from: Realm;
  readonly #to: Realm;

  constructor(time: SimTime, delay: () => number, from: Realm, to: Realm) {
    this.#there = new Lane(time, delay);
    this.#back = new Lane(time, delay);
    this.#from = from;
    this.#to = to;
  }

  /** Settles as `work` does; never settles when either realm dies meanwhile. */
  call<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve) => {
      this.#there.send(this.#to, () => {
        const done = work();
        const bringBack = (): void => this.#back.send(this.#from, () => resolve(done));
        done.then(bringBack, bringBack);
      });
    });
  }
}
