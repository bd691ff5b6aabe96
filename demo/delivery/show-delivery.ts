import type { Log } from '../../src/index.ts';
import { coalesced } from '../coalesced.ts';
import { STEP_MS } from '../history.ts';
import { DeliveryPanel } from './delivery-panel.ts';
import { SharedDeliverySetting } from './delivery-setting.ts';
import { DeliveryState } from './delivery-state.ts';
import { DeliveryWatch } from './delivery-watch.ts';
import { Delivery } from './delivery.ts';
import { askServer } from './server-client.ts';

export interface ShowDeliveryOptions {
  readonly log: Log;
  readonly tab: string;
  /** A frame delivers, and has no room to show it. */
  readonly isFrame: boolean;
  readonly onError: (error: unknown) => void;
}

/** Connects this tab to the server whenever the tabs are to be, and shows it. */
export function showDelivery({ log, tab, isFrame, onError }: ShowDeliveryOptions): Delivery {
  let draw = (): void => {};
  const onChange = (): void => draw();
  const delivery = new Delivery(log, tab, { onChange, onError });
  void begin();
  return delivery;

  async function begin(): Promise<void> {
    const hasServer = (await askServer('')) !== undefined;
    // Without a server nothing is kept for it, whatever the tabs were set to.
    const apply = (): void => delivery.set(hasServer ? setting.value : 'off');
    const setting = new SharedDeliverySetting(apply);
    apply();
    if (isFrame) return;
    const state = new DeliveryState();
    const panel = new DeliveryPanel(tab, {
      onSetting: (value) => (setting.value = value),
      onBehaviour: (behaviour) => watch.tell(behaviour),
      onTryNow: () => delivery.tryNow(),
    });
    if (!hasServer) return panel.showNoServer();
    draw = coalesced(() => panel.render(state, delivery));
    const watch = new DeliveryWatch(log, delivery, state, { onChange, onError });
    panel.enable();
    setInterval(() => {
      state.step(performance.now());
      draw();
    }, STEP_MS);
  }
}
