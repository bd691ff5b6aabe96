const STORED_AS = 'tablog-demo/delivery';

/** Whether the tabs of this page are connected to the server. */
export type DeliverySetting = 'off' | 'on' | 'paused';

/** The setting that all tabs share, and those that are opened later. */
export class SharedDeliverySetting {
  readonly #onChange: () => void;

  /** `onChange`: called when any tab has changed it. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
    addEventListener('storage', ({ key }) => {
      if (key === STORED_AS || key === null) onChange();
    });
  }

  get value(): DeliverySetting {
    const stored = localStorage.getItem(STORED_AS);
    return stored === 'on' || stored === 'paused' ? stored : 'off';
  }

  set value(setting: DeliverySetting) {
    localStorage.setItem(STORED_AS, setting);
    this.#onChange(); // the event is for the other tabs
  }
}
