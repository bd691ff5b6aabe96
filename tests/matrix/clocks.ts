/** How far a clock is set forth, and back: from the machine's, in milliseconds. */
export const FORTH_MS: number = 2 * 86_400_000;
export const BACK_MS: number = -3_600_000;
