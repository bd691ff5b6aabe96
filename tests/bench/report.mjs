/**
 * @typedef {import('./results.mjs').BackgroundTime} BackgroundTime
 * @typedef {import('./results.mjs').GroupTime} GroupTime
 * @typedef {import('./results.mjs').Latency} Latency
 * @typedef {import('./results.mjs').Rate} Rate
 * @typedef {import('./results.mjs').Results} Results
 * @typedef {(header: readonly string[], rows: readonly (readonly string[])[]) => string[]} Render
 */

/** @param {Results} results */
export function toText(results) {
  return report(results, (title) => `\n${title}\n`, textTable);
}

/** @param {Results} results */
export function toMarkdown(results) {
  return report(results, (title) => `\n**${title}**\n`, markdownTable);
}

/**
 * @param {Results} results
 * @param {(title: string) => string} heading
 * @param {Render} render
 */
function report({ tables, latencies, background, groups, environment }, heading, render) {
  const lines = tables.flatMap(({ title, rates }) => [
    heading(title),
    ...render(
      ['', 'records/s', 'MB/s', 'to Dexie', 'to idb', 'of ceiling', 'spread'],
      rates.map((rate) => rateCells(rate)),
    ),
  ]);
  lines.push(
    heading('one record at a time'),
    ...render(['', 'p50, ms', 'p99, ms', 'p50 to raw'], latencies.map(latencyCells)),
    heading('one record at a time, beside background work'),
    ...render(
      ['', 'MB/s', 'p50, ms', 'p99, ms', 'p99 to rest', 'sends'],
      background.map(backgroundCells),
    ),
    heading('groups'),
    ...render(['', 'p50, ms', 'p99, ms', 'runs'], groups.map(groupCells)),
  );
  const { browser, cpus, node, date } = environment;
  lines.push('', `Chromium ${browser}, ${cpus} CPUs, Node ${node}, ${date}`);
  return `${lines.join('\n').trimStart()}\n`;
}

/** @param {Rate} rate */
function rateCells(rate) {
  return [
    `${rate.direction}: ${rate.label}`,
    rate.recordsPerSecond.toLocaleString('en', { maximumFractionDigits: 0 }),
    rate.megabytesPerSecond.toFixed(1),
    times(rate.toDexie),
    times(rate.toIdb),
    percent(rate.ofCeiling),
    percent(rate.spread),
  ];
}

/** @param {Latency} latency */
function latencyCells({ label, p50Ms, p99Ms, toRaw }) {
  return [label, p50Ms.toFixed(2), p99Ms.toFixed(2), toRaw === null ? '' : `${toRaw.toFixed(2)} ×`];
}

/** @param {BackgroundTime} time */
function backgroundCells({ label, megabytesPerSecond, p50Ms, p99Ms, toRest, sends }) {
  return [
    label,
    megabytesPerSecond === null ? '' : megabytesPerSecond.toFixed(1),
    p50Ms.toFixed(2),
    p99Ms.toFixed(2),
    toRest === null ? '' : `${toRest.toFixed(2)} ×`,
    String(sends),
  ];
}

/** @param {GroupTime} time */
function groupCells({ label, p50Ms, p99Ms, runs }) {
  return [label, p50Ms.toFixed(1), p99Ms.toFixed(1), String(runs)];
}

/** @param {number | null} ratio */
function times(ratio) {
  return ratio === null ? '' : `${ratio.toFixed(ratio < 10 ? 1 : 0)} ×`;
}

/** @param {number | null} share */
function percent(share) {
  return share === null ? '' : `${(share * 100).toFixed(0)} %`;
}

/** @type {Render} */
function textTable(header, rows) {
  const all = [header, ...rows];
  const widths = header.map((_, i) => Math.max(...all.map((cells) => (cells[i] ?? '').length)));
  return all.map((cells) =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

/** @type {Render} */
function markdownTable(header, rows) {
  const line = header.map((_, i) => (i === 0 ? '---' : '---:'));
  return [header, line, ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}
