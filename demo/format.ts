const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', {
  minimumSignificantDigits: 3,
  maximumSignificantDigits: 3,
});
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

export function formatCount(count: number): string {
  return whole.format(count);
}

export function formatRate(perSecond: number): string {
  return perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : whole.format(perSecond);
}

export function formatBytes(bytes: number): string {
  let unit = 0;
  let size = bytes;
  while (size >= 999.5 && unit < UNITS.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${unit === 0 ? whole.format(size) : short.format(size)} ${UNITS[unit]}`;
}

/** An offset that fits a cell: of a long one, the last digits. */
export function formatCellOffset(offset: number): string {
  const digits = String(offset);
  return digits.length <= 5 ? digits : `…${digits.slice(-4)}`;
}

export function formatTime(timestamp: number): string {
  const at = new Date(timestamp);
  const time = at.toLocaleTimeString('en-GB');
  const ms = String(at.getMilliseconds()).padStart(3, '0');
  return `${at.toLocaleDateString('en-CA')} ${time}.${ms}`;
}
