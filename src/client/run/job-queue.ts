import type { PartitionReader } from '../fetch/partition-reader.ts';
import type { Job } from './job.ts';

/**
 * The jobs of a run, in shards: the jobs of one shard run one after the other, and shards run side
 * by side. A shard whose job has ended goes behind the other shards, so that each gets its turn.
 */
export class JobQueue {
  /** The first job of each shard runs, or is the next to run. */
  readonly #shards = new Map<string, Job[]>();
  readonly #counts = new Map<PartitionReader, number>();

  /** The number of shards that have a job. */
  get shards(): number {
    return this.#shards.size;
  }

  /** The number of jobs of a partition. */
  count(reader: PartitionReader): number {
    return this.#counts.get(reader) ?? 0;
  }

  /** The first job of each shard, in the order of their turns. */
  *firsts(): IterableIterator<Job> {
    for (const [job] of this.#shards.values()) yield job!;
  }

  all(): Job[] {
    return [...this.#shards.values()].flat();
  }

  add(job: Job): void {
    const jobs = this.#shards.get(job.shard);
    if (jobs === undefined) this.#shards.set(job.shard, [job]);
    else jobs.push(job);
    this.#counts.set(job.reader, this.count(job.reader) + 1);
  }

  remove(job: Job): void {
    const { shard, reader } = job;
    const jobs = this.#shards.get(shard)!.filter((other) => other !== job);
    this.#shards.delete(shard);
    if (jobs.length > 0) this.#shards.set(shard, jobs);
    const left = this.count(reader) - 1;
    if (left === 0) this.#counts.delete(reader);
    else this.#counts.set(reader, left);
  }
}
