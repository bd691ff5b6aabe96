import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../support/sqlite-database.ts';

const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'tablog-cli-'));
  const lines = Array.from({ length: 10 }, (_, i) => `k${i % 3}:value ${i}\n`).join('');
  const begin = ['--log', 'shop', '--create', '--partitions', '3', '--key-separator', ':'];
  const { stdout } = await tablog(lines, 'produce', 'shop.db', '--topic', 'orders', ...begin);
  expect(stdout).toBe('10 records to orders\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program in the folder, with an input. */
function tablog(input: string, ...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PROGRAM, ...args], { cwd: folder });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    child.stderr.on('data', (chunk) => (stderr += String(chunk)));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
    child.stdin.end(input);
  });
}

/** The objects that a command writes with --json. */
async function json(...args: readonly string[]): Promise<Record<string, unknown>[]> {
  const { code, stdout, stderr } = await tablog('', ...args, '--json');
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('topics and describe tell what there is', async () => {
  expect((await tablog('', 'topics', 'shop.db')).stdout).toMatch(
    /^TOPIC +PARTITIONS +RECORDS +BYTES\norders +3 +10 +\d+\n$/,
  );
  const described = await json('describe', 'shop.db', '--topic', 'orders');
  expect(described[0]).toMatchObject({ topic: 'orders', config: { cleanup: 'delete' } });
  expect(described.slice(1).map(({ partition }) => partition)).toEqual([0, 1, 2]);
  expect(await json('logs', 'shop.db')).toEqual([{ log: 'shop' }]);
});

describe('consume', () => {
  test('writes every record once, with key, value and place', async () => {
    const records = await json('consume', 'shop.db', '--topic', 'orders');
    expect(new Set(records.map(({ key, value }) => `${String(key)}:${String(value)}`))).toEqual(
      new Set(Array.from({ length: 10 }, (_, i) => `k${i % 3}:value ${i}`)),
    );
    expect(records).toHaveLength(10);
  });

  test('begins where --from says, and ends after --max-messages', async () => {
    const [{ partition, offset }] = (await json('consume', 'shop.db', '--topic', 'orders')).filter(
      (record) => record['offset'] === 1,
    ) as [{ partition: number; offset: number }];
    const args = ['--topic', 'orders', '--partition', String(partition), '--from', String(offset)];
    const [first, ...rest] = await json('consume', 'shop.db', ...args, '--max-messages', '1');
    expect(first).toMatchObject({ partition, offset });
    expect(rest).toEqual([]);
    const future = ['--from', '2999-01-01'];
    expect(await json('consume', 'shop.db', '--topic', 'orders', ...future)).toEqual([]);
  });

  test('as a group goes on where it ended, and groups tells the lag', async () => {
    const args = ['--topic', 'orders', '--group', 'billing', '--max-messages', '4'];
    const first = await json('consume', 'shop.db', ...args);
    const second = await json('consume', 'shop.db', ...args);
    const places = [...first, ...second].map(({ partition, offset }) =>
      [partition, offset].join('/'),
    );
    expect(new Set(places).size).toBe(8);
    const lags = await json('groups', 'shop.db', '--group', 'billing');
    expect(lags.reduce((sum, { lag }) => sum + (lag as number), 0)).toBe(2);
  });

  test('with --follow writes what comes', async () => {
    const args = ['--topic', 'orders', '--from', 'latest', '--follow', '--max-messages', '1'];
    const following = json('consume', 'shop.db', ...args);
    const over = new AbortController();
    void following.then(() => over.abort());
    // What is sent before the other process has begun to follow is not for it.
    while (!over.signal.aborted) {
      await tablog('later\n', 'produce', 'shop.db', '--topic', 'orders');
    }
    expect(await following).toMatchObject([{ value: 'later' }]);
  });
});

test('export writes Kafka log files, which can be read as they are and imported', async () => {
  await tablog('', 'export', 'shop.db', '--topic', 'orders', '--out', 'files');
  expect(readdirSync(path.join(folder, 'files')).sort()).toEqual([
    'orders-0',
    'orders-1',
    'orders-2',
  ]);
  const [{ partition }] = (await json('consume', 'shop.db', '--topic', 'orders')) as [
    { partition: number },
  ];
  const read = async (from: string): Promise<Record<string, unknown>[]> =>
    json('consume', from, '--topic', 'orders', '--partition', String(partition));
  const before = await read('shop.db');
  expect(before.length).toBeGreaterThan(0);
  expect(await read('files')).toEqual(before);
  const file = path.join('files', `orders-${partition}`, `${'0'.repeat(20)}.log`);
  const place = ['--topic', 'orders', '--partition', String(partition), '--partitions', '3'];
  const begin = ['--log', 'copy', '--create'];
  await tablog('', 'import', 'copy.db', ...begin, ...place, file);
  expect(await read('copy.db')).toEqual(before);
});

test('what consume --json writes, produce --json sends', async () => {
  const { stdout } = await tablog('', 'consume', 'shop.db', '--topic', 'orders', '--json');
  const place = ['--topic', 'again', '--partitions', '3', '--json'];
  await tablog(stdout, 'produce', 'shop.db', ...place);
  const of = (records: Record<string, unknown>[]): unknown[] =>
    records.map((record) => ({ ...record, topic: '' }));
  const [orders, again] = await Promise.all(
    ['orders', 'again'].map((topic) => json('consume', 'shop.db', '--topic', topic)),
  );
  expect(new Set(of(again!).map((each) => JSON.stringify(each)))).toEqual(
    new Set(of(orders!).map((each) => JSON.stringify(each))),
  );
});

test('scrub finds no fault in a sound log', async () => {
  const { code, stdout } = await tablog('', 'scrub', 'shop.db');
  expect(stdout).toMatch(/no faults\n$/);
  expect(code).toBe(0);
});

test.each<[string, readonly string[], RegExp, number]>([
  ['no such command', ['frob', 'shop.db'], /there is no command 'frob'/, 2],
  ['no such file', ['topics', 'none.db'], /there is no file 'none\.db'/, 2],
  ['no such log', ['topics', 'shop.db', '--log', 'x'], /no log 'x', and has: shop/, 2],
  [
    'no such topic',
    ['consume', 'shop.db', '--topic', 'x'],
    /there is no topic 'x', and there (is|are): .*orders/,
    2,
  ],
  ['no topic', ['consume', 'shop.db'], /needs --topic/, 2],
  [
    'no such option',
    ['topics', 'shop.db', '--frob'],
    /there is no option --frob; see tablog --help/,
    2,
  ],
  [
    'an option of another command',
    ['topics', 'shop.db', '--from', 'earliest'],
    /topics has no option --from/,
    2,
  ],
  ['a file too many', ['topics', 'shop.db', 'more'], /takes one FILE, and got 'more' too/, 2],
  ['no such group', ['groups', 'shop.db', '--group', 'x'], /there is no group 'x'/, 2],
  ['no database', ['topics', PROGRAM], /main\.js' is no SQLite database/, 2],
  [
    'a new database without a name for its log',
    ['produce', 'none.db', '--topic', 'x', '--create'],
    /a new log needs a name: pass --log NAME/,
    2,
  ],
  [
    'a year before the first',
    ['consume', 'shop.db', '--topic', 'orders', '--from=-1'],
    /--from must be earliest/,
    2,
  ],
  [
    'a number of partitions that the topic has not',
    ['produce', 'shop.db', '--topic', 'orders', '--partitions', '5'],
    /the topic 'orders' is there, with 3 partitions: leave --partitions out/,
    2,
  ],
  [
    'no number',
    ['consume', 'shop.db', '--topic', 'orders', '--max-messages', 'x'],
    /--max-messages must be a number, got 'x'/,
    2,
  ],
  [
    'no position',
    ['consume', 'shop.db', '--topic', 'orders', '--from', 'soon'],
    /--from must be earliest, latest, an offset or a date/,
    2,
  ],
])('%s: an error on stderr, and nothing written', async (_, args, message, code) => {
  const ended = await tablog('', ...args);
  expect(ended.stderr).toMatch(message);
  expect(ended).toMatchObject({ code, stdout: '' });
  expect(existsSync(path.join(folder, 'none.db'))).toBe(false);
});

test.each<[string, string, RegExp]>([
  ['no JSON', 'nothing', /line 3 of the input: it is no JSON \(.*\(2 records were stored\)/],
  ['no object', '5', /line 3 of the input: it is no JSON object/],
  [
    'a field that there is not',
    '{"vlue":"x"}',
    /there is no field "vlue", and there are: key, value/,
  ],
  ['no value', '{"key":"x"}', /it has no "value"; a tombstone has null/],
  ['a value of JSON', '{"value":{"a":1}}', /"value" must be text, null or \{"base64": "…"\}/],
  [
    'headers that are none',
    '{"value":"x","headers":{"a":"b"}}',
    /"headers" must be an array of pairs/,
  ],
])('a line that is %s: where it is, and what is stored', async (_, line, message) => {
  const input = `{"value":"one"}\n{"value":"two"}\n${line}\n{"value":"four"}\n`;
  const ended = await tablog(input, 'produce', 'lines.db', ...LINES, '--json');
  expect(ended).toMatchObject({ code: 1, stdout: '' });
  expect(ended.stderr).toMatch(message);
  expect(ended.stderr).not.toMatch(/\n\s+at /);
});

const LINES = ['--topic', 'lines', '--log', 'lines', '--create', '--partitions', '1'];

test('records of any bytes, and lines of any kind, come back as they were', async () => {
  const values = ['a\u2028b', '\uFEFFbom', 'a\rb', '', 'last'];
  await tablog(values.join('\n'), 'produce', 'bytes.db', ...LINES);
  const binary = {
    key: { base64: '/wA=' },
    value: { base64: 'gIE=' },
    headers: [['h', { base64: '/w==' }]],
  };
  await tablog(`${JSON.stringify(binary)}\n`, 'produce', 'bytes.db', ...LINES, '--json');
  const records = await json('consume', 'bytes.db', '--topic', 'lines');
  expect(records.map(({ value }) => value)).toEqual([...values, binary.value]);
  expect(records.at(-1)).toMatchObject(binary);
});

describe('a group of the program', () => {
  const group = ['consume', 'many.db', '--topic', 'lines', '--group', 'g'];

  beforeAll(async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `value ${i}\n`).join('');
    await tablog(lines, 'produce', 'many.db', '--log', 'many', '--create', ...TWO);
  });

  const TWO = ['--topic', 'lines', '--partitions', '2'];

  async function lag(name: string): Promise<number> {
    const lags = await json('groups', 'many.db', '--group', name);
    return lags.reduce((sum, each) => sum + (each['lag'] as number), 0);
  }

  test('commits nothing that was not written, where a reader has enough', async () => {
    const command = `'${process.execPath}' '${PROGRAM}' ${group.join(' ')} | head -n 2`;
    const child = spawn('sh', ['-c', command], { cwd: folder });
    let stdout = '';
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    await new Promise((resolve) => child.once('close', resolve));
    expect(stdout.trim().split('\n')).toHaveLength(2);
    // What was written is at most what the pipe holds.
    expect(await lag('g')).toBeGreaterThan(15_000);
  });

  test('has several members, which end when all is read', async () => {
    const two = ['consume', 'many.db', '--topic', 'lines', '--group', 'two'];
    const members = await Promise.all([json(...two), json(...two)]);
    const places = members.flat().map(({ partition, offset }) => [partition, offset].join('/'));
    expect(new Set(places).size).toBe(20_000);
    expect(await lag('two')).toBe(0);
  });
});

test('a damaged file of a folder is named, and others are read', async () => {
  await tablog('', 'export', 'shop.db', '--topic', 'orders', '--out', 'damaged');
  const sound = path.join(folder, 'damaged', 'sound-0');
  mkdirSync(sound);
  const file = path.join(folder, 'damaged', 'orders-0', `${'0'.repeat(20)}.log`);
  const whole = readdirSync(path.join(folder, 'damaged'))
    .filter((name) => name.startsWith('orders'))
    .map((name) => path.join(folder, 'damaged', name, `${'0'.repeat(20)}.log`))
    .find((each) => statSync(each).size > 0);
  writeFileSync(path.join(sound, path.basename(file)), readFileSync(whole!));
  const bytes = readFileSync(whole!);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(whole!, bytes);
  const failed = await tablog('', 'topics', 'damaged');
  expect(failed).toMatchObject({ code: 1, stdout: '' });
  expect(failed.stderr).toContain(path.relative(folder, whole!));
  expect((await json('consume', 'damaged', '--topic', 'sound')).length).toBeGreaterThan(0);
  const scrubbed = await tablog('', 'scrub', 'damaged');
  expect(scrubbed.code).toBe(1);
  expect(scrubbed.stdout).toContain(path.relative(folder, whole!));
});

test('export overwrites nothing, and leaves no file cut', async () => {
  await tablog('', 'export', 'shop.db', '--topic', 'orders', '--out', 'once');
  const again = await tablog('', 'export', 'shop.db', '--topic', 'orders', '--out', 'once');
  expect(again.code).toBe(2);
  expect(again.stderr).toMatch(/there is a file '.*': pass an --out that is empty/);
});

test('--version and help are answered, and nothing is asked of a file', async () => {
  expect((await tablog('', '--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  for (const args of [['help'], ['--help'], ['consume', '--help']]) {
    expect(await tablog('', ...args)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^tablog COMMAND FILE/) as string,
    });
  }
});

test('a database of others is looked at, and left as it is', async () => {
  const other = path.join(folder, 'other.db');
  const database = openDatabase(other);
  database.exec('CREATE TABLE mine (what TEXT)');
  database.close();
  const before = readFileSync(other);
  expect((await tablog('', 'topics', 'other.db')).stderr).toMatch(/'other\.db' has no log/);
  expect((await tablog('', 'logs', 'other.db')).stdout).toBe('LOG\n');
  expect(readFileSync(other)).toEqual(before);
});
