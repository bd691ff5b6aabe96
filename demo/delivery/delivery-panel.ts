import { mustFind, mustGet, setText, textElement } from '../dom.ts';
import { formatCount } from '../format.ts';
import { colorByKey } from '../key-color.ts';
import { isBehaviour } from '../server/protocol.ts';
import type { ServerBehaviour } from '../server/protocol.ts';
import { drawSparkline } from '../sparkline.ts';
import type { DeliverySetting } from './delivery-setting.ts';
import type { DeliveryState } from './delivery-state.ts';
import { deliveryStatus, nextAttempt } from './delivery-status.ts';
import type { Delivery } from './delivery.ts';

const NO_SERVER =
  'No server here: this copy of the demo is files alone. In a clone, npm start brings one.';

export interface DeliveryPanelEvents {
  readonly onSetting: (setting: DeliverySetting) => void;
  readonly onBehaviour: (behaviour: ServerBehaviour) => void;
  readonly onTryNow: () => void;
}

/** Connects the tabs to the server, has the server fail, and shows how far it is. */
export class DeliveryPanel {
  readonly #tab: string;
  readonly #root = mustGet('delivery', HTMLElement);
  readonly #form = mustFind(this.#root, 'form', HTMLFormElement);
  readonly #toggle = mustFind(this.#root, 'toggle', HTMLButtonElement);
  readonly #pause = mustFind(this.#root, 'pause', HTMLButtonElement);
  readonly #tryNow = mustFind(this.#root, 'try-now', HTMLButtonElement);
  readonly #behaviours = mustFind(this.#root, 'behaviours', HTMLFieldSetElement);
  readonly #status = mustFind(this.#root, 'status', HTMLOutputElement);
  readonly #error = mustFind(this.#root, 'error', HTMLElement);
  readonly #lost = mustFind(this.#root, 'lost', HTMLElement);
  readonly #next = mustFind(this.#root, 'next', HTMLElement);
  readonly #tabs = mustFind(this.#root, 'tabs', HTMLElement);
  readonly #waitings = mustFind(this.#root, 'waitings', SVGPathElement);
  readonly #figures = ['waiting', 'in-flight', 'delivered', 'server-has', 'faults'].map((name) =>
    mustFind(this.#root, name, HTMLElement),
  );
  #setting: DeliverySetting = 'off';
  #tabsShown = '';

  constructor(tab: string, { onSetting, onBehaviour, onTryNow }: DeliveryPanelEvents) {
    this.#tab = tab;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      onSetting(this.#setting === 'off' ? 'on' : 'off');
    });
    this.#form.addEventListener('change', () => {
      const behaviour = new FormData(this.#form).get('behaviour');
      if (isBehaviour(behaviour)) onBehaviour(behaviour);
    });
    this.#pause.addEventListener('click', () => {
      onSetting(this.#setting === 'paused' ? 'on' : 'paused');
    });
    this.#tryNow.addEventListener('click', onTryNow);
  }

  /** There is a server: the controls can be used. */
  enable(): void {
    this.#toggle.disabled = false;
    this.#behaviours.disabled = false;
  }

  /** Says that there is no server, for good. */
  showNoServer(): void {
    setText(this.#status, NO_SERVER);
  }

  render(state: DeliveryState, { setting, inFlight }: Delivery): void {
    this.#setting = setting;
    const isOn = setting !== 'off';
    setText(this.#toggle, isOn ? 'Disconnect' : 'Connect');
    this.#toggle.classList.toggle('primary', !isOn);
    setText(this.#pause, setting === 'paused' ? 'Go on' : 'Pause deliveries');
    this.#pause.hidden = !isOn;
    setText(this.#status, deliveryStatus(isOn, state.status, state.tabs));
    this.#renderTrouble(state);
    this.#renderFigures(state, inFlight);
    this.#renderTabs(state.byTab);
    drawSparkline(this.#waitings, state.waitingHistory);
    if (state.server !== undefined) this.#renderBehaviour(state.server.behaviour);
  }

  #renderTrouble({ status }: DeliveryState): void {
    const { error, lost = 0 } = status ?? {};
    const next = nextAttempt(status, Date.now());
    const removed = `Retention had removed ${formatCount(lost)} records before this tab sent them.`;
    setText(this.#lost, lost > 0 ? removed : '');
    setText(this.#error, error?.message ?? '');
    setText(this.#next, next);
    setText(this.#tryNow, status?.state === 'failed' ? 'Begin again' : 'Try now');
    this.#tryNow.hidden = next === '' && status?.state !== 'failed';
  }

  #renderFigures(state: DeliveryState, inFlight: number): void {
    const { server, waiting, delivered, stored, doubled, missing } = state;
    const texts = [
      waiting === undefined ? '–' : formatCount(waiting),
      formatCount(inFlight),
      server === undefined ? '–' : formatCount(delivered),
      server === undefined ? '–' : formatCount(stored),
      `${formatCount(doubled)} doubled, ${formatCount(missing)} missing`,
    ];
    for (const [i, figure] of this.#figures.entries()) setText(figure, texts[i]!);
    this.#figures.at(-1)!.classList.toggle('wrong', doubled + missing > 0);
  }

  #renderTabs(byTab: ReadonlyMap<string, number>): void {
    const shown = JSON.stringify([...byTab]);
    if (shown === this.#tabsShown) return;
    this.#tabsShown = shown;
    const items = [...byTab].map(([tab, records]) => this.#tabItem(tab, records));
    const nobody = textElement('li', 'nobody yet', 'nobody');
    this.#tabs.replaceChildren(...(items.length > 0 ? items : [nobody]));
  }

  #tabItem(tab: string, records: number): HTMLElement {
    const item = textElement('li', '', 'member');
    const isMine = tab === this.#tab;
    item.classList.toggle('mine', isMine);
    colorByKey(item, tab);
    const facts = `${isMine ? 'this tab, ' : ''}${formatCount(records)}`;
    item.append(textElement('b', tab), ' ', textElement('span', facts));
    return item;
  }

  #renderBehaviour(behaviour: ServerBehaviour): void {
    for (const input of this.#behaviours.querySelectorAll('input')) {
      const isChosen = input.value === behaviour;
      if (input.checked !== isChosen) input.checked = isChosen;
    }
  }
}
