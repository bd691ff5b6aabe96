import { mustFind, mustGet, setText } from './dom.ts';

/** Says why there is no log on this page, in place of everything that needs one. */
export function showFailure(error: unknown): void {
  console.error(error);
  const root = mustGet('failure', HTMLElement);
  const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  setText(mustFind(root, 'why', HTMLElement), why);
  document.documentElement.classList.add('failed');
}
