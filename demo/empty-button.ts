import { mustGet } from './dom.ts';
import type { Emptying } from './emptying.ts';

/** Makes the button ask whether the log shall be emptied, and do it. */
export function enableEmptyButton(emptying: Emptying, onError: (error: unknown) => void): void {
  const button = mustGet('empty', HTMLButtonElement);
  const dialog = mustGet('empty-dialog', HTMLDialogElement);
  button.addEventListener('click', () => dialog.showModal());
  dialog.addEventListener('close', () => {
    const isMeant = dialog.returnValue === 'empty';
    dialog.returnValue = '';
    if (!isMeant) return;
    button.disabled = true;
    void emptying
      .empty()
      .catch(onError)
      .finally(() => (button.disabled = false));
  });
  button.disabled = false;
}
