import { mistake } from '../../base/argument.ts';

/** The shape of a `TrustedScriptURL`, whose type some versions of TypeScript's library lack. */
export interface TrustedScriptUrl {
  toString(): string;
  toJSON(): string;
}

/** The address of the worker's file. */
export type WorkerUrl = string | URL | TrustedScriptUrl;

/** The string tags of address objects. Objects of another realm have the same tags. */
const KINDS = /^\[object (URL|TrustedScriptURL)\]$/;

/**
 * Throws a `TypeError` for a value that is no address, and for a `data:` address, whose worker has
 * no storage.
 */
export function checkWorkerUrl(url: unknown): asserts url is WorkerUrl {
  if (typeof url !== 'string' && !KINDS.test(Object.prototype.toString.call(url))) {
    throw mistake('workerUrl must be a string, a URL or a TrustedScriptURL', url);
  }
  // A worker from `data:` has an opaque origin, and so no IndexedDB:
  // https://html.spec.whatwg.org/multipage/workers.html.
  if (/^\s*data:/i.test(String(url))) {
    throw mistake('workerUrl must not be a data: URL, whose worker has no storage', String(url));
  }
}
