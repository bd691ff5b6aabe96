import type { OffsetCommit } from '../../protocol/group.ts';

/** A message or a batch of messages that was delivered to the application. */
export interface MessageDelivery {
  readonly offset: number;
  /** The offset after the last message. */
  readonly next: number;
}

/**
 * A commit whose outcome is not known yet: queued, in flight, or part of a transaction. A seek
 * lowers the offset that the commit stands for to the new position, because the offsets beyond it
 * have to be committed again.
 */
export interface PendingCommit {
  readonly offset: number;
  /** The commit to send. Each call takes a new sequence number: the later attempt counts. */
  toSend(): OffsetCommit;
  /** Ends the commit: as stored, or as failed or given up. Only the first call has an effect. */
  end(isStored: boolean): void;
}
