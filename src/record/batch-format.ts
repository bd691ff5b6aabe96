/**
 * Kafka's RecordBatch v2 (magic 2), the unit that is packed in a tab, stored, fetched and decoded.
 * Integers are big endian; "varint" and "varlong" are zigzag LEB128 (varint.ts).
 *
 *     at  bytes  field
 *      0    8    base offset            the broker writes it when it places the batch
 *      8    4    batch length           bytes that follow this field
 *     12    4    partition leader epoch the broker's too; tablog has no leaders and writes 0
 *     16    1    magic                  2
 *     17    4    crc                    CRC-32C of everything from `attributes` on
 *     21    2    attributes             bits 0-2 codec, 3 timestamp type, 4 transactional, 5 control;
 *                                        Kafka's 6: the base timestamp is a delete horizon (KIP-534);
 *                                        tablog's 14: no batch, but a gap between two (log/gap.ts)
 *     23    4    last offset delta      stays when compaction removes records
 *     27    8    base timestamp         of the first record, ms since 1970
 *     35    8    max timestamp
 *     43    8    producer id            -1: none
 *     51    2    producer epoch         -1: none
 *     53    4    base sequence          -1: none
 *     57    4    record count
 *     61    …    records                compressed as one block where the codec says so
 *
 * One record:
 *
 *     varint length (of what follows) · int8 attributes (0) · varlong timestamp delta ·
 *     varint offset delta · varint key length (-1: null) · key · varint value length (-1: null) ·
 *     value · varint header count · per header: varint name length · name · varint value length
 *     (-1: null) · value
 *
 * The CRC covers neither base offset nor leader epoch, so placing a batch rewrites no checksum.
 * Source: apache/kafka `DefaultRecordBatch.java`, KIP-98.
 */
export const FIELD = {
  baseOffset: 0,
  batchLength: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
  records: 61,
} as const;

export const MAGIC = 2;

/** Bytes of a batch before its first record. */
export const BATCH_HEADER_BYTES: number = FIELD.records;

/** A batch may inflate to this, and no further. */
export const MAX_INFLATED_BYTES: number = 64 * 1024 * 1024;

/** `batch length` does not count itself nor the base offset before it. */
export const LENGTH_PREFIX_BYTES: number = FIELD.leaderEpoch;

export const ATTRIBUTE = {
  codec: 0b000111,
  appendTime: 0b001000,
  transactional: 0b010000,
  control: 0b100000,
  /** tablog's own bit: Kafka leaves bits 7 to 15 unused. */
  gap: 0b0100_0000_0000_0000,
} as const;

/** Codec ids are Kafka's and stored: never renumber. */
export const CODEC = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;
export type Codec = keyof typeof CODEC;

/**
 * The codecs that a producer's batches can be compressed with; batches of 'zstd' can be read only.
 */
export type Compression = Exclude<Codec, 'zstd'>;

const CODEC_NAMES: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

/** The codec's name, or `undefined` for an id that Kafka has not given out. */
export function codecName(id: number): Codec | undefined {
  return CODEC_NAMES[id];
}

const TWO_32 = 0x1_0000_0000;

/**
 * An int64 as a number; unsafe integers come back rounded, so check with `Number.isSafeInteger`.
 */
export function readInt64(view: DataView, at: number): number {
  return view.getInt32(at) * TWO_32 + view.getUint32(at + 4);
}

/** Writes a safe integer as an int64. */
export function writeInt64(view: DataView, at: number, value: number): void {
  view.setInt32(at, Math.floor(value / TWO_32));
  view.setUint32(at + 4, value >>> 0);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
