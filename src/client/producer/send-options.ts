/** Options of `send` and `sendBatch`. */
export interface SendOptions {
  /**
   * Withdraws the records when it aborts. A record can be withdrawn as long as it is certainly not
   * stored: while its topic is looked up, while it waits for room or in a batch, and while no
   * worker can be started. A withdrawn record is never stored, and the promise rejects with the
   * signal's reason. A record that was posted to the worker is not withdrawn: the promise settles
   * with its outcome, within `deliveryTimeoutMs`. So a rejection with the reason always means that
   * nothing is stored.
   *
   * Records with the same signal share batches, and keep their order among all others. A signal of
   * its own for each record makes a batch of each record, which costs throughput. Default: none.
   * Leave it out where the caller never stops waiting.
   */
  readonly signal?: AbortSignal;
}

/** Options of `sendRaw`. */
export interface SendRawOptions extends SendOptions {
  /**
   * The offset at which the first batch must be stored; every other batch has to follow the one
   * before. A batch that would get another offset is not stored: `CONFLICT`. So a mirror that
   * passes the offset of the source stores nothing twice, also after a reload. Default: the end of
   * the partition, whatever it is. Leave it out unless the offsets have to be those of the source.
   */
  readonly expectedOffset?: number;
  /**
   * Each batch is stored at its own base offset, as in a replica. `expectedOffset`, which is then
   * needed, is the end of the partition: offsets between it and the first batch become a gap without
   * records. A batch before the end, and any batch where the partition ends elsewhere, is
   * `CONFLICT`. Default `false`. Leave it out but for mirrors (`mirrorOf` of the topic), to which
   * nobody else can write: any other topic is `INVALID_CONFIG`.
   */
  readonly keepOffsets?: boolean;
}

/** Options of `flush`. */
export interface FlushOptions {
  /**
   * Ends the wait when it aborts: `flush` rejects with the signal's reason. Buffered records are
   * sent all the same. Default: none. Leave it out where the caller never stops waiting.
   */
  readonly signal?: AbortSignal;
}

/** Options of `transaction`. */
export interface TransactionOptions {
  /**
   * Aborts the transaction, as `tx.abort()` does: `transaction` rejects with the signal's reason,
   * and nothing is stored. The signal has no effect once the function has returned and the
   * producer's earlier transactions have ended: the promise then settles with the outcome.
   * `tx.signal` aborts with it. Default: none. Leave it out where `transactionTimeoutMs` is enough.
   */
  readonly signal?: AbortSignal;
}
