import { median } from '../../bench/statistics.mjs';

/** The table, and what it was measured with, as Markdown. */
export function toMarkdown({ options, paths, environment }) {
  const { records, bytes, partitions, rounds } = options;
  const lines = ['| records/s | tablog | plain | tablog to plain |', '|---|---:|---:|---:|'];
  for (const { title, lack, rounds: measured } of paths) {
    if (lack !== undefined) continue;
    const [own, plain] = ['tablog', 'plain'].map((side) =>
      measured.map((round) => (records / round[side].ms) * 1_000),
    );
    const ratio = `${(median(own) / median(plain)).toFixed(2)} ×`;
    lines.push(`| ${[title, rateCell(own), rateCell(plain), ratio].join(' | ')} |`);
  }
  for (const { title, lack } of paths) {
    if (lack !== undefined) lines.push('', `Not measured: ${title}: ${lack}`);
  }
  const what = [
    `${number(records)} records, values of ${bytes} bytes`,
    `${partitions} ${partitions === 1 ? 'partition' : 'partitions'}`,
    `median (slowest–fastest) of ${rounds} ${rounds === 1 ? 'round' : 'rounds'}`,
  ];
  lines.push('', `${what.join(', ')}. ${environment.join(', ')}`);
  return lines.join('\n');
}

function rateCell(rates) {
  const [least, most] = [Math.min(...rates), Math.max(...rates)].map(number);
  return `${number(median(rates))} (${least}–${most})`;
}

function number(value) {
  return value.toLocaleString('en', { maximumFractionDigits: 0 });
}
