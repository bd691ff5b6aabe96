import { checkName } from '../../base/argument.ts';
import { TablogError } from '../../base/error.ts';
import type { Log } from '../../client/log.ts';
import type { Producer } from '../../client/producer/producer.ts';
import type { Serde } from '../../client/topics/serde.ts';
import { SinkError } from '../sink/sink-error.ts';
import { HeardEnds } from './heard-ends.ts';
import type { MirrorRequest, MirroredPartition } from './mirror-protocol.ts';

/** No record that the source has is too large for its mirror. */
const MAX_RECORD_BYTES = 16 * 1024 * 1024;

export interface ReplicaOptions {
  /** The name of the mirror of a topic; `undefined` where it is not taken. */
  readonly nameOf: (source: MirroredPartition) => string | undefined;
}

/** The mirrors that a log has of topics of other logs. What it throws is a `SinkError`. */
export class Replica {
  readonly #log: Log;
  readonly #options: ReplicaOptions;
  readonly #producer: Producer;
  readonly #heard: HeardEnds;
  /** The names of mirrors that were made, by the ids of what they are mirrors of. */
  readonly #names = new Map<string, Promise<string>>();

  constructor(log: Log, options: ReplicaOptions) {
    this.#log = log;
    this.#options = options;
    // Of a replica a crash of the machine is what it is for.
    this.#producer = log.producer({ durability: 'strict', lingerMs: 0 });
    this.#heard = new HeardEnds(log);
  }

  /** The end of the mirror: the offset after its last record. */
  async position({ source, sourceEnd }: MirrorRequest): Promise<number> {
    return this.#sinkErrors(source, async () => {
      const topic = await this.#mirrorOf(source);
      const { partition } = source;
      const [end] = await this.#log.admin.listOffsets([{ topic, partition, at: 'latest' }]);
      await this.#heard.note({ topic, partition, end: end!.offset, sourceEnd });
      return end!.offset;
    });
  }

  /** Stores the batches behind `end`, which has to be the mirror's end; resolves to the end then. */
  async append({ source, sourceEnd, end }: MirrorRequest, batches: Uint8Array): Promise<number> {
    return this.#sinkErrors(source, async () => {
      const topic = await this.#mirrorOf(source);
      const { partition } = source;
      const options = { expectedOffset: end, keepOffsets: true };
      const stored = await this.#producer.sendRaw(topic, partition, batches, options);
      const last = stored.at(-1)?.nextOffset ?? end;
      await this.#heard.note({ topic, partition, end: last, sourceEnd });
      return last;
    });
  }

  close(): Promise<void> {
    return this.#producer.close();
  }

  #mirrorOf(source: MirroredPartition): Promise<string> {
    const key = `${source.topicId}/${source.partitions}`;
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const making = this.#make(source);
    this.#names.set(key, making);
    making.catch(() => this.#names.delete(key));
    return making;
  }

  #nameOf(source: MirroredPartition): string {
    let name: string | undefined;
    try {
      name = this.#options.nameOf(source);
      if (name !== undefined) checkName('topic name', name);
    } catch (cause) {
      const what = `nameOf() of serveMirror(): ${(cause as Error).message}`;
      throw new SinkError('fatal', what, { cause });
    }
    if (name !== undefined) return name;
    throw new SinkError('fatal', `no mirror of the topic '${source.topic}' is taken there`);
  }

  async #make(source: MirroredPartition): Promise<string> {
    const { topicId: mirrorOf, partitions } = source;
    const name = this.#nameOf(source);
    const { admin } = this.#log;
    const config = { mirrorOf, maxRecordBytes: MAX_RECORD_BYTES };
    await admin
      .createTopics([{ name, key: bytes, value: bytes, partitions, config }])
      .catch(async (error: unknown) => {
        if (!(error instanceof TablogError) || error.code !== 'TOPIC_EXISTS') throw error;
        if (!String(error.details['differs']).includes('mirrorOf')) return;
        const other = String((await admin.describeTopics([name]))[0].config.mirrorOf);
        const whose = other === 'null' ? 'no mirror' : `a mirror of ${other}`;
        throw new SinkError(
          'fatal',
          `'${name}' there is ${whose}, and this topic is ${mirrorOf}: of another browser, or of one whose data ` +
            'was cleared. Give each a name there (nameOf of serveMirror()), or delete the one there',
          { cause: error },
        );
      });
    const [described] = await admin.describeTopics([name]);
    if (described.partitions.length < partitions) {
      await admin.createPartitions([{ topic: name, partitions }]);
    }
    return name;
  }

  async #sinkErrors(source: MirroredPartition, work: () => Promise<number>): Promise<number> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof SinkError) throw error;
      if (!(error instanceof TablogError)) throw error;
      // The topic may have been deleted, or promoted.
      this.#names.delete(`${source.topicId}/${source.partitions}`);
      if (error.code === 'CONFLICT') {
        throw new SinkError('fenced', 'the mirror ends elsewhere', { cause: error });
      }
      if (error.code === 'INVALID_CONFIG') {
        const happened = `the mirror of '${source.topic}' was promoted, and takes nothing more`;
        throw new SinkError('fatal', `${happened}: close this connector`, { cause: error });
      }
      const isPassing = error.retriable || PASSING.has(error.code);
      throw new SinkError(isPassing ? 'retry' : 'fatal', `at the mirror: ${error.message}`, {
        cause: error,
      });
    }
  }
}

/** Codes of what another attempt finds otherwise. */
const PASSING: ReadonlySet<string> = new Set([
  'UNKNOWN_TOPIC',
  'OUTCOME_UNKNOWN',
  'CLOSED',
  'STORAGE_FULL',
]);

/** Bytes as they are. */
const bytes: Serde<unknown> = { encode: (value) => value as Uint8Array, decode: (value) => value };
