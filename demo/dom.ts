/** The element with this id, which `index.html` has. */
export function mustGet<E extends Element>(id: string, type: new () => E): E {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`index.html has no ${type.name} with the id '${id}'`);
}

/** The element within `root` that `index.html` names so with `data-name`. */
export function mustFind<E extends Element>(root: Element, name: string, type: new () => E): E {
  const found = root.querySelector(`[data-name="${name}"]`);
  if (found instanceof type) return found;
  throw new Error(`index.html has no ${type.name} with the data-name '${name}'`);
}

/** A copy of the one element in the template with this id. */
export function fromTemplate(id: string): HTMLElement {
  const { content } = mustGet(id, HTMLTemplateElement);
  const first = content.firstElementChild?.cloneNode(true);
  if (first instanceof HTMLElement) return first;
  throw new Error(`the template '${id}' is empty`);
}

/** Writes only what differs: an equal text would still cost a layout. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** A new element with a text. */
export function textElement<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  text: string,
  className = '',
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className !== '') element.className = className;
  return element;
}
