import type { Clock } from '../../src/platform/clock.ts';

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/** Time that stands still until a walk moves it; what is due runs one by one, each to its end. */
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

/** Lets everything happen that needs neither time nor a message. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Where code runs: a tab, or a worker. It can stand still for a while, or for good. */
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

  /** A task: a timer, or a message that has arrived. */
  run(task: () => void): void {
    if (this.#state === 'running') task();
    else if (this.#state === 'frozen') this.#waiting.push(task);
  }

  freeze(): void {
    this.#state = 'frozen';
  }

  /** What came meanwhile runs now, in its order. */
  thaw(): void {
    this.#state = 'running';
    for (const task of this.#waiting.splice(0)) this.#time.after(0, () => this.run(task));
  }

  die(): void {
    this.#state = 'dead';
    this.#waiting.length = 0;
  }
}

/** Messages one way, in the order in which they were sent, each with a delay of its own. */
export class Lane {
  readonly #time: SimTime;
  readonly #delay: () => number;
  #last = 0;
  #underWay = 0;

  constructor(time: SimTime, delay: () => number) {
    this.#time = time;
    this.#delay = delay;
  }

  /** `receive` runs in `realm`, never at once. */
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

/** Has work done elsewhere, and brings back what came of it. */
export class Road {
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

  /** Settles as `work` does; never, where somebody on the way is dead. */
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
