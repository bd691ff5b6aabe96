import { vi } from 'vitest';

/**
 * A page's `document` and window for tests in Node. Their events of visibility and lifecycle reach
 * the listeners of the capture phase first, as in a browser. `vi.unstubAllGlobals()` removes them.
 */
export class StubPage {
  readonly #document = Object.assign(new PhasedTarget(), { visibilityState: 'visible' });
  readonly #window = new PhasedTarget();

  constructor() {
    vi.stubGlobal('document', this.#document);
    vi.stubGlobal('addEventListener', this.#window.addEventListener.bind(this.#window));
  }

  /** Adds a listener of the application for the event that `hide`, `pagehide` or `freeze` fires. */
  on(how: 'hide' | 'pagehide' | 'freeze', listener: () => void): void {
    if (how === 'pagehide') this.#window.addEventListener('pagehide', listener);
    else this.#document.addEventListener(how === 'hide' ? 'visibilitychange' : how, listener);
  }

  hide(): void {
    this.#document.visibilityState = 'hidden';
    this.#document.dispatchEvent(new Event('visibilitychange'));
  }

  show(): void {
    this.#document.visibilityState = 'visible';
    this.#document.dispatchEvent(new Event('visibilitychange'));
  }

  freeze(): void {
    this.#document.dispatchEvent(new Event('freeze'));
  }

  resume(): void {
    this.#document.dispatchEvent(new Event('resume'));
  }

  /** `persisted`: the page goes into the back/forward cache. */
  pagehide(persisted = false): void {
    this.#window.dispatchEvent(new StubTransitionEvent('pagehide', persisted));
  }

  /** `persisted`: the page comes back from the back/forward cache. */
  pageshow(persisted = false): void {
    this.#window.dispatchEvent(new StubTransitionEvent('pageshow', persisted));
  }
}

class StubTransitionEvent extends Event {
  readonly persisted: boolean;

  constructor(type: string, persisted: boolean) {
    super(type);
    this.persisted = persisted;
  }
}

/** An event target with a capture phase: Node's EventTarget ignores the phase of listeners. */
class PhasedTarget extends EventTarget {
  readonly #capturing = new EventTarget();

  override addEventListener(...args: Parameters<EventTarget['addEventListener']>): void {
    const [, , options] = args;
    const isCapturing = typeof options === 'object' && options.capture === true;
    if (isCapturing) this.#capturing.addEventListener(...args);
    else super.addEventListener(...args);
  }

  override dispatchEvent(event: Event): boolean {
    const { type, persisted = false } = event as Event & Partial<StubTransitionEvent>;
    this.#capturing.dispatchEvent(new StubTransitionEvent(type, persisted));
    return super.dispatchEvent(event);
  }
}
