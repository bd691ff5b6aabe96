import { textElement } from './dom.ts';

/** A string, which is a name where a colon follows; or another scalar. */
const TOKEN =
  /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** JSON text with its names, strings and other scalars told apart. */
export function highlightJson(text: string): DocumentFragment {
  const fragment = document.createDocumentFragment();
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [token, quoted, colon] = match;
    const kind = quoted === undefined ? 'scalar' : colon === undefined ? 'text' : 'name';
    fragment.append(text.slice(at, match.index), textElement('span', quoted ?? token, kind));
    at = match.index + (quoted ?? token).length;
  }
  fragment.append(text.slice(at));
  return fragment;
}
