/** Where a command writes to: lines for a person, or a line of JSON for each object. */
export class Output {
  readonly #isJson: boolean;
  readonly #write: (text: string) => Promise<void>;

  /** `write` resolves when the text is written. */
  constructor(isJson: boolean, write: (text: string) => Promise<void>) {
    this.#isJson = isJson;
    this.#write = write;
  }

  /** One object: as JSON, or as the text that a person reads. */
  item(item: object, text: string): Promise<void> {
    return this.#write(`${this.#isJson ? JSON.stringify(item) : text}\n`);
  }

  /** Objects with the same fields: a line of JSON each, or a table. `headings`: those of a person. */
  async table(
    items: readonly Readonly<Record<string, unknown>>[],
    columns: readonly string[],
    headings: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    if (this.#isJson) {
      for (const item of items) await this.item(item, '');
      return;
    }
    const rows = [
      columns.map((column) => headings[column] ?? heading(column)),
      ...items.map((item) => columns.map((name) => cell(item[name]))),
    ];
    const widths = columns.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
    for (const row of rows) {
      const line = row.map((text, i) => text.padEnd(widths[i]!)).join('  ');
      await this.#write(`${line.trimEnd()}\n`);
    }
  }
}

/** As Kafka's tools write it: 'endOffset' is END-OFFSET. */
function heading(column: string): string {
  return column.replaceAll(/[A-Z]/g, (letter) => `-${letter}`).toUpperCase();
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '-';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A byte order mark is a part of the text. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes as the text that they are, or as base64 where they are none. */
export function textOf(bytes: Uint8Array | null): string | { readonly base64: string } | null {
  if (bytes === null) return null;
  try {
    return utf8.decode(bytes);
  } catch {
    return { base64: Buffer.from(bytes).toString('base64') };
  }
}

/** The same in a line for a person. */
export function shown(text: ReturnType<typeof textOf>): string {
  if (text === null) return 'null';
  return typeof text === 'string' ? text : `base64:${text.base64}`;
}
