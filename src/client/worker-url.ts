import { mistake } from '../base/argument.ts';

/** A `TrustedScriptURL`, by its shape: TypeScript's own library does not have the type everywhere. */
export interface TrustedScriptUrl {
  toString(): string;
  toJSON(): string;
}

/** The address of the worker's file. */
export type WorkerUrl = string | URL | TrustedScriptUrl;

/** By their tags, which those of another realm have too. */
const KINDS = /^\[object (URL|TrustedScriptURL)\]$/;

/** Throws a `TypeError` for what is no address, or for one whose worker could not store anything. */
export function checkWorkerUrl(url: unknown): asserts url is WorkerUrl {
  if (typeof url !== 'string' && !KINDS.test(Object.prototype.toString.call(url))) {
    throw mistake('workerUrl must be a string, a URL or a TrustedScriptURL', url);
  }
  // https://html.spec.whatwg.org/multipage/workers.html: such a worker has an origin of its own.
  if (/^\s*data:/i.test(String(url))) {
    throw mistake('workerUrl must not be a data: URL, whose worker has no storage', String(url));
  }
}
