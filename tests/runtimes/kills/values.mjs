/** A value that its producer and number tell. */
export function valueOf(producer, n) {
  return `${producer}/${n}/${'abcdefgh'.repeat((n * 7) % 60)}`;
}

/** The producer and the number of a value; throws where it is not whole. */
export function partsOf(value) {
  const [producer, text] = value.split('/', 2);
  const n = Number(text);
  if (value !== valueOf(producer, n)) throw new Error(`not what was sent: ${value}`);
  return { producer, n };
}
