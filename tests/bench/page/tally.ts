import type { Content } from './records.ts';

/**
 * Counts what a reader finds, by looking at every value: so that none can be skipped, and one that
 * is lost, doubled or damaged fails the run.
 */
export class Tally {
  records = 0;
  #characters = 0;

  add(value: string | null): void {
    this.records++;
    this.#characters += value!.length;
  }

  check({ records, characters }: Content): void {
    if (this.records === records && this.#characters === characters) return;
    throw new Error(
      `read ${this.records} records of ${this.#characters} characters ` +
        `where ${records} of ${characters} were written`,
    );
  }
}
