/** Whatever is waited for comes, or fails, within this. */
export const DEADLINE_MS = 60_000;

/**
 * @template T
 * @param {Promise<T>} work
 * @param {string} what
 * @returns {Promise<T>}
 */
export async function withDeadline(work, what) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const expired = new Promise((_, reject) => {
    const error = new Error(`${what} did not end within ${DEADLINE_MS / 1000} s`);
    timer = setTimeout(() => reject(error), DEADLINE_MS);
  });
  try {
    return await /** @type {Promise<T>} */ (Promise.race([work, expired]));
  } finally {
    clearTimeout(timer);
  }
}
