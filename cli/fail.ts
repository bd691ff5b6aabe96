/** A command that cannot be done as it was called. */
export class UsageError extends Error {}

/** Input or files of a command that are not what they should be. */
export class InputError extends Error {}

export function fail(message: string): never {
  throw new UsageError(message);
}
