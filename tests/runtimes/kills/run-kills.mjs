// Two processes produce into one file, and one of them is killed (SIGKILL), again and again.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { partsOf } from './values.mjs';

const PRODUCER = fileURLToPath(new URL('producer.mjs', import.meta.url));
const READER = fileURLToPath(new URL('reader.mjs', import.meta.url));
/** The kills after which the file is read, and another one begun. */
const KILLS_A_FILE = 20;
const START_MS = 30_000;

/** Resolves with what was counted; rejects where anything was lost, doubled or out of order. */
export async function runKills(runtime, { kills, seed }) {
  const random = randomOf(seed);
  let acked = 0;
  for (let done = 0; done < kills; done += KILLS_A_FILE) {
    const folder = mkdtempSync(path.join(tmpdir(), 'tablog-kills-'));
    try {
      const file = path.join(folder, 'shop.db');
      const events = await killSome(runtime, file, Math.min(KILLS_A_FILE, kills - done), random);
      acked += check(events, await readAll(runtime, file));
    } catch (error) {
      throw new Error(`${error.message} (seed ${seed})`, { cause: error });
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
  return `${acked} acked, 0 lost, 0 doubled (seed ${seed})`;
}

/** Kills producers, of which there are two at any time; resolves with all that they told. */
async function killSome(runtime, file, kills, random) {
  /** @type {{ producer: string, n: number, partition: number, offset: number }[]} */
  const events = [];
  let started = 0;
  const start = () => startProducer(runtime, file, `p${started++}`, events);
  const producers = [start(), start()];
  try {
    for (let i = 0; i < kills; i++) {
      await Promise.all(producers.map(({ acks }) => acks));
      await sleep(random() * 150);
      const which = random() < 0.5 ? 0 : 1;
      await producers[which].kill();
      producers[which] = start();
    }
    await Promise.all(producers.map(({ acks }) => acks));
    return events;
  } finally {
    await Promise.all(producers.map((producer) => producer.kill()));
  }
}

function startProducer({ command, args }, file, producer, events) {
  const child = spawn(command, [...args, PRODUCER, file, producer], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (chunk) => (errors += String(chunk)));
  const closed = new Promise((resolve) => child.once('close', resolve));
  const acks = new Promise((resolve, reject) => {
    const late = setTimeout(() => fail(`nothing was acked in ${START_MS} ms`), START_MS);
    const fail = (why) => reject(new Error(`${producer}: ${why}\n${errors}`));
    createInterface(child.stdout).on('line', (line) => {
      // The kill may have cut the last line short.
      const event = line.endsWith('}') ? JSON.parse(line) : undefined;
      if (event === undefined) return;
      events.push({ producer, ...event });
      clearTimeout(late);
      resolve();
    });
    void closed.then(() => {
      clearTimeout(late);
      fail('it ended by itself');
    });
  });
  acks.catch(() => {}); // whoever waits for it gets the error
  return {
    acks,
    async kill() {
      child.kill('SIGKILL');
      await closed;
    },
  };
}

async function readAll({ command, args }, file) {
  const child = spawn(command, [...args, READER, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = new Promise((resolve) => child.once('close', resolve));
  const records = [];
  for await (const line of createInterface(child.stdout)) records.push(JSON.parse(line));
  const code = await closed;
  if (code !== 0) throw new Error(`the reader ended with ${code}`);
  return records;
}

/** Holds what is stored against what was acked; returns the number of acked records. */
function check(events, records) {
  const next = new Map();
  const last = new Map();
  const found = new Map();
  for (const { partition, offset, value } of records) {
    const expected = next.get(partition) ?? 0;
    if (offset !== expected) throw new Error(`offset ${offset} follows ${expected - 1}`);
    next.set(partition, offset + 1);
    const { producer, n } = partsOf(value);
    if (found.has(`${producer}/${n}`)) throw new Error(`${producer}/${n} is there twice`);
    found.set(`${producer}/${n}`, `${partition}/${offset}`);
    const order = `${producer}/${partition}`;
    if (n <= (last.get(order) ?? -1)) throw new Error(`${producer}/${n} is out of order`);
    last.set(order, n);
  }
  for (const { producer, n, partition, offset, refused } of events) {
    if (refused !== undefined) throw new Error(`${producer}/${n} was refused: ${refused}`);
    const at = found.get(`${producer}/${n}`);
    if (at === undefined) throw new Error(`${producer}/${n} was acked, and is lost`);
    if (at !== `${partition}/${offset}`) throw new Error(`${producer}/${n} is at ${at}`);
  }
  return events.length;
}

/** Mulberry32. */
function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
