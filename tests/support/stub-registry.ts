import type { DecodeContext, EncodeContext, Serde } from '../../src/index.ts';

/** A look-up under way, until the test settles it. */
interface LookUp {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A registry of schemas whose look-ups a test settles. A schema has a name and no content. */
export class StubRegistry {
  readonly #known = new Set<string>();
  readonly #lookUps = new Map<string, LookUp[]>();
  /** The names of all look-ups, in order. */
  readonly asked: string[] = [];

  constructor(...known: readonly string[]) {
    for (const name of known) this.#known.add(name);
  }

  has(name: string): boolean {
    return this.#known.has(name);
  }

  load(name: string): Promise<void> {
    this.asked.push(name);
    return new Promise((resolve, reject) => {
      const lookUps = this.#lookUps.get(name) ?? [];
      this.#lookUps.set(name, [...lookUps, { resolve, reject }]);
    });
  }

  /** Adds the schema to the registry, and resolves all look-ups of the schema. */
  publish(name: string): void {
    this.#known.add(name);
    for (const { resolve } of this.#take(name)) resolve();
  }

  /** Rejects all look-ups of the schema with an error. */
  fail(name: string, error: unknown): void {
    for (const { reject } of this.#take(name)) reject(error);
  }

  #take(name: string): LookUp[] {
    const lookUps = this.#lookUps.get(name) ?? [];
    this.#lookUps.delete(name);
    return lookUps;
  }
}

/** A serde of values 'schema:text', which waits until the registry has the value's schema. */
export function needing(registry: StubRegistry): Serde<string> {
  const need = (text: string, context: DecodeContext | EncodeContext): string => {
    const [schema] = text.split(':') as [string];
    if (!registry.has(schema)) context.waitFor(registry.load(schema));
    return text;
  };
  return {
    encode: need,
    decode: (bytes, context) => need(new TextDecoder().decode(bytes), context),
  };
}
