import type { ErrorRule } from '../../base/error-rule.ts';

// The rules of errors that only transactions have. Their code is loaded apart from a tab's first bundle.

export const INVALID_TXN_STATE: ErrorRule = {
  code: 'INVALID_TXN_STATE',
  outcome: 'refused',
  retriable: false,
  next: 'Call it before the function of transaction() returns.',
};

export const TRANSACTION_ABORTED: ErrorRule = {
  code: 'TRANSACTION_ABORTED',
  outcome: 'refused',
  retriable: false,
  next: 'Nothing was stored: call transaction() again.',
};

export const TRANSACTION_TIMED_OUT: ErrorRule = {
  code: 'TRANSACTION_TIMED_OUT',
  outcome: 'refused',
  retriable: true,
  next: 'Nothing was stored: call transaction() after the slow work, or raise transactionTimeoutMs.',
};

export const TRANSACTION_TOO_LARGE: ErrorRule = {
  code: 'TRANSACTION_TOO_LARGE',
  outcome: 'refused',
  retriable: false,
  next: 'Send less in one transaction, or raise maxTransactionBytes of the producer.',
};
