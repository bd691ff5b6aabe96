// The parts of KafkaJS's codec that the tests compare tablog's codec with. KafkaJS ships no types
// for these modules.

declare module 'kafkajs/src/producer/partitioners/default/murmur2.js' {
  const murmur2: (key: Buffer | string) => number;
  export = murmur2;
}

declare module 'kafkajs/src/protocol/recordBatch/crc32C/index.js' {
  const crc32c: (buffer: Uint8Array) => number;
  export = crc32c;
}

declare module 'kafkajs/src/protocol/encoder.js' {
  class Encoder {
    readonly buffer: Buffer;
    writeVarInt(value: number): this;
    writeVarLong(value: number): this;
  }
  export = Encoder;
}

declare module 'kafkajs/src/protocol/decoder.js' {
  class Decoder {
    constructor(buffer: Buffer);
    readonly buffer: Buffer;
    offset: number;
  }
  export = Decoder;
}

declare module 'kafkajs/src/protocol/recordBatch/record/v0/index.js' {
  import type Encoder from 'kafkajs/src/protocol/encoder.js';

  const encodeRecord: (record: {
    offsetDelta: number;
    timestampDelta: number;
    key: Buffer | null;
    value: Buffer | null;
    headers: Record<string, Buffer | Buffer[]>;
  }) => Encoder;
  export = encodeRecord;
}

declare module 'kafkajs/src/protocol/recordBatch/v0/index.js' {
  import type Encoder from 'kafkajs/src/protocol/encoder.js';

  const codec: {
    RecordBatch(batch: {
      compression: number;
      firstTimestamp: number;
      maxTimestamp: number;
      lastOffsetDelta: number;
      records: Encoder[];
    }): Promise<Encoder>;
  };
  export = codec;
}

declare module 'kafkajs/src/protocol/recordBatch/v0/decoder.js' {
  import type Decoder from 'kafkajs/src/protocol/decoder.js';

  const decodeBatch: (decoder: Decoder) => Promise<{
    firstOffset: string;
    firstTimestamp: string;
    maxTimestamp: string;
    lastOffsetDelta: number;
    producerId: string;
    producerEpoch: number;
    firstSequence: number;
    inTransaction: boolean;
    isControlBatch: boolean;
    records: {
      offset: string;
      timestamp: string;
      key: Buffer | null;
      value: Buffer | null;
      headers: Record<string, Buffer | null | (Buffer | null)[]>;
    }[];
  }>;
  export = decodeBatch;
}
