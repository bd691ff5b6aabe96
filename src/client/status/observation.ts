import type { Clock } from '../../platform/clock.ts';
import type { TablogError } from '../../base/error.ts';
import { recordsLost } from './log-losses.ts';
import type { LostRecords, Method, Request } from '../../protocol/broker.ts';
import type { LogStatus, UntimedStatus, WorkerLost } from './log-status.ts';
import { SlowHandlers } from './slow-handlers.ts';
import type {
  Handling,
  HandledPartition,
  ObservedEvent,
  ObservedMember,
  StatusObserver,
} from './status-observer.ts';
import { StorageWatch } from './storage-watch.ts';
import { WorkerWatch } from './worker-watch.ts';

/**
 * The subjects of the statuses that describe a lasting state. The next status with the same subject
 * ends the state.
 */
const SUBJECTS: Readonly<Partial<Record<LogStatus['type'], 'worker' | 'storage'>>> = {
  workerLost: 'worker',
  workerUnavailable: 'worker',
  workerConnected: 'worker',
  storageUnavailable: 'storage',
  storageFull: 'storage',
  storageAvailable: 'storage',
};

/** The type of the status for each event of a consumer. */
const EVENTS = {
  assigned: 'partitionsAssigned',
  revoked: 'partitionsRevoked',
  lost: 'partitionsLost',
  reset: 'offsetReset',
} as const;

/**
 * The observer of a log, from its first iterator or logger until the last one ends. Turns
 * observations into statuses.
 */
export class Observation implements StatusObserver {
  readonly #clock: Clock;
  readonly #listener: (status: LogStatus) => void;
  readonly #worker: WorkerWatch;
  readonly #storage: StorageWatch;
  readonly #handlers: SlowHandlers;
  /** The last status of the worker and of the storage, while the worker or the storage is away. */
  readonly #away = new Map<'worker' | 'storage', LogStatus>();

  constructor(clock: Clock, listener: (status: LogStatus) => void) {
    this.#clock = clock;
    this.#listener = listener;
    const emit = (status: UntimedStatus): void => this.emit(status);
    this.#worker = new WorkerWatch(emit);
    this.#storage = new StorageWatch(emit);
    this.#handlers = new SlowHandlers(clock, emit);
  }

  /** The statuses of a worker and a storage that are away now. */
  get away(): Iterable<LogStatus> {
    return this.#away.values();
  }

  emit(untimed: UntimedStatus): void {
    const status = { ...untimed, timestamp: this.#clock.now() } as LogStatus;
    const { type } = status;
    const subject = SUBJECTS[type];
    const isBack = type === 'workerConnected' || type === 'storageAvailable';
    if (subject !== undefined) {
      if (isBack) this.#away.delete(subject);
      else this.#away.set(subject, status);
    }
    this.#listener(status);
  }

  consumerEvent(member: ObservedMember | undefined, { event, detail }: ObservedEvent): void {
    const { group, memberId } = member ?? {};
    this.emit({ type: EVENTS[event], group, memberId, ...detail } as UntimedStatus);
  }

  workerLost(reason: WorkerLost['reason']): void {
    this.#worker.lost(reason);
  }

  workerFailed(error: unknown): void {
    this.#worker.failed(error);
  }

  workerConnected(): void {
    this.#worker.connected();
  }

  called<M extends Method>(method: M, request: Request<M>, answer: Promise<unknown>): void {
    this.#storage.called(method, request, answer);
  }

  recordsLost(lost: readonly LostRecords[]): void {
    for (const status of recordsLost(lost)) this.emit(status);
  }

  readFailed(topic: string, partition: number, offset: number, error: TablogError): void {
    if (error.code !== 'LOG_CORRUPT' && error.code !== 'BATCH_CORRUPT') return;
    this.emit({ type: 'recordsLost', topic, partition, offset, error });
  }

  handling(member: ObservedMember, partition: HandledPartition, offset: number): Handling {
    return this.#handlers.begin(member, partition, offset);
  }

  /** Ends the observation and its timers. */
  end(): void {
    this.#handlers.close();
  }
}
