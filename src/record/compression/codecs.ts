import { LOAD_FAILED } from '../../base/error-rules.ts';
import { TablogError } from '../../base/error.ts';
import type { ErrorDetails } from '../../base/error.ts';
import { unsupportedCodec } from '../batch-error.ts';
import { ATTRIBUTE, FIELD, codecName, readInt64, viewOf } from '../batch-format.ts';
import type { Codec } from '../batch-format.ts';
import { wholeBatchBytes } from '../batch-length.ts';
import type { RecordCodec } from './codec.ts';

type Loader = () => Promise<RecordCodec>;

/** The codecs that are modules of their own: the code is loaded only when a batch needs it. */
const LOADERS: Partial<Readonly<Record<Codec, Loader>>> = {
  snappy: async () => (await import('./snappy.ts')).snappy,
  lz4: async () => (await import('./lz4.ts')).lz4,
  zstd: async () => (await import('./zstd.ts')).zstd,
};

const loaded = new Map<Codec, RecordCodec>();

/**
 * Loads a codec's code, where there is any to load. `more` are loaders besides those here. Throws
 * `LOAD_FAILED`; the next call tries a failed load again.
 */
export async function loadCodec(codec: Codec, more: typeof LOADERS = {}): Promise<void> {
  const load = LOADERS[codec] ?? more[codec];
  if (load === undefined || loaded.has(codec)) return;
  try {
    loaded.set(codec, await load());
  } catch (cause) {
    throw new TablogError(LOAD_FAILED, `the code for ${codec} could not be loaded`, {
      details: { codec },
      cause,
    });
  }
}

/** Provides codecs without an `import()`, which service workers do not have. */
export function provideCodecs(codecs: Partial<Readonly<Record<Codec, RecordCodec>>>): void {
  for (const [codec, code] of Object.entries(codecs)) loaded.set(codec as Codec, code);
}

/**
 * Loads the codecs of the batches in `bytes`. Throws `LOAD_FAILED`, with the place of the batches.
 */
export async function loadCodecsFor(
  bytes: Uint8Array,
  where: ErrorDetails & { readonly partition: number },
  more?: typeof LOADERS,
): Promise<void> {
  for (const [codec, offset] of codecsIn(bytes)) {
    try {
      await loadCodec(codec, more);
    } catch (error) {
      if (!(error instanceof TablogError)) throw error;
      throw error.at(`partition ${where.partition}, offset ${offset}`, { ...where, offset });
    }
  }
}

/** A codec that is loaded. Throws `UNSUPPORTED_CODEC` for any other. */
export function mustGetCodec(codec: Codec): RecordCodec {
  const found = loaded.get(codec);
  if (found === undefined) throw unsupportedCodec(codec);
  return found;
}

/** `RecordCodec.inflate` of the codec with the id `id`. */
export function inflate(id: number, records: Uint8Array, limit: number): Uint8Array {
  const codec = codecName(id);
  if (codec === undefined) throw unsupportedCodec(`the unknown codec ${id}`);
  return mustGetCodec(codec).inflate(records, limit);
}

/** The codecs of the whole batches in `bytes`, each with the base offset of its first batch. */
function codecsIn(bytes: Uint8Array): Map<Codec, number> {
  const codecs = new Map<Codec, number>();
  const view = viewOf(bytes);
  try {
    for (let at = 0, size; (size = wholeBatchBytes(bytes, at)) !== undefined; at += size) {
      const codec = codecName(bytes[at + FIELD.attributes + 1]! & ATTRIBUTE.codec);
      if (codec === undefined || codec === 'none' || codecs.has(codec)) continue;
      codecs.set(codec, readInt64(view, at + FIELD.baseOffset));
    }
  } catch {
    // A damaged batch ends the walk; the reader of the batches reports it.
  }
  return codecs;
}
