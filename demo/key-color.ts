/** With this seed the keys of the GitHub events get hues that are well apart. */
const SEED = 50464;
const KNOWN_HUES = 1000;
const hues = new Map<string, number>();

/** A key's hue in degrees: the same in every tab, as its partition is. */
function hueOf(key: string): number {
  let hue = hues.get(key);
  if (hue === undefined) {
    if (hues.size >= KNOWN_HUES) hues.clear();
    hue = hash(key) % 360;
    hues.set(key, hue);
  }
  return hue;
}

/** Gives an element its key's colour; how light and how strong it is, the style sheet says. */
export function colorByKey(element: HTMLElement, key: string, property = '--hue'): void {
  element.style.setProperty(property, String(hueOf(key)));
}

/** FNV-1a with the last steps of murmur3, since FNV alone keeps similar names close. */
function hash(text: string): number {
  let hash = SEED;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
