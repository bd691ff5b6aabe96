/** Where the page asks the worker to tend partitions, and is told what came of it. */
export const KEEPER = 'bench/keeper';

export type Work = 'merge' | 'compact';

/** Asks for the work on every partition of a topic, one after the other, as the janitor does it. */
export interface Order {
  readonly log: string;
  readonly topic: string;
  readonly work: Work;
}

export interface Size {
  readonly bytes: number;
  readonly rows: number;
}

/** A partition before and after, and from when to when it was tended, in ms since 1970. */
export interface Kept {
  readonly before: Size;
  readonly after: Size;
  readonly from: number;
  readonly to: number;
}

/** Each partition, or what went wrong. */
export type Report = { readonly kept: readonly Kept[] } | { readonly error: string };
